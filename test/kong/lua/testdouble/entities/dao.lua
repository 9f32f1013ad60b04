-- The DAO kong.db.<entity> on PostgreSQL: select, select_by_<unique field>, insert, update, upsert, delete, each and
-- page. On an error, each function returns nil, the error text and the error table.

local columns = require "testdouble.entities.columns"
local errors = require "testdouble.entities.errors"
local schema = require "testdouble.entities.schema"
local null = require "cjson".null

local Dao = {}
Dao.__index = Dao

-- Methods with a variant for each unique field, such as select_by_name.
local by = { select_by_ = "select", update_by_ = "update", upsert_by_ = "upsert", delete_by_ = "delete" }

function Dao.new(pool, definition)
  local self = setmetatable({ pool = pool, schema = definition, strategy = pool.strategy }, Dao)
  local parts = {}
  for i, entry in ipairs(schema.fields(definition)) do
    parts[i] = columns.read(pool, entry[1], entry[2])
    if entry[2].unique or entry[1] == definition.endpoint_key then
      for prefix, method in pairs(by) do
        self[prefix .. entry[1]] = function(_, value, ...)
          return self[method](self, { [entry[1]] = value }, ...)
        end
      end
    end
  end
  self.columns = table.concat(parts, ", ")
  self.table = pool:escape_identifier(definition.name)
  return self
end

local function where(self, key)
  local parts = {}
  for name, value in pairs(key) do
    local field = schema.field(self.schema, name)
    if not field then
      error("unknown field in key: " .. tostring(name), 3)
    end
    if field.uuid then
      local violations = schema.check({ fields = { { [name] = field } } }, { [name] = value })
      if violations then
        return nil, violations
      end
    end
    local column = self.pool:escape_identifier(columns.name(name, field))
    parts[#parts + 1] = column .. " = " .. columns.write(self.pool, field, value)
  end
  return table.concat(parts, " AND ")
end

local function rows_of(self, sql)
  local rows, err = self.pool:query(sql)
  if not rows then
    return errors.database(self.strategy, err)
  end
  local list = {}
  for i, row in ipairs(rows) do
    list[i] = columns.entity(self.schema, row, self.nulls)
  end
  return list
end

local function key_of(key)
  return type(key) == "table" and key or { id = key }
end

function Dao:select(key)
  local condition, violations = where(self, key_of(key))
  if not condition then
    return errors.schema(self.strategy, violations)
  end
  local sql = ("SELECT %s FROM %s WHERE %s LIMIT 1;"):format(self.columns, self.table, condition)
  local list, err, details = rows_of(self, sql)
  if not list then
    return nil, err, details
  end
  return list[1]
end

local function checked(self, values, updating)
  local complete = schema.complete(self.schema, values, updating)
  local violations = schema.check(self.schema, complete)
  if updating and violations then
    for name, err in pairs(violations) do
      -- An update keeps the fields that it does not name.
      if err == "required field missing" and complete[name] == nil then
        violations[name] = nil
      end
    end
    violations = next(violations) and violations or nil
  end
  return complete, violations
end

local function assignments(self, values)
  local names, written = {}, {}
  for _, entry in ipairs(schema.fields(self.schema)) do
    local name, field = entry[1], entry[2]
    if values[name] ~= nil then
      names[#names + 1] = self.pool:escape_identifier(columns.name(name, field))
      written[#written + 1] = columns.write(self.pool, field, values[name])
    end
  end
  return names, written
end

function Dao:insert(values)
  local complete, violations = checked(self, values)
  if violations then
    return errors.schema(self.strategy, violations)
  end
  local names, written = assignments(self, complete)
  local list, err, details = rows_of(self, ("INSERT INTO %s (%s) VALUES (%s) RETURNING %s;"):format(
    self.table, table.concat(names, ", "), table.concat(written, ", "), self.columns))
  if not list then
    return nil, err, details
  end
  return list[1]
end

function Dao:update(key, values)
  key = key_of(key)
  local complete, violations = checked(self, values, true)
  local condition, wrong = where(self, key)
  if violations or wrong then
    return errors.schema(self.strategy, violations or wrong)
  end
  local names, written = assignments(self, complete)
  if #names == 0 then
    return self:select(key)
  end
  for i, name in ipairs(names) do
    names[i] = name .. " = " .. written[i]
  end
  local list, err, details = rows_of(self, ("UPDATE %s SET %s WHERE %s RETURNING %s;"):format(
    self.table, table.concat(names, ", "), condition, self.columns))
  if not list then
    return nil, err, details
  elseif not list[1] then
    return errors.not_found(self.strategy, key)
  end
  return list[1]
end

-- Replaces an entity. Fields without a value get their defaults.
function Dao:upsert(key, values)
  key = key_of(key)
  local merged = schema.copy(values)
  for name, value in pairs(key) do
    merged[name] = value
  end
  local complete, violations = checked(self, merged)
  local condition, wrong = where(self, key)
  if violations or wrong then
    return errors.schema(self.strategy, violations or wrong)
  end
  local names, written = assignments(self, complete)
  local sets = {}
  for i, name in ipairs(names) do
    if name ~= '"id"' and name ~= '"created_at"' then
      sets[#sets + 1] = name .. " = " .. written[i]
    end
  end
  local list, err, details = rows_of(self, ("UPDATE %s SET %s WHERE %s RETURNING %s;"):format(
    self.table, table.concat(sets, ", "), condition, self.columns))
  if not list then
    return nil, err, details
  end
  return list[1] or self:insert(merged)
end

function Dao:delete(key)
  local condition, violations = where(self, key_of(key))
  if not condition then
    return errors.schema(self.strategy, violations)
  end
  local rows, err = self.pool:query(("DELETE FROM %s WHERE %s;"):format(self.table, condition))
  if not rows then
    return errors.database(self.strategy, err)
  end
  return true
end

-- Returns a page of rows, ordered by id. after is the id of the last row on the previous page.
function Dao:page(size, after, condition)
  size = size or 100
  local id = self.pool:escape_identifier(self.schema.primary_key and self.schema.primary_key[1] or "id")
  local conditions = condition and { condition } or {}
  if after and after ~= null then
    conditions[#conditions + 1] = id .. " > " .. self.pool:escape_literal(after)
  end
  local where_clause = #conditions > 0 and "WHERE " .. table.concat(conditions, " AND ") or ""
  local list, err, details = rows_of(self, ("SELECT %s FROM %s %s ORDER BY %s LIMIT %d;")
    :format(self.columns, self.table, where_clause, id, size + 1))
  if not list then
    return nil, err, details
  end
  local offset
  if #list > size then
    list[#list] = nil
    offset = list[#list][self.schema.primary_key and self.schema.primary_key[1] or "id"]
  end
  return list, nil, nil, offset
end

function Dao:each(size)
  local list, position, offset, failed = {}, 0, nil, false
  local first = true
  return function()
    if failed then
      return nil
    end
    if position == #list then
      if not first and not offset then
        return nil
      end
      local err, details
      list, err, details, offset = self:page(size or 100, offset)
      first, position = false, 0
      if not list then
        failed = true
        return false, err, details
      end
    end
    position = position + 1
    return list[position]
  end
end

-- Returns the key that kong.cache uses for an entity with these values.
function Dao:cache_key(...)
  return self.schema.name .. ":" .. table.concat({ ... }, ":") .. ":"
end

return Dao
