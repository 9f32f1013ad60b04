-- Errors of DAOs. Each has a text, and a table for the Admin API.

local cjson = require "cjson"
local schema = require "testdouble.entities.schema"

local errors = {}

local codes = {
  ["schema violation"] = 2, ["primary key violation"] = 3, ["foreign key violation"] = 4,
  ["unique constraint violation"] = 5, ["not found"] = 6, ["database error"] = 9, ["operation unsupported"] = 12,
}

local function make(strategy, name, message, fields)
  return nil, "[" .. strategy .. "] " .. message, {
    code = codes[name], name = name, message = message, fields = fields or cjson.decode("{}"), strategy = strategy,
  }
end

function errors.schema(strategy, violations)
  local text = schema.describe(violations)
  text = text:find("^%d+ schema") and text or "schema violation (" .. text .. ")"
  return make(strategy, "schema violation", text, violations)
end

local function keys(name, value)
  return ('{%s="%s"}'):format(name, tostring(value))
end

function errors.unsupported(strategy, verb, entity)
  -- An insert fails without a database (fact K18).
  local text = ("cannot %s '%s' entities when not using a database"):format(verb, entity)
  return make(strategy, "operation unsupported", text)
end

function errors.not_found(strategy, key)
  local name, value = next(key)
  return make(strategy, "not found", "could not find the entity with primary key '" .. keys(name, value) .. "'", key)
end

-- Converts an error of PostgreSQL to the error of Kong, if Kong has its own text.
function errors.database(strategy, text)
  local name, value = text:match(
    "duplicate key value violates unique constraint.-Key %(([^)]+)%)=%((.-)%) already exists")
  if name then
    name = name:gsub('"', "")
    local what = name == "id" and "primary key violation" or "unique constraint violation"
    local message = name == "id" and "primary key violation on key '%s'" or "UNIQUE violation detected on '%s'"
    return make(strategy, what, message:format(keys(name, value)), { [name] = value })
  end
  local column, id, other = text:match(
    "violates foreign key constraint.-Key %(([^)]+)%)=%((.-)%) is not present in table \"([^\"]+)\"")
  if column then
    return make(strategy, "foreign key violation", ("the foreign key '%s' does not reference an existing '%s' entity.")
      :format(keys("id", id), other), { [column:gsub("_id$", "")] = { id = id } })
  end
  return make(strategy, "database error", text)
end

return errors
