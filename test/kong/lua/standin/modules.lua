-- Modules that may be missing.

local modules = {}

-- Returns true and the module; or false and the error when there is no such
-- module. One that is there and cannot be loaded is an error of its own.
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
