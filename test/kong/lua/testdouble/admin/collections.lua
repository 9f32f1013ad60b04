-- Endpoints for collections of entities and for single entities: /services, /services/{s}, /services/{s}/routes and
-- similar. The path of a plugin's entity starts with its admin_api_name.

local cjson = require "cjson"
local form = require "testdouble.net.form"
local schema = require "testdouble.entities.schema"
local values_of = require "testdouble.admin.values"

local collections = {}
local null = cjson.null

-- Returns the entity with this path.
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
    require("testdouble.server.logger").error("[kong] api_helpers.lua: ", details.message)
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

-- Finds an entity by its id or by its endpoint_key.
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
  local prepared, details = values_of.prepare(runtime, dao, values)
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
  local prepared, details = values_of.prepare(runtime, dao, values, not replacing and before or nil)
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

-- Collections of an entity: the routes and plugins of a service, and the plugins of a route.
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
