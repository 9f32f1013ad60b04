-- compile.lua DIRECTORY COUNT compiles the files 1 to COUNT, and prints a line for each: "ok", or LuaJIT's error.
local directory, count = arg[1], tonumber(arg[2])
for i = 1, count do
  local code, err = loadfile(directory .. "/" .. i)
  print(code and "ok" or (err:gsub("[\r\n]", " ")))
end
