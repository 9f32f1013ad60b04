-- Runs migrations and records each of them. Each migration has its own transaction. If one fails, it is rolled back and
-- the earlier ones stay executed (fact K17).

local log = require "testdouble.log"

local run = {}

-- Changes of a subsystem's row after each step of a migration. If a migration runs twice, its name is recorded twice.
-- This happens if the lease is too short (fact K28).
local changes = {
  executed = "last_executed = %s, executed = executed || %s",
  pending = "pending = COALESCE(pending, '{}') || %s",
  teardown = "last_executed = %s, executed = executed || %s, pending = ARRAY_REMOVE(pending, %s)",
}

local function record(connector, subsystem, name, what)
  local row, literal = connector:escape_literal(subsystem), connector:escape_literal(name) .. "::TEXT"
  local change = changes[what]:gsub("%%s", function() return literal end)
  local ok, err = connector:query((
    "INSERT INTO schema_meta (key, subsystem) VALUES ('schema_meta', %s) ON CONFLICT DO NOTHING;"
    .. " UPDATE schema_meta SET %s WHERE key = 'schema_meta' AND subsystem = %s;"):format(row, change, row))
  if not ok then
    return nil, ("failed to record migration '%s': %s"):format(name, err)
  end
  return true
end

local function execute(connector, sql)
  sql = sql:gsub("^%s+", ""):gsub("%s+$", "")
  if sql:sub(-1) ~= ";" then
    sql = sql .. ";"
  end
  local ok, err = connector:query("BEGIN;\n" .. sql .. "\nCOMMIT;\n")
  if not ok then
    -- If the client has given up the connection, PostgreSQL completes the transaction (fact K14).
    connector:query("ROLLBACK;")
    return nil, err
  end
  return true
end

-- Calls up_f or teardown. They may throw an error, or return nil and an error.
local function call(f, connector)
  local ok, first, second = xpcall(f, debug.traceback, connector)
  if not ok then
    return nil, tostring(first)
  elseif second then
    return nil, tostring(second)
  end
  return true
end

local function up(connector, name, steps)
  if steps.up and steps.up ~= "" then
    local ok, err = execute(connector, steps.up)
    if not ok then
      return nil, ("failed to run migration '%s' up: %s"):format(name, err)
    end
  end
  if steps.up_f then
    local ok, err = call(steps.up_f, connector)
    if not ok then
      return nil, ("failed to run migration '%s' up_f: %s"):format(name, err)
    end
  end
  return true
end

-- Runs the up and the teardown of a migration. Returns whether the migration is pending.
local function migrate(connector, subsystem, migration, options)
  local name, steps = migration.name, migration.steps
  local ok, err
  if options.up then
    ok, err = up(connector, name, steps)
    if ok then
      ok, err = record(connector, subsystem, name, steps.teardown and "pending" or "executed")
    end
    if not ok then
      return nil, err
    end
  end
  if options.teardown and steps.teardown and not (options.skip and options.skip[subsystem .. " " .. name]) then
    ok, err = call(steps.teardown, connector)
    if not ok then
      return nil, ("failed to run migration '%s' teardown: %s"):format(name, err)
    end
    ok, err = record(connector, subsystem, name, "teardown")
    if not ok then
      return nil, err
    end
  end
  local pending = steps.teardown ~= nil and not options.teardown
  log("%s migrated up to: %s %s", subsystem, name, pending and "(pending)" or "(executed)")
  return true, options.up and pending
end

-- Runs a list of migrations. Options: up, teardown, skip (a list of migrations without their teardowns).
function run.all(connector, list, options)
  local prefix = "[" .. connector.strategy .. " error] "
  local ok, err = connector:connect_migrations()
  if not ok then
    return nil, prefix .. err
  end
  local skip = {}
  for _, entry in ipairs(options.skip or {}) do
    for _, migration in ipairs(entry.migrations) do
      skip[entry.subsystem .. " " .. migration.name] = true
    end
  end
  local count, pending = 0, 0
  for _, entry in ipairs(list) do
    log("migrating %s on %s '%s'...", entry.subsystem, connector.description, connector.database)
    for _, migration in ipairs(entry.migrations) do
      local is_pending
      ok, is_pending = migrate(connector, entry.subsystem, migration,
        { up = options.up, teardown = options.teardown, skip = skip })
      if not ok then
        connector:close()
        return nil, prefix .. is_pending
      end
      count, pending = count + 1, pending + (is_pending and 1 or 0)
    end
  end
  log("%d migration%s processed", count, count > 1 and "s" or "")
  if count > pending then
    log("%d executed", count - pending)
  end
  if pending > 0 then
    log("%d pending", pending)
  end
  connector:close()
  return true
end

return run
