-- The commands kong migrations bootstrap, list, up, finish, reset and status. Messages and exit codes are those of
-- Kong.

local lock = require "testdouble.migrations.lock"
local log = require "testdouble.log"
local run = require "testdouble.migrations.run"
local state = require "testdouble.migrations.state"

local commands = {}
local not_leader = "aborted: another node is performing database changes"

commands.needs_bootstrap = [[
Database needs bootstrapping or is older than Kong 1.0.

To start a new installation from scratch, run 'kong migrations bootstrap'.

To migrate from a version older than 1.0, migrated to Kong 1.5.0 first. 
If you still have 'apis' entities, you can convert them to Routes and Services
using the 'kong migrations migrate-apis' command in Kong 1.5.0.

]]

-- Runs f while this process has the lock. If another process has migrated instead, it prints this.
local function locked(connector, options, f)
  local ran, err = lock.with(connector, options, f)
  if err then
    error(err, 0)
  elseif not ran then
    log(not_leader)
  end
  return ran
end

local function load(connector)
  return assert(state.load(connector))
end

function commands.list(connector)
  local now = load(connector)
  if now.needs_bootstrap then
    log(commands.needs_bootstrap)
    return 3
  end
  local gap = ""
  for _, part in ipairs {
    { "Executed migrations", now.executed }, { "Pending migrations", now.pending },
    { "New migrations available", now.new },
  } do
    if part[2] then
      log("%s%s:\n%s", gap, part[1], tostring(part[2]))
      gap = "\n"
    end
  end
  if now.pending and now.new then
    log("")
    log.warn("Database has pending migrations from a previous upgrade, and new migrations from this upgrade "
      .. "(version 3.9.1)")
    log("\nRun 'kong migrations finish' when ready to complete pending migrations (postgres %s will be incompatible "
      .. "with the previous Kong version)", connector.description)
    return 4
  elseif now.pending then
    log("\nRun 'kong migrations finish' when ready")
    return 4
  elseif now.new then
    log("\nRun 'kong migrations up' to proceed")
    return 5
  end
  return 0
end

-- The status is for programs, so the option -q does not suppress it. It always exits 0 if the database answers (fact
-- K27).
function commands.status(connector)
  print(state.encode(load(connector)))
  return 0
end

local function make_tables(connector)
  local prefix = "[" .. connector.strategy .. " error] "
  local ok, err = connector:query([[
    CREATE TABLE IF NOT EXISTS schema_meta (
      key TEXT, subsystem TEXT, last_executed TEXT, executed TEXT[], pending TEXT[], PRIMARY KEY (key, subsystem)
    );
    CREATE TABLE IF NOT EXISTS locks (key TEXT PRIMARY KEY, owner TEXT, ttl TIMESTAMP WITH TIME ZONE);]])
  if not ok then
    error(prefix .. "failed to bootstrap database: " .. err, 0)
  end
end

local function reset(connector, options)
  if load(connector).needs_bootstrap then
    log("Database not bootstrapped, nothing to reset")
    return false
  end
  return locked(connector, { seconds = options.lock_timeout, no_wait = true, keep = true }, function()
    log("Resetting database...")
    local schema = connector.conf.pg_schema ~= "" and connector.conf.pg_schema or "public"
    local name = connector:escape_identifier(schema)
    assert(connector:query(
      ("DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s; GRANT ALL ON SCHEMA %s TO CURRENT_USER;")
        :format(name, name, name)))
    log("Database successfully reset")
  end)
end

-- Runs both phases of all migrations, but only on an empty database (fact K13).
function commands.bootstrap(connector, options)
  if options.force then
    reset(connector, options)
  end
  local now = load(connector)
  if not now.needs_bootstrap then
    log("Database already bootstrapped")
    return 0
  end
  log("Bootstrapping database...")
  make_tables(connector)
  locked(connector, { seconds = options.lock_timeout, no_wait = true }, function()
    assert(run.all(connector, now.new, { up = true, teardown = true }))
    log("Database is up-to-date")
  end)
  return 0
end

function commands.reset(connector, options)
  if not options.yes then
    error("not a tty: invoke 'reset' non-interactively with the --yes flag", 0)
  end
  return reset(connector, options) and 0 or 1
end

local has_pending = "Database has pending migrations; run 'kong migrations finish'"

-- Runs all new migrations, including Kong's own (fact K32). Fails while migrations are pending (fact K11).
function commands.up(connector, options)
  local now = load(connector)
  if now.needs_bootstrap then
    error("Cannot run migrations: " .. commands.needs_bootstrap, 0)
  elseif not options.force and now.pending then
    error(has_pending, 0)
  end
  locked(connector, { seconds = options.lock_timeout }, function()
    now = load(connector)
    if not options.force and now.pending then
      error(has_pending)
    end
    if options.force and now.executed then
      assert(run.all(connector, now.executed, { up = true, teardown = true, skip = now.pending }))
      now = load(connector)
      if now.pending then
        log("\n" .. has_pending .. " when ready")
        return
      end
    end
    if not now.new then
      if not options.force then
        log("Database is already up-to-date")
      end
      return
    end
    assert(run.all(connector, now.new, { up = true }))
    if load(connector).pending then
      log("\n" .. has_pending .. " when ready")
    end
  end)
  return 0
end

-- Runs the teardowns of the pending migrations. It ignores migrations that the present files do not have (fact K30).
function commands.finish(connector, options)
  if load(connector).needs_bootstrap then
    error("Cannot run migrations: " .. commands.needs_bootstrap, 0)
  end
  locked(connector, { seconds = options.lock_timeout, no_wait = true }, function()
    local now = load(connector)
    if options.force and now.executed then
      assert(run.all(connector, now.executed, { up = true, teardown = true }))
      now = load(connector)
    end
    if now.pending then
      assert(run.all(connector, now.pending, { teardown = true }))
      now = load(connector)
    end
    if now.new then
      log("\nNew migrations available; run 'kong migrations up' to proceed")
    elseif not options.force and not now.pending then
      log("No pending migrations to finish")
    end
  end)
  return 0
end

-- Checks the database before a node starts. Returns the state.
function commands.check(connector)
  local now, err = state.load(connector)
  if not now then
    return nil, err
  elseif now.needs_bootstrap then
    return nil, commands.needs_bootstrap
  elseif now.new then
    return nil, "New migrations available; run 'kong migrations up' to proceed"
  end
  return now
end

return commands
