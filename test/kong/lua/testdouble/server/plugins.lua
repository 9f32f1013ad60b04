-- Loads the plugins of KONG_PLUGINS. Handler, schema and entities are modules that require finds (fact K1). Bundled
-- plugins have only a name.

local bundled = require "testdouble.configuration".bundled
local modules = require "testdouble.modules"

local plugins = {}

local function check_entity(plugin, entity)
  local name = type(entity) == "table" and entity.name or "?"
  local what
  if type(entity) ~= "table" or type(entity.name) ~= "string" then
    what = "name: required field missing"
  elseif type(entity.fields) ~= "table" then
    what = "fields: required field missing"
  elseif type(entity.primary_key) ~= "table" then
    what = "primary_key: required field missing"
  end
  if what then
    return nil, ("schema of custom plugin entity '%s.%s' is invalid: schema violation (%s)"):format(plugin, name, what)
  end
  return true
end

local function entities_of(name)
  local ok, daos = modules.try("kong.plugins." .. name .. ".daos")
  if not ok then
    return {}
  elseif type(daos) ~= "table" then
    return nil, "custom plugin entities of '" .. name .. "' must be a table"
  end
  local list = {}
  for key, entity in pairs(daos) do
    if key ~= "tables" then
      local valid, err = check_entity(name, entity)
      if not valid then
        return nil, err
      end
      list[#list + 1] = entity
    end
  end
  return list
end

local function load(name)
  local ok, handler = modules.try("kong.plugins." .. name .. ".handler")
  if not ok then
    return nil, name .. " plugin is enabled but not installed;\n" .. handler
  end
  local priority = type(handler) == "table" and handler.PRIORITY
  if type(priority) ~= "number" or priority % 1 ~= 0 then
    return nil, ('Plugin "%s" cannot be loaded because its PRIORITY field is not a valid integer number, got: "%s".\n')
      :format(name, tostring(priority))
  elseif not tostring(handler.VERSION):match("^%d+%.%d+%.%d+$") then
    return nil, ('Plugin "%s" cannot be loaded because its VERSION field does not follow the "x.y.z" format, '
      .. 'got: "%s".\n')
      :format(name, tostring(handler.VERSION))
  end
  local schema
  ok, schema = modules.try("kong.plugins." .. name .. ".schema")
  if not ok then
    return nil, "no configuration schema found for plugin: " .. name
  elseif type(schema) ~= "table" or schema.name ~= name or type(schema.fields) ~= "table" then
    return nil, "schema violation (name, fields: the schema of plugin " .. name .. " must have both)"
  end
  local entities, err = entities_of(name)
  if not entities then
    return nil, err
  end
  return { name = name, handler = handler, schema = schema, entities = entities }
end

-- Loads all plugins of a set. Returns them by name, and in the order of their priorities.
function plugins.load(set)
  local loaded, order, failures = {}, {}, {}
  for name in pairs(set) do
    if not bundled[name] then
      local plugin, err = load(name)
      if plugin then
        loaded[name], order[#order + 1] = plugin, plugin
      else
        failures[#failures + 1] = "on plugin '" .. name .. "': " .. err
      end
    end
  end
  if #failures > 0 then
    table.sort(failures)
    return nil, "error loading plugin schemas: " .. table.concat(failures, "; ")
  end
  table.sort(order, function(a, b)
    if a.handler.PRIORITY ~= b.handler.PRIORITY then
      return a.handler.PRIORITY > b.handler.PRIORITY
    end
    return a.name < b.name
  end)
  return { by_name = loaded, order = order, enabled = set }
end

return plugins
