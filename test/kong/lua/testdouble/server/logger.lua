-- The logs of a running node, in the format of nginx.

local context = require "testdouble.server.context"
local posix = require "testdouble.posix"
local ffi = require "ffi"

local levels = { debug = 8, info = 7, notice = 6, warn = 5, error = 4, crit = 3, alert = 2, emerg = 1 }
local logger = { threshold = levels.notice }

function logger.set_level(name)
  logger.threshold = levels[name] or levels.notice
end

-- Writes a line. If there is a request, the line has its client and its request line.
function logger.write(level, ...)
  if levels[level] > logger.threshold then
    return
  end
  local parts = {}
  for i = 1, select("#", ...) do
    parts[i] = tostring((select(i, ...)))
  end
  local text = table.concat(parts)
  local request = context.request()
  if request then
    text = ("%s, client: %s, server: kong, request: \"%s %s HTTP/1.1\", host: \"%s\", request_id: \"%s\""):format(
      text, request.client, request.method, request.target, request.headers:get("host") or "", request.id)
  end
  io.stderr:write(("%s [%s] %d#0: %s\n"):format(os.date("!%Y/%m/%d %H:%M:%S"), level, ffi.C.getpid(), text))
  io.stderr:flush()
end

for level in pairs(levels) do
  logger[level] = function(...) return logger.write(level, ...) end
end

function logger.access(request, status, bytes)
  io.stdout:write(('%s - - [%s] "%s %s HTTP/1.1" %d %d "-" "%s" kong_request_id: "%s"\n'):format(
    request.client, os.date("!%d/%b/%Y:%H:%M:%S +0000"), request.method, request.target, status, bytes,
    request.headers:get("user-agent") or "-", request.id))
  io.stdout:flush()
end

logger.clock = posix.now

return logger
