"""The demo agent: a support desk whose behavior comes from its release bundle and from nothing else.

One process serves one release. It reads the bundle from the snapshot ConfigMap that the operator wrote
(`bundle`), lets a small deterministic model follow the bundle's prompt (`model`), checks every tool call
against the bundle's tool schemas (`tools`, `schema`), keeps to the bundle's guardrails (`run`), answers
over HTTP (`service`) and counts what it did (`metrics`).

There is no switch for "fail now": a release is bad because its bundle is bad, so a gate that fires has
found a real mistake.
"""
