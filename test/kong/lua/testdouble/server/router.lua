-- Finds the route of a request by host, method and the longest path prefix. It reads the routes from the database again
-- after max_age, so that all nodes have the same routes. If PostgreSQL is not available, it keeps the routes.

local logger = require "testdouble.server.logger"
local loop = require "testdouble.loop"
local posix = require "testdouble.posix"
local runtimes = require "testdouble.server.runtime"

local Router = {}
Router.__index = Router

local max_age = 0.2

function Router.new(runtime)
  return setmetatable({ runtime = runtime, read = -math.huge, waiting = {} }, Router)
end

local function collect(dao)
  local list, by_id = {}, {}
  for entity, err in dao:each() do
    if not entity then
      return nil, err
    end
    list[#list + 1], by_id[entity.id] = entity, entity
  end
  return list, by_id
end

local function flatten(routes, services)
  local entries = {}
  for _, route in ipairs(routes) do
    for _, path in ipairs(route.paths and #route.paths > 0 and route.paths or { "/" }) do
      entries[#entries + 1] = { route = route, service = route.service and services[route.service.id], path = path }
    end
  end
  local function weight(entry)
    return (entry.route.hosts and #entry.route.hosts > 0 and 1000000 or 0)
      + (entry.route.methods and #entry.route.methods > 0 and 100000 or 0) + #entry.path
  end
  table.sort(entries, function(a, b)
    if weight(a) ~= weight(b) then
      return weight(a) > weight(b)
    end
    return (a.route.created_at or 0) < (b.route.created_at or 0)
  end)
  return entries
end

local function reload(self)
  local db = self.runtime.db
  if self.runtime.off then
    runtimes.follow(self.runtime)
  end
  local _, services = collect(db.services)
  local routes, err = collect(db.routes)
  local plugins, other = collect(db.plugins)
  if not services or not routes or not plugins then
    return nil, err or other or "services cannot be read"
  end
  self.entries, self.plugins = flatten(routes, services), plugins
  return true
end

-- Reads the routes again if they are too old. One request does this, and the others wait for it.
local function refresh(self)
  if posix.monotonic() - self.read < max_age then
    return
  end
  if self.reading then
    self.waiting[#self.waiting + 1] = coroutine.running()
    loop.park()
    return
  end
  self.reading = true
  local called, ok, err = pcall(reload, self)
  if not called or not ok then
    logger.error("[kong] could not rebuild router: ", called and err or ok)
  end
  self.read, self.reading = posix.monotonic(), false
  local waiting = self.waiting
  self.waiting = {}
  for _, thread in ipairs(waiting) do
    loop.wake(thread)
  end
end

local function contains(list, value)
  if not list or #list == 0 then
    return true
  end
  for _, each in ipairs(list) do
    if each == value then
      return true
    end
  end
  return false
end

function Router:match(request)
  refresh(self)
  local host = (request.headers:get("host") or ""):gsub(":%d+$", ""):lower()
  for _, entry in ipairs(self.entries or {}) do
    if request.path:sub(1, #entry.path) == entry.path and contains(entry.route.hosts, host)
      and contains(entry.route.methods, request.method) then
      return entry
    end
  end
end

-- Returns the plugins of a route. If a plugin is enabled several times, the route's configuration has priority over the
-- service's and the global one.
function Router:plugins_for(route, service)
  local chosen = {}
  for _, plugin in ipairs(self.plugins or {}) do
    local closeness
    if plugin.route then
      closeness = route and plugin.route.id == route.id and 3
    elseif plugin.service then
      closeness = service and plugin.service.id == service.id and 2
    else
      closeness = 1
    end
    local before = chosen[plugin.name]
    if closeness and plugin.enabled and (not before or before.closeness < closeness) then
      chosen[plugin.name] = { closeness = closeness, plugin = plugin }
    end
  end
  local list = {}
  for _, loaded in ipairs(self.runtime.plugins.order) do
    local found = chosen[loaded.name]
    if found then
      local plugin = found.plugin
      list[#list + 1] = { name = loaded.name, handler = loaded.handler, id = plugin.id, conf = plugin.config }
    end
  end
  return list
end

return Router
