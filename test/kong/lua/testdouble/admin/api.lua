-- The Admin API: GET / and /status, services, routes and plugins, and the endpoints of plugins' entities.

local cjson = require "cjson"
local collections = require "testdouble.admin.collections"
local form = require "testdouble.net.form"
local http = require "testdouble.net.http"
local make = require("testdouble.pdk.response").make
local posix = require "testdouble.posix"
local runtimes = require "testdouble.server.runtime"

local api = {}

local function body_of(request)
  local text = http.read_all(request.body) or ""
  if text == "" then
    return {}
  end
  local kind = (request.headers:get("content-type") or ""):lower()
  if kind:find("application/json", 1, true) then
    local ok, value = pcall(cjson.decode, text)
    if not ok or type(value) ~= "table" then
      return nil, "Cannot parse JSON body"
    end
    return value
  elseif kind == "" or kind:find("x-www-form-urlencoded", 1, true) then
    return form.nest(form.decode(text))
  end
  return nil, "the test double supports JSON and forms, not " .. kind
end

local function root(runtime)
  local available, enabled = {}, {}
  for name in pairs(runtime.conf.loaded_plugins) do
    local loaded = runtime.plugins.by_name[name]
    available[name] = loaded and { version = loaded.handler.VERSION, priority = loaded.handler.PRIORITY }
      or { version = "3.9.1", priority = 0 }
  end
  for plugin in runtime.db.plugins:each() do
    if plugin then
      enabled[#enabled + 1] = plugin.name
    end
  end
  local conf = {}
  local names = { "prefix", "database", "role", "pg_host", "pg_port", "pg_user", "pg_database", "lua_package_path" }
  for _, name in ipairs(names) do
    conf[name] = runtime.conf[name]
  end
  conf.loaded_plugins = runtime.conf.loaded_plugins
  return 200, {
    tagline = "Welcome to kong", version = "3.9.1", edition = "community", hostname = posix.hostname(),
    node_id = runtime.node_id, lua_version = jit.version, test_double = true, configuration = conf,
    plugins = { available_on_server = available, enabled_in_cluster = setmetatable(enabled, cjson.array_mt) },
  }
end

-- GET /status of the Admin API and of the status API.
function api.status(runtime)
  local status = {
    server = { connections_active = runtime.active or 0, total_requests = runtime.total or 0 },
    memory = { workers_lua_vms = { { http_allocated_gc = ("%.2f MiB"):format(collectgarbage("count") / 1024) } } },
  }
  if not runtime.off then
    status.database = { reachable = runtime.pool:query("SELECT 1;") ~= nil }
  end
  return 200, status
end

-- GET /status/ready: whether the node can serve requests. Without a database, the node first needs a configuration.
function api.ready(runtime)
  if runtime.draining then
    return 503, { message = "Kong is shutting down" }
  elseif runtime.off then
    runtimes.follow(runtime)
    if #runtime.db.routes.rows + #runtime.db.services.rows + #runtime.db.plugins.rows == 0 then
      return 503, { message = "no configuration available (empty configuration present)" }
    end
  elseif not runtime.pool:query("SELECT 1;") then
    return 503, { message = "failed to connect to database" }
  end
  return 200, { message = "ready" }
end

local function config(runtime, values)
  if not runtime.off then
    return 400, { message = "this endpoint is only available when Kong is configured to not use a database" }
  end
  if type(values.config) == "string" then
    local ok, decoded = pcall(cjson.decode, values.config)
    values = ok and decoded or {}
  end
  local ok, err = runtimes.declare(runtime, values)
  if not ok then
    return 400, { message = err, name = "invalid declarative configuration", code = 14 }
  end
  return 201, {}
end

local function handle(runtime, request)
  if request.path == "/" and request.method == "GET" then
    return root(runtime)
  elseif request.path == "/status" and request.method == "GET" then
    return api.status(runtime)
  end
  local values, err = body_of(request)
  if not values then
    return 400, { message = err }
  elseif request.path == "/config" and request.method == "POST" then
    return config(runtime, values)
  end
  return collections.handle(runtime, request, values)
end

function api.serve(runtime, request)
  local status, body = handle(runtime, request)
  local response = make(request, status, body)
  response.headers:set("Access-Control-Allow-Origin", "*")
  response.headers:set("X-Kong-Request-Id", request.id)
  return response
end

-- The status API has only these two endpoints.
function api.serve_status(runtime, request)
  local status, body = 404, { message = "Not found" }
  if request.method == "GET" or request.method == "HEAD" then
    if request.path == "/status" then
      status, body = api.status(runtime)
    elseif request.path == "/status/ready" then
      status, body = api.ready(runtime)
    end
  end
  return make(request, status, body)
end

return api
