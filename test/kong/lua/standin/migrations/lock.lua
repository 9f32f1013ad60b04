-- The lock in table locks under which migrations run: a row with a time to live,
-- taken over once that has passed (K10, K28).

local posix = require "standin.posix"
local uuid = require "standin.uuid"

local lock = {}
local key = "'migrations'"
local now = "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"

-- True when the row is ours, false when another's is alive.
local function take(connector, owner, seconds)
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

-- Waits, ever longer between looks, until the other's row is gone or dead.
-- Only that is waited for: the work itself is the other's (K10).
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

-- Runs f under the lock. Returns true when f ran, false when another did the
-- work, nil and an error else. Options: seconds (lease and wait in one), no_wait
-- (leave at once when another has it), keep (leave the row).
function lock.with(connector, options, f)
  local owner = uuid()
  local prefix = "[" .. connector.strategy .. " error] "
  local mine, err = true, nil
  if not connector.unlocked then
    mine, err = take(connector, owner, options.seconds)
  end
  if err then
    return nil, prefix .. err
  elseif not mine then
    if options.no_wait then
      return false
    end
    mine, err = wait(connector, options.seconds)
    if err then
      return nil, prefix .. err
    end
    return mine
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
