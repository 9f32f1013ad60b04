-- Reports from a forked process to its parent whether it serves requests. The child writes to a pipe. The end of the
-- pipe is not enough, because the children of the child also have it.

local ffi = require "ffi"
local posix = require "testdouble.posix"

local C = ffi.C
local report = {}

-- Returns the two descriptors of a pipe, to read and to write.
function report.pipe()
  local pipe = ffi.new("int[2]")
  C.pipe2(pipe, posix.CLOEXEC)
  return pipe[0], pipe[1]
end

-- Returns a function for the child to call once, with nil or an error.
function report.to(fd)
  return function(err)
    local text = (err or "") .. "\0"
    C.write(fd, text, #text)
    C.close(fd)
  end
end

-- Waits for the report of the child. Returns true, or nil and the error.
function report.wait(from, to)
  C.close(to)
  local text, buffer = "", ffi.new("char[4096]")
  while text:sub(-1) ~= "\0" do
    local got = tonumber(C.read(from, buffer, 4096))
    if got == 0 or got < 0 and posix.errno() ~= posix.EINTR then
      text = text .. "the process ended before it served requests\0"
    elseif got > 0 then
      text = text .. ffi.string(buffer, got)
    end
  end
  C.close(from)
  if text == "\0" then
    return true
  end
  return nil, text:sub(1, -2)
end

return report
