-- TCP sockets: listen, connect, and streams that coroutines read and write.

local ffi = require "ffi"
local loop = require "testdouble.loop"
local posix = require "testdouble.posix"

local C = ffi.C
local socket = {}
local Stream = {}
Stream.__index = Stream

local SOL_SOCKET, REUSEADDR, SO_ERROR, IPV6, V6ONLY, TCP, NODELAY, NOSIGNAL = 1, 2, 4, 41, 26, 6, 1, 0x4000
local on = ffi.new("int[1]", 1)
local size = 65536
local buffer = ffi.new("char[?]", size)

local function resolve(host, port, passive)
  local hints = ffi.new("struct addrinfo")
  hints.socktype, hints.flags = 1, passive and 1 or 0
  local found = ffi.new("struct addrinfo *[1]")
  local code = C.getaddrinfo(host, tostring(port), hints, found)
  if code ~= 0 then
    return nil, "name resolution failed: " .. host .. ": " .. ffi.string(C.gai_strerror(code))
  end
  return ffi.gc(found[0], C.freeaddrinfo)
end

-- Returns a descriptor that listens. The error text is that of nginx.
function socket.listen(address, port)
  local shown = address:find(":", 1, true) and "[" .. address .. "]:" .. port or address .. ":" .. port
  local found, err = resolve(address, port, true)
  if not found then
    return nil, err
  end
  local fd = C.socket(found.family, 1 + posix.NONBLOCK + posix.CLOEXEC, 0)
  if fd < 0 then
    return nil, "socket() " .. shown .. " failed (" .. posix.errno() .. ": " .. posix.failed() .. ")", posix.errno()
  end
  C.setsockopt(fd, SOL_SOCKET, REUSEADDR, on, 4)
  if found.family == 10 then
    C.setsockopt(fd, IPV6, V6ONLY, on, 4)
  end
  if C.bind(fd, found.addr, found.addrlen) ~= 0 or C.listen(fd, 4096) ~= 0 then
    local code = posix.errno()
    C.close(fd)
    return nil, "bind() to " .. shown .. " failed (" .. code .. ": " .. posix.failed(code) .. ")", code
  end
  return fd
end

local function stream(fd)
  C.setsockopt(fd, TCP, NODELAY, on, 4)
  return setmetatable({ fd = fd, data = "" }, Stream)
end

-- Accepts a connection. Returns a stream and the address of the client.
function socket.accept(fd)
  local address, length = ffi.new("struct sockaddr"), ffi.new("unsigned int[1]", ffi.sizeof("struct sockaddr"))
  local accepted = C.accept4(fd, address, length, posix.NONBLOCK + posix.CLOEXEC)
  if accepted < 0 then
    return nil
  end
  local host = ffi.new("char[64]")
  C.getnameinfo(address, length[0], host, 64, nil, 0, 1)
  return stream(accepted), ffi.string(host)
end

function socket.connect(host, port, seconds)
  local found, err = resolve(host, port)
  if not found then
    return nil, err
  end
  local each = found
  while each ~= nil do
    local fd = C.socket(each.family, 1 + posix.NONBLOCK + posix.CLOEXEC, 0)
    local code = fd < 0 and posix.errno() or 0
    if fd >= 0 and C.connect(fd, each.addr, each.addrlen) ~= 0 then
      code = posix.errno()
      if code == posix.EINPROGRESS then
        local value, length = ffi.new("int[1]"), ffi.new("unsigned int[1]", 4)
        if loop.wait(fd, "w", seconds) then
          C.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length)
          code = value[0]
        else
          code = 110
        end
      end
    end
    if code == 0 then
      return stream(fd)
    end
    if fd >= 0 then
      C.close(fd)
    end
    err = "connect() failed (" .. code .. ": " .. posix.failed(code) .. ")"
    each = each.next
  end
  return nil, err
end

-- Reads the available data. Waits for data until the timeout.
function Stream:fill(seconds)
  while true do
    local got = tonumber(C.read(self.fd, buffer, size))
    if got > 0 then
      self.data = self.data .. ffi.string(buffer, got)
      return true
    elseif got == 0 then
      return nil, "closed"
    end
    local code = posix.errno()
    if code == posix.EAGAIN then
      if not loop.wait(self.fd, "r", seconds) then
        return nil, "timeout"
      end
    elseif code ~= posix.EINTR then
      return nil, posix.failed(code)
    end
  end
end

-- Reads a line without its end.
function Stream:line(seconds)
  while true do
    local from, last = self.data:find("\r?\n")
    if from then
      local line = self.data:sub(1, from - 1)
      self.data = self.data:sub(last + 1)
      return line
    elseif #self.data > 65536 then
      return nil, "line too long"
    end
    local ok, err = self:fill(seconds)
    if not ok then
      return nil, err
    end
  end
end

-- Reads at most this number of bytes.
function Stream:some(count, seconds)
  if #self.data == 0 then
    local ok, err = self:fill(seconds)
    if not ok then
      return nil, err
    end
  end
  local part = self.data:sub(1, count)
  self.data = self.data:sub(count + 1)
  return part
end

function Stream:write(text, seconds)
  local at = 0
  while at < #text do
    local sent = tonumber(C.send(self.fd, ffi.cast("const char *", text) + at, #text - at, NOSIGNAL))
    if sent > 0 then
      at = at + sent
    else
      local code = posix.errno()
      if code == posix.EAGAIN then
        if not loop.wait(self.fd, "w", seconds or 60) then
          return nil, "timeout"
        end
      elseif code ~= posix.EINTR then
        return nil, posix.failed(code)
      end
    end
  end
  return true
end

function Stream:close()
  if self.fd then
    C.close(self.fd)
    self.fd = nil
  end
end

return socket
