-- Random UUIDs of version 4.

local random

return function()
  random = random or assert(io.open("/dev/urandom", "rb"))
  local bytes = { random:read(16):byte(1, 16) }
  bytes[7] = bytes[7] % 16 + 64
  bytes[9] = bytes[9] % 64 + 128
  return ("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x"):format(unpack(bytes))
end
