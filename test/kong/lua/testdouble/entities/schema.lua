-- Checks values against the fields of a schema, and adds defaults.

local null = require "cjson".null
local posix = require "testdouble.posix"
local uuid = require "testdouble.uuid"

local schema = {}
local check

-- Converts { { name = {...} }, ... } to an array of { name, field }.
function schema.fields(definition)
  local list = {}
  for _, entry in ipairs(definition.fields or {}) do
    local name, field = next(entry)
    list[#list + 1] = { name, field }
  end
  return list
end

function schema.field(definition, name)
  for _, entry in ipairs(schema.fields(definition)) do
    if entry[1] == name then
      return entry[2]
    end
  end
end

local function is_array(value)
  if type(value) ~= "table" then
    return false
  end
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  return count == #value
end

local function list(field, value)
  if not is_array(value) then
    return nil, "expected " .. (field.type == "set" and "a set" or "an array")
  end
  local errors = {}
  for i, item in ipairs(value) do
    local ok, err = check(field.elements or { type = "string" }, item)
    errors[i] = not ok and err or nil
  end
  return next(errors) == nil, next(errors) and errors or nil
end

local function foreign(_, value)
  if type(value) ~= "table" then
    return nil, "expected a foreign key"
  end
  return true
end

local types = {
  string = function(_, value) return type(value) == "string", "expected a string" end,
  boolean = function(_, value) return type(value) == "boolean", "expected a boolean" end,
  number = function(_, value) return type(value) == "number", "expected a number" end,
  integer = function(_, value) return type(value) == "number" and value % 1 == 0, "expected an integer" end,
  array = list, set = list, foreign = foreign,
  map = function(_, value) return type(value) == "table", "expected a map" end,
  json = function() return true end, any = function() return true end,
  ["function"] = function(_, value)
    return type(value) == "string" or type(value) == "function", "expected a function"
  end,
}

function types.record(field, value)
  if type(value) ~= "table" then
    return nil, "expected a record"
  end
  local errors = schema.check(field, value)
  return errors == nil, errors
end

local function matches(field, value)
  if field.uuid and not value:match("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+$") then
    return nil, "expected a valid UUID"
  elseif field.match and not value:match(field.match)
    or field.starts_with and value:sub(1, #field.starts_with) ~= field.starts_with then
    return nil, field.starts_with and "should start with: " .. field.starts_with or "invalid value: " .. value
  elseif field.len_min and #value < field.len_min or (value == "" and field.len_min ~= 0) then
    return nil, "length must be at least " .. (field.len_min or 1)
  elseif field.len_max and #value > field.len_max then
    return nil, "length must be at most " .. field.len_max
  end
  return true
end

local function one_of(field, value)
  for _, allowed in ipairs(field.one_of) do
    if allowed == value then
      return true
    end
  end
  return nil, "expected one of: " .. table.concat(field.one_of, ", ")
end

function check(field, value)
  local by_type = types[field.type]
  if not by_type then
    return nil, "unknown type: " .. tostring(field.type)
  end
  local ok, err = by_type(field, value)
  if not ok then
    return nil, err
  end
  if type(value) == "string" then
    ok, err = matches(field, value)
  elseif type(value) == "number" and field.between and (value < field.between[1] or value > field.between[2]) then
    ok, err = nil, "value should be between " .. field.between[1] .. " and " .. field.between[2]
  elseif type(value) == "number" and field.gt and value <= field.gt then
    ok, err = nil, "value must be greater than " .. field.gt
  end
  if ok and field.one_of then
    ok, err = one_of(field, value)
  end
  if ok and field.custom_validator then
    ok, err = field.custom_validator(value)
  end
  return ok, err
end

-- Returns errors by field, or nil. For a missing or null value, it only checks whether the field is required.
function schema.check(definition, values)
  local errors, known = {}, {}
  for _, entry in ipairs(schema.fields(definition)) do
    local name, field = entry[1], entry[2]
    local value = values[name]
    known[name] = true
    if value == nil or value == null then
      if field.required and not field.auto then
        errors[name] = "required field missing"
      end
    elseif field.eq ~= nil then
      errors[name] = field.eq ~= value and "value must be " .. tostring(field.eq) or nil
    else
      local ok, err = check(field, value)
      if not ok then
        errors[name] = err or "invalid value"
      end
    end
  end
  for name in pairs(values) do
    if not known[name] then
      errors[name] = "unknown field"
    end
  end
  return next(errors) and errors or nil
end

local function copy(value)
  if type(value) ~= "table" or value == null then
    return value
  end
  local copied = {}
  for key, each in pairs(value) do
    copied[key] = copy(each)
  end
  return copied
end
schema.copy = copy

-- Returns a copy of the values with defaults and with generated ids and times.
function schema.complete(definition, values, updating)
  local complete = copy(values)
  for _, entry in ipairs(schema.fields(definition)) do
    local name, field = entry[1], entry[2]
    local value = complete[name]
    if field.auto and field.timestamp then
      if name == "updated_at" or (value == nil and not updating) then
        complete[name] = field.type == "integer" and math.floor(posix.now()) or posix.now()
      end
    elseif value == nil and not updating then
      if field.auto and field.uuid then
        complete[name] = uuid()
      elseif field.default ~= nil then
        complete[name] = copy(field.default)
      end
    end
    value = complete[name]
    if field.type == "record" and (value ~= nil and value ~= null or (value == nil and not updating)) then
      complete[name] = schema.complete(field, value or {}, false)
    end
  end
  return complete
end

-- Formats errors as Kong does, for example "mykey: required field missing".
function schema.describe(errors)
  local lines = {}
  for name, err in pairs(errors) do
    lines[#lines + 1] = name .. ": " .. (type(err) == "table" and "{" .. schema.describe(err) .. "}" or tostring(err))
  end
  table.sort(lines)
  return #lines > 1 and #lines .. " schema violations (" .. table.concat(lines, "; ") .. ")" or lines[1]
end

return schema
