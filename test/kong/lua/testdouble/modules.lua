-- Modules that may not exist.

local modules = {}

-- Returns true and the module, or false and an error if the module does not exist. Throws an error if the module exists
-- but fails to load.
function modules.try(name)
  local ok, module = xpcall(require, debug.traceback, name)
  if ok then
    return true, module
  end
  if type(module) == "string" and module:find("module '" .. name .. "' not found", 1, true) then
    return false, module
  end
  error("error loading module '" .. name .. "':\n" .. tostring(module))
end

return modules
