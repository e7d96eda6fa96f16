"""The demo agent: a support desk whose behavior comes from its release bundle and from nothing else.

One process serves one release. The library `agentrollouts_agent` verifies the snapshot that the operator
wrote, and names the release in every answer. The agent finds its behavior there (`bundle`), lets a small
deterministic model follow the prompt (`model`), checks every tool call against the tool schemas (`tools`,
`schema`), keeps to the guardrails (`run`), answers over HTTP (`service`) and counts what it did (`metrics`).

There is no switch for "fail now": a release is bad because its bundle is bad, so a gate that fires has
found a real mistake.
"""
