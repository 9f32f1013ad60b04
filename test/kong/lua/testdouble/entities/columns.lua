-- Converts fields to columns and back.

local cjson = require "cjson"
local schema = require "testdouble.entities.schema"

local columns = {}
local null = cjson.null

function columns.name(name, field)
  return field.type == "foreign" and name .. "_id" or name
end

-- Returns the SQL expression that reads a field.
function columns.read(pool, name, field)
  local column = pool:escape_identifier(columns.name(name, field))
  if field.timestamp then
    return ("EXTRACT(EPOCH FROM %s AT TIME ZONE 'UTC') AS %s"):format(column, column)
  end
  return column
end

local function array(pool, value)
  local items = {}
  for i, item in ipairs(value) do
    items[i] = type(item) == "table" and pool:escape_literal(cjson.encode(item)) or pool:escape_literal(tostring(item))
  end
  return #items > 0 and "ARRAY[" .. table.concat(items, ", ") .. "]" or "'{}'"
end

-- Returns the SQL expression of a value.
function columns.write(pool, field, value)
  if value == nil or value == null then
    return "NULL"
  elseif field.timestamp then
    return ("TO_TIMESTAMP(%.3f) AT TIME ZONE 'UTC'"):format(value)
  elseif field.type == "foreign" then
    return pool:escape_literal(value.id)
  elseif field.type == "array" or field.type == "set" then
    return array(pool, value)
  elseif type(value) == "table" then
    return pool:escape_literal(cjson.encode(value))
  end
  return pool:escape_literal(value)
end

-- Converts a row to an entity. Without nulls, the entity has no fields that are null. The Admin API needs them.
function columns.entity(definition, row, nulls)
  local entity = {}
  for _, entry in ipairs(schema.fields(definition)) do
    local name, field = entry[1], entry[2]
    local value = row[columns.name(name, field)]
    if value == nil or value == null then
      entity[name] = nulls and null or nil
    elseif field.type == "foreign" then
      entity[name] = { id = value }
    elseif field.timestamp and field.type == "integer" then
      entity[name] = math.floor(value)
    elseif (field.type == "array" or field.type == "set") and type(value) == "table" then
      local elements = field.elements or {}
      for i, item in ipairs(value) do
        if elements.type == "integer" or elements.type == "number" then
          value[i] = tonumber(item)
        elseif elements.type == "record" or elements.type == "map" then
          value[i] = type(item) == "string" and cjson.decode(item) or item
        end
      end
      entity[name] = setmetatable(value, cjson.array_mt)
    else
      entity[name] = value
    end
  end
  return entity
end

return columns
