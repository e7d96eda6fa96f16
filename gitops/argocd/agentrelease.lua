-- Health of an AgentRelease for Argo CD: Healthy once its snapshot is written, Degraded where it was refused.
local function condition(kind)
  for _, found in ipairs((obj.status or {}).conditions or {}) do
    if found.type == kind then return found end
  end
  return {}
end

local ready, stalled = condition("Ready"), condition("Stalled")

if ready.status == nil or (obj.status or {}).observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to see this generation"}
end
if stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if ready.status == "True" then
  return {status = "Healthy", message = ready.message or ""}
end
return {status = "Progressing", message = ready.message or ""}
