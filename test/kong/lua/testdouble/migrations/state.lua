-- Compares the migrations in the files with those in the table schema_meta. It compares only the names (fact K9).

local modules = require "testdouble.modules"
local null = require "cjson".null
require "testdouble.migrations.bundled"

local state = {}

-- Returns what is wrong with the form of a migration, or nil (fact K37).
local function violation_of(migration)
  local steps = type(migration) == "table" and migration.postgres
  local function empty(value) return value == nil or value == "" end
  if type(steps) ~= "table" or empty(steps.up) and not steps.up_f and not steps.teardown then
    return "at least one of these fields must be non-empty: 'postgres.up', 'postgres.up_f', 'postgres.teardown'"
  end
  for field in pairs(migration) do
    if field ~= "postgres" and field ~= "name" then
      return field .. ": unknown field"
    end
  end
  for field in pairs(steps) do
    if field ~= "up" and field ~= "up_f" and field ~= "teardown" then
      return "postgres." .. field .. ": unknown field"
    end
  end
end

local function subsystem(name, namespace, index)
  local found = { name = name, namespace = namespace, migrations = {} }
  for _, migration_name in ipairs(index) do
    local module = namespace .. "." .. migration_name
    local ok, migration = modules.try(module)
    if not ok then
      -- The migration is listed but has no file (fact K6).
      return nil, ("failed to load migration '%s' of '%s' subsystem"):format(module, name)
    end
    local violation = violation_of(migration)
    if violation then
      return nil, ("migration '%s' of '%s' subsystem is invalid: schema violation (%s)"):format(module, name, violation)
    end
    table.insert(found.migrations, { name = migration_name, steps = migration.postgres })
  end
  return found
end

-- Returns the migrations of core and of each plugin, sorted by name. Migrations are modules below migrations or
-- migrations.init (fact K2). A plugin without migrations is not an error (fact K5).
local function subsystems(plugins)
  local names = {}
  for name in pairs(plugins) do
    names[#names + 1] = name
  end
  table.sort(names)
  local list, err = {}, nil
  list[1], err = subsystem("core", "kong.db.migrations.core", require "kong.db.migrations.core")
  for _, name in ipairs(names) do
    local namespace = "kong.plugins." .. name .. ".migrations"
    local ok, index = modules.try(namespace)
    if not ok then
      ok, index = modules.try(namespace .. ".init")
    end
    if ok then
      if type(index) ~= "table" then
        return nil, ("migrations index from '%s' must be a table"):format(namespace)
      end
      list[#list + 1], err = subsystem(name, namespace, index)
    end
    if err then
      return nil, err
    end
  end
  return list
end

-- Returns the rows of schema_meta by subsystem. Returns false if the table does not exist.
local function recorded(connector)
  local found, err = connector:query(
    "SELECT 1 AS found FROM information_schema.tables "
    .. "WHERE table_schema = CURRENT_SCHEMA AND table_name = 'schema_meta';")
  if not found then
    return nil, err
  elseif not found[1] then
    return false
  end
  local rows
  rows, err = connector:query("SELECT * FROM schema_meta WHERE key = 'schema_meta';")
  if not rows then
    return nil, err
  end
  local by_name = {}
  for _, row in ipairs(rows) do
    local sets = { last_executed = row.last_executed }
    for _, column in ipairs { "executed", "pending" } do
      sets[column] = {}
      for _, name in ipairs(row[column] ~= null and row[column] or {}) do
        sets[column][name] = true
      end
    end
    by_name[row.subsystem] = sets
  end
  return by_name
end

-- Returns the kind of a migration. A migration that is listed before executed ones is also new (fact K2). One that is
-- missing in the list of executed ones, but was executed last, is not (fact K32).
local function kind(row, migration)
  if row and row.executed[migration.name] then
    return "executed"
  elseif row and row.pending[migration.name] then
    return "pending"
  elseif row and row.last_executed == migration.name then
    return "missing"
  end
  return "new"
end

-- A list prints one line for each subsystem, right-aligned (fact K27).
local printed = {
  __tostring = function(list)
    local width, lines = 0, {}
    for _, entry in ipairs(list) do
      width = math.max(width, #entry.subsystem)
    end
    for _, entry in ipairs(list) do
      local names = {}
      for i, migration in ipairs(entry.migrations) do
        names[i] = migration.name
      end
      lines[#lines + 1] = (" "):rep(width - #entry.subsystem) .. entry.subsystem .. ": " .. table.concat(names, ", ")
    end
    return table.concat(lines, "\n")
  end,
}

-- Loads the state: needs_bootstrap, and the lists executed, pending and new. An empty list is nil.
function state.load(connector)
  local prefix = "[" .. connector.strategy .. " error] "
  local list, err = subsystems(connector.conf.loaded_plugins)
  if not list then
    return nil, prefix .. prefix .. err
  end
  local rows
  if connector.recorded then
    rows = connector:recorded(list)
  else
    local ok
    ok, err = connector:connect_migrations()
    if ok then
      rows, err = recorded(connector)
      connector:close()
    end
    if rows == nil then
      return nil, prefix .. (ok and "failed to check schema state: " or "") .. err
    end
  end
  local now = { needs_bootstrap = rows == false }
  for _, each in ipairs(list) do
    local entries = {}
    for _, migration in ipairs(each.migrations) do
      local what = kind(rows and rows[each.name], migration)
      if not entries[what] then
        entries[what] = { subsystem = each.name, namespace = each.namespace, migrations = {} }
        now[what] = now[what] or setmetatable({}, printed)
        table.insert(now[what], entries[what])
      end
      table.insert(entries[what].migrations, migration)
    end
  end
  return now
end

-- Encodes the state as kong migrations status prints it.
function state.encode(now)
  local plain = { needs_bootstrap = now.needs_bootstrap }
  for _, what in ipairs { "executed", "pending", "new" } do
    if now[what] then
      local list = {}
      for i, entry in ipairs(now[what]) do
        local names = {}
        for j, migration in ipairs(entry.migrations) do
          names[j] = migration.name
        end
        list[i] = { subsystem = entry.subsystem, namespace = entry.namespace, migrations = names }
      end
      plain[what .. "_migrations"] = list
    end
  end
  return require "cjson".encode(plain)
end

return state
