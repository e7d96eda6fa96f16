-- Health of an AgentRollout for Argo CD: Progressing while a canary is on trial, so that later sync waves and
-- PostSync hooks wait for the release to be found healthy. Suspended where a person is asked.
local function condition(kind)
  for _, found in ipairs((obj.status or {}).conditions or {}) do
    if found.type == kind then return found end
  end
  return {}
end

local status = obj.status or {}
local ready, stalled = condition("Ready"), condition("Stalled")
local attempt = status.attempt or {}
local message = ready.message or ""

if ready.status == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to see this generation"}
end
if stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if ready.status == "True" then
  return {status = "Healthy", message = message}
end
if attempt.state == "AwaitingApproval" or (attempt.hold or {}).reason == "Paused" then
  return {status = "Suspended", message = message}
end
return {status = "Progressing", message = message}
