-- The connector with KONG_DATABASE=off. It treats all migrations as executed and does nothing (fact K18).

local Off = { strategy = "off", description = "cache", database = "in memory", unlocked = true }
Off.__index = Off

function Off.new(conf)
  return setmetatable({ conf = conf }, Off)
end

local function nothing() return true end

Off.init, Off.connect, Off.connect_migrations, Off.close, Off.reset = nothing, nothing, nothing, nothing, nothing

function Off:query()
  return nil, "cannot perform queries without a database"
end

function Off:recorded(subsystems)
  local rows = {}
  for _, each in ipairs(subsystems) do
    rows[each.name] = { executed = {}, pending = {} }
    for _, migration in ipairs(each.migrations) do
      rows[each.name].executed[migration.name] = true
    end
  end
  return rows
end

return Off
