-- How a process learns whether the one it forked serves: by a pipe, on which
-- that says so or why not. The pipe's end alone would not do: the other's own
-- children have it too.

local ffi = require "ffi"
local posix = require "standin.posix"

local C = ffi.C
local report = {}

-- Two descriptors, to read from and to write to.
function report.pipe()
  local pipe = ffi.new("int[2]")
  C.pipe2(pipe, posix.CLOEXEC)
  return pipe[0], pipe[1]
end

-- A function that is called once, with nil or an error.
function report.to(fd)
  return function(err)
    local text = (err or "") .. "\0"
    C.write(fd, text, #text)
    C.close(fd)
  end
end

-- Waits for the other: true, or nil and its error.
function report.wait(from, to)
  C.close(to)
  local text, buffer = "", ffi.new("char[4096]")
  while text:sub(-1) ~= "\0" do
    local got = tonumber(C.read(from, buffer, 4096))
    if got == 0 or got < 0 and posix.errno() ~= posix.EINTR then
      text = text .. "it ended before it served\0"
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
