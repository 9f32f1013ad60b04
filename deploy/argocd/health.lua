-- Health of PluginMigration and PluginPolicy for Argo CD. docs/install.md shows how to use this file.
--
-- Exactly one of the conditions Ready, Reconciling and Stalled is True.
local health = { status = "Progressing", message = "Waiting for kongdao" }
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
if obj.metadata.generation ~= nil and status.observedGeneration ~= obj.metadata.generation then
  return health
end
local statuses = { Ready = "Healthy", Reconciling = "Progressing", Stalled = "Degraded" }
for _, condition in ipairs(status.conditions) do
  if condition.status == "True" and statuses[condition.type] ~= nil then
    health.status = statuses[condition.type]
    health.message = condition.message
  end
end
return health
