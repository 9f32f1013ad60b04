-- A worker. It accepts connections at the master's sockets and serves each one in its own coroutine. When it must end,
-- it first answers the requests that have arrived.

local admin = require "testdouble.admin.api"
local ffi = require "ffi"
local http = require "testdouble.net.http"
local logger = require "testdouble.server.logger"
local loop = require "testdouble.loop"
local make = require("testdouble.pdk.response").make
local posix = require "testdouble.posix"
local proxy = require "testdouble.server.proxy"
local Router = require "testdouble.server.router"
local runtimes = require "testdouble.server.runtime"
local socket = require "testdouble.net.socket"
local uuid = require "testdouble.uuid"

local worker = {}

local idle_seconds = 60   -- how long a connection may wait for its next request
local drain_seconds = 0.5 -- the same when the worker ends, because a request may arrive
local poll_seconds = 0.1

local serve = { proxy = proxy.serve, admin = admin.serve, status = admin.serve_status }

-- Waits for a request. Returns false if there is none.
local function wait_for_request(runtime, stream)
  local deadline = posix.monotonic() + idle_seconds
  while #stream.data == 0 do
    local limit = runtime.draining and math.min(deadline, runtime.draining + drain_seconds) or deadline
    if posix.monotonic() >= limit then
      return false
    end
    local ok, err = stream:fill(poll_seconds)
    if not ok and err ~= "timeout" then
      return false
    end
  end
  return true
end

local function serve_request(runtime, listener, stream, client)
  local request, err = http.read_request(stream, 60)
  if not request then
    if err == "malformed" then
      stream:write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    end
    return false
  end
  request.client, request.port, request.id = client, listener.port, (uuid():gsub("-", ""))
  runtime.total = (runtime.total or 0) + 1
  local ok, response, after = xpcall(serve[listener.kind], debug.traceback, runtime, request)
  if not ok then
    logger.error("[lua] ", response)
    response, after = make(request, 500, { message = "An unexpected error occurred" }), nil
  end
  request.keep_alive = request.keep_alive and not runtime.draining
  local keep = http.respond(stream, request, response)
  -- Read the rest of the body. Otherwise it would be read as the next request.
  while keep do
    local part, failed = request.body()
    keep = not failed
    if not part then
      break
    end
  end
  if listener.kind ~= "status" then
    logger.access(request, response.status, type(response.body) == "string" and #response.body or 0)
  end
  if after then
    after()
  end
  return keep
end

local function connection(runtime, listener, stream, client)
  runtime.active = runtime.active + 1
  local ok, err = xpcall(function()
    repeat
      local more = wait_for_request(runtime, stream) and serve_request(runtime, listener, stream, client)
    until not more
  end, debug.traceback)
  if not ok then
    logger.error("[lua] ", err)
  end
  stream:close()
  runtime.active = runtime.active - 1
end

-- Accepts connections until the worker ends, and then those that are still in the queue.
local function accept(runtime, listener)
  while true do
    local ending = runtime.draining
    local stream, client = socket.accept(listener.fd)
    while stream do
      loop.spawn(connection, runtime, listener, stream, client)
      stream, client = socket.accept(listener.fd)
    end
    if ending then
      break
    end
    loop.wait(listener.fd, "r", poll_seconds)
  end
  ffi.C.close(listener.fd)
  runtime.listening = runtime.listening - 1
end

-- Ends the worker when a signal arrives.
local function handle_signals(runtime, signals)
  while not runtime.draining do
    loop.wait(signals, "r", 1)
    local signal = posix.next_signal(signals)
    if signal == posix.SIGTERM or signal == posix.SIGQUIT then
      runtime.draining = posix.monotonic()
      logger.notice("gracefully shutting down")
    end
  end
end

-- Runs the worker until a signal ends it. Calls report once, with nil when the worker serves requests or with an error.
function worker.run(conf, listeners, signals, report)
  local called, runtime, err = xpcall(runtimes.start, debug.traceback, conf)
  if not called or not runtime then
    report(called and err or runtime)
    return 1
  end
  runtime.router = Router.new(runtime)
  runtime.active, runtime.listening = 0, #listeners
  for _, plugin in ipairs(runtime.plugins.order) do
    if plugin.handler.init_worker then
      loop.spawn(plugin.handler.init_worker, plugin.handler)
    end
  end
  for _, listener in ipairs(listeners) do
    loop.spawn(accept, runtime, listener)
  end
  loop.spawn(handle_signals, runtime, signals)
  report(nil)
  loop.run(function()
    return runtime.draining and runtime.listening == 0 and runtime.active == 0
  end)
  return 0
end

return worker
