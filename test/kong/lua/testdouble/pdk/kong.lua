-- The global variable kong for plugins, and a small part of ngx. Only the functions that the tests need exist.

local cjson = require "cjson"
local context = require "testdouble.server.context"
local logger = require "testdouble.server.logger"
local posix = require "testdouble.posix"
local uuid = require "testdouble.uuid"

local pdk = {}

-- kong.log prints the position in the plugin and the name of the plugin.
local function log()
  local function writer(level)
    return function(...)
      local info = debug.getinfo(2, "Sl")
      local request = context.request()
      local where = info and info.short_src:match("[^/]+$") .. ":" .. info.currentline or "?"
      local plugin = request and request.plugin and "[" .. request.plugin .. "] " or ""
      logger.write(level, "[kong] ", where, " ", plugin, ...)
    end
  end
  local functions = { inspect = writer("debug") }
  for _, level in ipairs { "debug", "info", "notice", "warn", "crit", "alert", "emerg" } do
    functions[level] = writer(level)
  end
  functions.err = writer("error")
  local plain = writer("notice")
  return setmetatable(functions, { __call = function(_, ...) return plain(...) end })
end

-- kong.cache caches values in one worker. Changes in other workers do not invalidate them.
local function cache()
  local entries = {}
  return {
    get = function(_, key, options, load, ...)
      local entry = entries[key]
      if entry and entry.deadline > posix.monotonic() then
        return entry.value
      end
      local value, err = load(...)
      if err then
        return nil, err
      end
      local ttl = options and (value == nil and options.neg_ttl or options.ttl) or 0
      entries[key] = { value = value, deadline = ttl > 0 and posix.monotonic() + ttl or math.huge }
      return value
    end,
    invalidate = function(_, key) entries[key] = nil end,
    invalidate_local = function(_, key) entries[key] = nil end,
    purge = function() entries = {} end,
  }
end

-- kong.ctx.shared and kong.ctx.plugin exist for the duration of a request.
local function ctx()
  return setmetatable({}, { __index = function(_, name)
    local request = assert(context.request(), "kong.ctx needs a request")
    local key = name == "plugin" and "plugin:" .. tostring(request.plugin) or name
    request.ctx[key] = request.ctx[key] or {}
    return request.ctx[key]
  end })
end

local function entity_of_request(name)
  return function()
    local request = assert(context.request(), "kong.router needs a request")
    return request[name]
  end
end

-- Sets the global variables of a worker.
function pdk.install(runtime)
  local node = uuid()
  _G.ngx = {
    null = cjson.null, now = posix.now, time = os.time, update_time = function() end,
    sleep = require("testdouble.loop").sleep,
    ERR = "error", WARN = "warn", NOTICE = "notice", INFO = "info", DEBUG = "debug", CRIT = "crit",
    log = function(level, ...) logger.write(level, ...) end,
  }
  _G.kong = {
    version = "3.9.1", version_num = 3009001, configuration = runtime.conf, db = runtime.db,
    log = log(), cache = cache(), ctx = ctx(),
    request = require "testdouble.pdk.request", response = require "testdouble.pdk.response",
    service = { request = require "testdouble.pdk.service_request" },
    client = {
      get_ip = function() return context.request().client end,
      get_forwarded_ip = function() return context.request().client end,
    },
    router = { get_route = entity_of_request("route"), get_service = entity_of_request("service") },
    node = { get_id = function() return node end, get_hostname = posix.hostname },
    plugin = { get_id = function() return context.request().plugin_id end },
  }
  runtime.node_id = node
end

return pdk
