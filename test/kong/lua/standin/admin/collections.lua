-- Collections of entities and what is in them: /services, /services/{s},
-- /services/{s}/routes, and so on; for plugins' entities by their admin_api_name.

local cjson = require "cjson"
local declared = require "standin.server.declared"
local errors = require "standin.entities.errors"
local form = require "standin.net.form"
local schema = require "standin.entities.schema"

local collections = {}
local null = cjson.null

-- The entity whose API is at a name.
local function dao_of(runtime, name)
  if name == "services" or name == "routes" or name == "plugins" then
    return runtime.db[name]
  end
  for entity_name, entity in pairs(runtime.custom) do
    if entity.generate_admin_api ~= false and (entity.admin_api_name or entity_name) == name then
      return runtime.db[entity_name]
    end
  end
end

local statuses = { [2] = 400, [3] = 409, [4] = 400, [5] = 409, [6] = 404, [12] = 405 }

local function failure(details)
  if details.code == 9 then
    require("standin.server.logger").error("[kong] api_helpers.lua: ", details.message)
    return 500, { message = "An unexpected error occurred" }
  elseif details.code == 6 then
    return 404, { message = "Not found" }
  end
  return statuses[details.code] or 500, {
    code = details.code, name = details.name, message = details.message, fields = details.fields,
  }
end

local function shown(dao, entity)
  local all = {}
  for _, entry in ipairs(schema.fields(dao.schema)) do
    local value = entity[entry[1]]
    if value == nil then
      value = null
    end
    all[entry[1]] = value
  end
  all.cache_key = nil
  return all
end

local function is_id(text)
  return text:match("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$") ~= nil
end

-- Entities are named by id or by their endpoint_key.
local function key_of(dao, text)
  if is_id(text) then
    return { [dao.schema.primary_key[1]] = text }
  end
  return dao.schema.endpoint_key and { [dao.schema.endpoint_key] = text }
end

local function find(dao, text)
  local key = key_of(dao, text)
  if not key then
    return nil
  end
  return dao:select(key)
end

-- { name = "s" } may stand for { id = "..." } where another entity is meant.
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

-- Forms have nothing but texts; a schema says what they mean.
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

-- A plugin must be enabled, and its configuration be as its schema says.
local function plugin_config(runtime, values, before)
  local name = values.name or before and before.name
  local plugin = runtime.plugins.by_name[name]
  if not plugin then
    local why = runtime.plugins.enabled[name] and "is bundled with Kong, and not a part of the stand-in"
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
  -- One of a kind for each route, service, or all.
  values.cache_key = table.concat({ "plugins", name, values.route and values.route.id or "", values.service and values.service.id or "" }, ":")
  return values
end

local function prepare(runtime, dao, values, before)
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
      ok, violations = nil, { ["@entity"] = { "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'http'" } }
    end
  end
  if not ok then
    local _, _, details = errors.schema(dao.strategy, violations)
    return nil, details
  end
  return values
end

local function listing(dao, request, condition)
  local query = form.decode(request.query)
  local list, _, details, offset = dao:page(tonumber(query.size), query.offset, condition)
  if not list then
    return failure(details)
  end
  for i, entity in ipairs(list) do
    list[i] = shown(dao, entity)
  end
  return 200, {
    data = setmetatable(list, cjson.empty_array_mt or cjson.array_mt), offset = offset,
    next = offset and ("%s?offset=%s"):format(request.path, offset) or null,
  }
end

local function create(runtime, dao, values)
  local prepared, details = prepare(runtime, dao, values)
  if not prepared then
    return failure(details)
  end
  local entity, _
  entity, _, details = dao:insert(prepared)
  if not entity then
    return failure(details)
  end
  return 201, shown(dao, entity)
end

local function change(runtime, dao, request, key, values)
  local before = dao:select(key)
  local replacing = request.method == "PUT"
  if not before and not replacing then
    return 404, { message = "Not found" }
  end
  local prepared, details = prepare(runtime, dao, values, not replacing and before or nil)
  if not prepared then
    return failure(details)
  end
  local entity, _
  if replacing then
    entity, _, details = dao:upsert(key, prepared)
  else
    entity, _, details = dao:update(key, prepared)
  end
  if not entity then
    return failure(details)
  end
  return 200, shown(dao, entity)
end

local function one(runtime, dao, request, text, values)
  local key = key_of(dao, text)
  if not key then
    return 404, { message = "Not found" }
  elseif request.method == "PUT" or request.method == "PATCH" then
    return change(runtime, dao, request, key, values)
  elseif request.method == "DELETE" then
    local ok, _, details = dao:delete(key)
    if not ok then
      return failure(details)
    end
    return 204
  elseif request.method ~= "GET" then
    return 405, { message = "Method not allowed" }
  end
  local entity, err, details = dao:select(key)
  if err then
    return failure(details)
  elseif not entity then
    return 404, { message = "Not found" }
  end
  return 200, shown(dao, entity)
end

-- What belongs to an entity: the routes and plugins of a service, the plugins
-- of a route.
local function within(runtime, request, parent, text, name, rest, values)
  local dao, field = dao_of(runtime, name), parent.schema.name:gsub("s$", "")
  local owner = find(parent, text)
  if not owner or not dao or not schema.field(dao.schema, field) then
    return 404, { message = "Not found" }
  end
  if rest then
    values[field] = { id = owner.id }
    return one(runtime, dao, request, rest, values)
  elseif request.method == "POST" then
    values[field] = { id = owner.id }
    return create(runtime, dao, values)
  elseif request.method == "GET" then
    return listing(dao, request, ('"%s_id" = \'%s\''):format(field, owner.id))
  end
  return 405, { message = "Method not allowed" }
end

function collections.handle(runtime, request, values)
  local parts = {}
  for part in request.path:gmatch("[^/]+") do
    parts[#parts + 1] = form.unescape(part, true)
  end
  local dao = parts[1] and dao_of(runtime, parts[1])
  if not dao or #parts > 4 then
    return 404, { message = "Not found" }
  elseif #parts > 2 then
    return within(runtime, request, dao, parts[2], parts[3], parts[4], values)
  elseif #parts == 2 then
    return one(runtime, dao, request, parts[2], values)
  elseif request.method == "GET" then
    return listing(dao, request)
  elseif request.method == "POST" then
    return create(runtime, dao, values)
  end
  return 405, { message = "Method not allowed" }
end

return collections
