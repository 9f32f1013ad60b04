-- The lock for migrations. It is a row with a time to live in the table locks. Another process can take the lock after
-- this time (fact K10). The time is also the maximum wait (fact K28).

local posix = require "testdouble.posix"
local uuid = require "testdouble.uuid"

local lock = {}
local key = "'migrations'"
local now = "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"

-- Returns true if this process has the lock now, and false if another process has it.
local function acquire(connector, owner, seconds)
  local rows, affected = connector:query(([[
    BEGIN;
    DELETE FROM locks WHERE ttl < %s;
    INSERT INTO locks (key, owner, ttl) VALUES (%s, '%s', TO_TIMESTAMP(%.3f) AT TIME ZONE 'UTC')
      ON CONFLICT DO NOTHING;
    COMMIT;]]):format(now, key, owner, posix.now() + seconds))
  if not rows then
    return nil, "failed to insert cluster lock: " .. affected
  end
  return affected[3] == 1
end

-- Waits until the lock is free or its time has passed. The other process does the migration, so there is nothing to do
-- after that (fact K10). The interval between checks increases.
local function wait(connector, seconds)
  local pause, waited = 0.1, 0
  while true do
    posix.sleep(pause)
    waited = waited + pause
    if waited >= seconds then
      return nil, "timeout"
    end
    local rows, err = connector:query("SELECT 1 AS held FROM locks WHERE key = " .. key .. " AND ttl >= " .. now .. ";")
    if not rows then
      return nil, "failed to read cluster lock: " .. err
    elseif not rows[1] then
      return false
    end
    pause = math.min(pause * 3, 2)
  end
end

-- Runs f while this process has the lock. Returns true if f has run, false if another process had the lock, and nil and
-- an error on a failure. Options: seconds (time to live and maximum wait), no_wait (return immediately if another
-- process has the lock), keep (do not delete the row).
function lock.with(connector, options, f)
  local owner = uuid()
  local prefix = "[" .. connector.strategy .. " error] "
  local acquired, err = true, nil
  if not connector.unlocked then
    acquired, err = acquire(connector, owner, options.seconds)
  end
  if err then
    return nil, prefix .. err
  elseif not acquired then
    if options.no_wait then
      return false
    end
    acquired, err = wait(connector, options.seconds)
    if err then
      return nil, prefix .. err
    end
    return acquired
  end
  local ok, failure = xpcall(f, debug.traceback)
  if not connector.unlocked and not (ok and options.keep) then
    connector:query(("DELETE FROM locks WHERE key = %s AND owner = '%s';"):format(key, owner))
  end
  if not ok then
    return nil, prefix .. "cluster_mutex callback threw an error: " .. tostring(failure)
  end
  return true
end

return lock
