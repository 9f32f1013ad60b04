-- The declarative configuration without a database. It is JSON, from a file, from a variable, or from POST /config of
-- the Admin API.

local cjson = require "cjson"
local core = require "testdouble.entities.core"
local schema = require "testdouble.entities.schema"

local declared = {}

local function add(rows, kind, values, runtime)
  if kind == "plugins" then
    local plugin = runtime.plugins.by_name[values.name]
    if not plugin then
      return nil, "plugin '" .. tostring(values.name) .. "' not enabled; add it to the 'plugins' configuration property"
    end
    local complete = schema.complete({ fields = { { config = schema.field(plugin.schema, "config") } } }, values)
    values.config = complete.config
  end
  local complete = schema.complete(core[kind], values)
  local errors = schema.check(core[kind], complete)
  if errors then
    return nil, kind .. ": " .. schema.describe(errors)
  end
  table.insert(rows[kind], complete)
  return complete
end

local function remove_list(values, name)
  local list = values[name] or {}
  values[name] = nil
  return list
end

local function add_plugins(rows, list, scope, owner, runtime)
  for _, plugin in ipairs(list) do
    if scope then
      plugin[scope] = { id = owner.id }
    end
    local ok, err = add(rows, "plugins", plugin, runtime)
    if not ok then
      return nil, err
    end
  end
  return true
end

local function add_routes(rows, list, service, runtime)
  for _, values in ipairs(list) do
    local plugins = remove_list(values, "plugins")
    values.service = service and { id = service.id } or nil
    local route, err = add(rows, "routes", values, runtime)
    local ok = route
    if route then
      ok, err = add_plugins(rows, plugins, "route", route, runtime)
    end
    if not ok then
      return nil, err
    end
  end
  return true
end

-- Parses services with their routes and plugins, and global plugins.
function declared.parse(config, runtime)
  local rows = { services = {}, routes = {}, plugins = {} }
  for _, values in ipairs(config.services or {}) do
    local routes, plugins = remove_list(values, "routes"), remove_list(values, "plugins")
    declared.spread_url(values)
    local service, err = add(rows, "services", values, runtime)
    local ok = service
    if ok then
      ok, err = add_routes(rows, routes, service, runtime)
    end
    if ok then
      ok, err = add_plugins(rows, plugins, "service", service, runtime)
    end
    if not ok then
      return nil, "declarative config is invalid: " .. err
    end
  end
  local ok, err = add_plugins(rows, config.plugins or {}, nil, nil, runtime)
  if not ok then
    return nil, "declarative config is invalid: " .. err
  end
  return rows
end

-- Replaces url of a service by protocol, host, port and path.
function declared.spread_url(values)
  if type(values.url) == "string" then
    local protocol, host, port, path = values.url:match("^(%a+)://([^/:]+):?(%d*)(.*)$")
    if protocol then
      values.protocol, values.host, values.url = protocol, host, nil
      values.port = tonumber(port) or (protocol == "https" and 443 or 80)
      values.path = path ~= "" and path or nil
    end
  end
end

local function read(path)
  local file, err = io.open(path)
  if not file then
    return nil, err
  end
  local text = file:read("*a")
  file:close()
  return text
end

local function path_of(conf)
  return conf.prefix .. "/.declared.json"
end

-- Stores a configuration of the Admin API for all workers.
function declared.store(conf, config)
  local file, err = io.open(path_of(conf) .. ".part", "w")
  if not file then
    return nil, err
  end
  file:write(cjson.encode(config))
  file:close()
  return os.rename(path_of(conf) .. ".part", path_of(conf))
end

-- Deletes the stored configuration, because a new node starts without it.
function declared.delete(conf)
  os.remove(path_of(conf))
end

-- Returns the stored configuration if it differs from that of this worker.
function declared.changed(runtime)
  local text = read(path_of(runtime.conf))
  if text and text ~= runtime.declared_text then
    runtime.declared_text = text
    return cjson.decode(text)
  end
end

function declared.load(conf, runtime)
  local text, err = conf.declarative_config_string, nil
  if text == "" and conf.declarative_config ~= "" then
    text, err = read(conf.declarative_config)
    if not text then
      return nil, "error parsing declarative config file " .. conf.declarative_config .. ":\n" .. err
    end
  end
  if text == "" then
    return { services = {}, routes = {}, plugins = {} }
  end
  local ok, config = pcall(cjson.decode, text)
  if not ok or type(config) ~= "table" then
    return nil, "error parsing declarative config: the test double supports only JSON"
  end
  return declared.parse(config, runtime)
end

return declared
