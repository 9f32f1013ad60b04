-- The proxy. It runs the plugins and then sends the request to the upstream service.

local context = require "testdouble.server.context"
local http = require "testdouble.net.http"
local logger = require "testdouble.server.logger"
local loop = require "testdouble.loop"
local make = require("testdouble.pdk.response").make
local posix = require "testdouble.posix"
local socket = require "testdouble.net.socket"

local proxy = {}

-- Runs a phase of all plugins. If a plugin ends the request, it returns the response.
local function run(request, plugins, phase)
  for _, plugin in ipairs(plugins) do
    local f = plugin.handler[phase]
    if f then
      request.plugin, request.plugin_id = plugin.name, plugin.id
      local ok, err = xpcall(f, function(err)
        return type(err) == "table" and err or debug.traceback(err, 2)
      end, plugin.handler, plugin.conf)
      request.plugin = nil
      if not ok and type(err) == "table" and err.exit then
        return err.exit
      elseif not ok then
        logger.error("[kong] init.lua: [", plugin.name, "] ", tostring(err))
        return make(request, 500, { message = "An unexpected error occurred" })
      end
    end
  end
end

local function join(base, rest)
  local path = (base or ""):gsub("/+$", "") .. "/" .. rest:gsub("^/+", "")
  return path
end

-- Creates the request to the upstream service. Plugins may change it.
local function upstream_of(request, entry)
  local service, route = entry.service, entry.route
  local path = request.path
  if route.strip_path and route.paths and #route.paths > 0 then
    path = path:sub(#entry.path + 1)
    request.stripped = entry.path
  end
  local upstream = {
    method = request.method, path = service and join(service.path, path) or path, query = request.query,
    headers = http.headers(),
  }
  for _, header in ipairs(request.headers) do
    upstream.headers:add(header[1], header[2])
  end
  upstream.headers:remove_hops()
  upstream.headers:remove("expect")
  local forwarded = request.headers:get("x-forwarded-for")
  upstream.headers:set("X-Forwarded-For", (forwarded and forwarded .. ", " or "") .. request.client)
  upstream.headers:set("X-Forwarded-Proto", "http")
  upstream.headers:set("X-Forwarded-Host", request.headers:get("host") or "")
  upstream.headers:set("X-Forwarded-Port", request.port)
  upstream.headers:set("X-Forwarded-Path", request.path)
  upstream.headers:set("X-Real-IP", request.client)
  upstream.headers:set("X-Kong-Request-Id", request.id)
  upstream.headers:set("Via", "1.1 kong/3.9.1")
  if service and not route.preserve_host then
    upstream.headers:set("Host", service.port == 80 and service.host or service.host .. ":" .. service.port)
  end
  return upstream
end

local function send(stream, upstream, request, seconds)
  local target = upstream.path .. (upstream.query ~= "" and "?" .. upstream.query or "")
  local headers = upstream.headers
  headers:set("Connection", "close")
  local has_length = headers:get("content-length")
  local chunked = not has_length and (request.headers:get("transfer-encoding") or "") ~= ""
  if chunked then
    headers:set("Transfer-Encoding", "chunked")
  end
  local ok, err = stream:write(upstream.method .. " " .. target .. " HTTP/1.1\r\n" .. headers:text() .. "\r\n", seconds)
  while ok do
    local part, failed = request.body()
    if failed then
      return nil, failed
    elseif not part then
      break
    end
    ok, err = stream:write(chunked and ("%x\r\n%s\r\n"):format(#part, part) or part, seconds)
  end
  if ok and chunked then
    ok, err = stream:write("0\r\n\r\n", seconds)
  end
  return ok, err
end

-- Connects to the service. Only the connection is retried: after the request was sent, an error is final.
local function connect(service)
  local stream, err
  for attempt = 0, service.retries or 5 do
    stream, err = socket.connect(service.host, service.port, (service.connect_timeout or 60000) / 1000)
    if stream or err:find("^name resolution") then
      break
    end
    loop.sleep(0.02 * attempt)
  end
  return stream, err
end

local invalid_response = "An invalid response was received from the upstream server"

local function failed(request, status, message, err)
  logger.error("upstream: ", err)
  return make(request, status, { message = message })
end

local function send_upstream(request, service)
  if service.protocol == "https" then
    return failed(request, 502, invalid_response, "the test double does not support TLS")
  end
  local stream, err = connect(service)
  if not stream then
    if err:find("^name resolution") then
      return failed(request, 503, "name resolution failed", err)
    end
    return failed(request, 502, invalid_response, err)
  end
  request.close = stream
  local ok
  ok, err = send(stream, request.upstream, request, (service.write_timeout or 60000) / 1000)
  local response
  if ok then
    response, err = http.read_response(stream, request.upstream.method, (service.read_timeout or 60000) / 1000)
  end
  if not response then
    if err == "timeout" then
      return failed(request, 504, "The upstream server is timing out", err)
    end
    return failed(request, 502, invalid_response, err)
  end
  response.headers:remove_hops()
  response.headers:set("Via", "1.1 kong/3.9.1")
  return response
end

local function handle(runtime, request)
  local entry = runtime.router:match(request)
  if not entry then
    return make(request, 404, { message = "no Route matched with those values" }), {}
  end
  request.route, request.service = entry.route, entry.service
  request.upstream = upstream_of(request, entry)
  local plugins = runtime.router:plugins_for(entry.route, entry.service)
  local response = run(request, plugins, "access")
  if not response and not entry.service then
    response = make(request, 503, { message = "no Service found with those values" })
  end
  if not response then
    local started = posix.monotonic()
    response = send_upstream(request, entry.service)
    response.headers:set("X-Kong-Upstream-Latency", math.floor((posix.monotonic() - started) * 1000))
  end
  request.response = response
  for _, header in ipairs(request.early) do
    response.headers:set(header[1], header[2])
  end
  return run(request, plugins, "header_filter") or response, plugins
end

-- Serves a request. Returns the response, and a function to call after the response was sent.
function proxy.serve(runtime, request)
  request.early, request.ctx, request.proxied = http.headers(), {}, true
  context.enter(request)
  local response, plugins = handle(runtime, request)
  response.headers:set("X-Kong-Request-Id", request.id)
  request.response = response
  return response, function()
    if request.close then
      request.close:close()
    end
    run(request, plugins, "log")
    context.leave()
  end
end

return proxy
