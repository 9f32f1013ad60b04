return { postgres = { up = [[
  CREATE TABLE tokens (id UUID);
]] } }
