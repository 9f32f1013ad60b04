-- Converts the values in a request to the values of a DAO.

local declared = require "testdouble.server.declared"
local errors = require "testdouble.entities.errors"
local schema = require "testdouble.entities.schema"

local values_of = {}
local null = require "cjson".null

-- A reference to another entity may be { name = "s" } instead of { id = "..." }.
local function resolve(runtime, dao, values)
  for _, entry in ipairs(schema.fields(dao.schema)) do
    local name, field = entry[1], entry[2]
    local value = values[name]
    if field.type == "foreign" and type(value) == "table" and value ~= null and not value.id and value.name then
      local other = runtime.db[field.reference] and runtime.db[field.reference]:select({ name = value.name })
      if not other then
        return nil, { [name] = "no such entity: " .. tostring(value.name) }
      end
      values[name] = { id = other.id }
    end
  end
  return values
end

-- A form has only texts. The schema determines their types.
local function cast(definition, values)
  for _, entry in ipairs(schema.fields(definition)) do
    local name, field = entry[1], entry[2]
    local value = values[name]
    if type(value) == "string" then
      if field.type == "integer" or field.type == "number" then
        values[name] = tonumber(value) or value
      elseif field.type == "boolean" and (value == "true" or value == "false") then
        values[name] = value == "true"
      elseif field.type == "set" or field.type == "array" then
        values[name] = { value }
      elseif value == "" then
        values[name] = null
      end
    elseif field.type == "record" and type(value) == "table" and value ~= null then
      cast(field, value)
    end
  end
  return values
end

-- The plugin must be enabled, and its configuration must match its schema.
local function plugin_config(runtime, values, before)
  local name = values.name or before and before.name
  local plugin = runtime.plugins.by_name[name]
  if not plugin then
    local why = runtime.plugins.enabled[name] and "is bundled with Kong, and the test double does not support it"
      or "not enabled; add it to the 'plugins' configuration property"
    return nil, { name = ("plugin '%s' %s"):format(tostring(name), why) }
  end
  local field = schema.field(plugin.schema, "config") or { type = "record", fields = {} }
  local config = before and schema.copy(before.config) or {}
  for key, value in pairs(values.config or {}) do
    config[key] = value
  end
  cast(field, config)
  local complete = schema.complete({ fields = { { config = field } } }, { config = config })
  local violations = schema.check({ fields = { { config = field } } }, complete)
  if violations then
    return nil, violations
  end
  values.config = complete.config
  values.name = name
  -- A plugin can be enabled once for each route, once for each service, and once globally.
  local route, service = values.route and values.route.id or "", values.service and values.service.id or ""
  values.cache_key = table.concat({ "plugins", name, route, service }, ":")
  return values
end

-- Returns the values for a DAO, or nil and an error table.
function values_of.prepare(runtime, dao, values, before)
  cast(dao.schema, values)
  if dao.schema.name == "services" then
    declared.spread_url(values)
  end
  local ok, violations = resolve(runtime, dao, values)
  if ok and dao.schema.name == "plugins" then
    if before then
      values.route, values.service = values.route or before.route, values.service or before.service
    end
    ok, violations = plugin_config(runtime, values, before)
  end
  if ok and dao.schema.name == "routes" and not before then
    local function given(list) return type(list) == "table" and #list > 0 end
    if not given(values.paths) and not given(values.methods) and not given(values.hosts) then
      ok, violations = nil, { ["@entity"] = {
        "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'http'",
      } }
    end
  end
  if not ok then
    local _, _, details = errors.schema(dao.strategy, violations)
    return nil, details
  end
  return values
end

return values_of
