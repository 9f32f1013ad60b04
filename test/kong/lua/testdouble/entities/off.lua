-- The DAO kong.db.<entity> without a database. It reads the declarative configuration. Without a database, inserts fail
-- (fact K18).

local errors = require "testdouble.entities.errors"

local Off = {}

local verbs = { insert = "create", update = "update", upsert = "create or update", delete = "remove" }

-- rows are the entities of the declarative configuration.
function Off.new(definition, rows)
  local self = { schema = definition, rows = rows or {}, strategy = "off" }
  for method, verb in pairs(verbs) do
    self[method] = function() return errors.unsupported("off", verb, definition.name) end
  end
  function self.find(key)
    for _, row in ipairs(self.rows) do
      local same = true
      for name, value in pairs(key) do
        same = same and row[name] == value
      end
      if same then
        return row
      end
    end
  end
  function self:select(key) return self.find(type(key) == "table" and key or { id = key }) end
  function self:each()
    local i = 0
    return function()
      i = i + 1
      return self.rows[i]
    end
  end
  function self:page() return self.rows end
  function self:cache_key(...) return definition.name .. ":" .. table.concat({ ... }, ":") .. ":" end
  return setmetatable(self, { __index = function(_, name)
    local field = tostring(name):match("^select_by_(.+)$")
    if field then
      return function(_, value) return self.find { [field] = value } end
    end
    local verb = tostring(name):match("^(%l+)_by_")
    return verb and verbs[verb] and self[verb]
  end })
end

return Off
