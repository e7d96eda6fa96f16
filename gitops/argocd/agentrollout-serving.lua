-- Health of an AgentRollout for Argo CD: Healthy for as long as a stable release serves, so that a sync ends at
-- once and a canary of hours does not hold up the next one. Progressing only before the first release serves.
local function condition(kind)
  for _, found in ipairs((obj.status or {}).conditions or {}) do
    if found.type == kind then return found end
  end
  return {}
end

local status = obj.status or {}
local ready, stalled = condition("Ready"), condition("Stalled")
local message = ready.message or ""

if ready.status == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to see this generation"}
end
if stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if ready.status == "True" or status.stable ~= nil then
  return {status = "Healthy", message = message}
end
return {status = "Progressing", message = message}
