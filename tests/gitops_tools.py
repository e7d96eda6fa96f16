"""What Git tools make of an object: Argo CD by our health scripts, Flux and `kubectl wait` by kstatus."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from lupa import lua51

from agentrollouts.cli.cel import evaluate

FLUX: Final = Path(__file__).parents[1] / "gitops" / "flux"
SCRIPTS: Final = Path(__file__).parents[1] / "gitops" / "argocd"
ARGO_CD: Final = frozenset({"Healthy", "Progressing", "Degraded", "Suspended"})
"""The words that Argo CD takes."""


def health(script: str, manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Status and message by one of our scripts, in Lua 5.1 without libraries beyond the basic ones.

    Argo CD runs them so: the object as the global `obj`, the answer a table.
    """
    runtime = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    runtime.globals().obj = _table(runtime, manifest)
    answer = runtime.execute((SCRIPTS / f"{script}.lua").read_text())
    return str(answer.status), str(answer.message)


def actions(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each of our actions creates that Argo CD offers for an object; run as `health` is."""
    script = yaml.safe_load((SCRIPTS / "agentrollout-actions.yaml").read_text())
    offered = _run(script["discovery.lua"], manifest)
    bodies = {each["name"]: each["action.lua"] for each in script["definitions"]}
    assert offered.keys() == bodies.keys()
    created = {}
    for name in (name for name, what in offered.items() if not what["disabled"]):
        [change] = _run(bodies[name], manifest).values()
        assert change["operation"] == "create"
        created[name] = change["resource"]
    return created


def _run(script: str, manifest: Mapping[str, Any]) -> dict[Any, Any]:
    runtime = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    runtime.globals().obj = _table(runtime, manifest)
    result: dict[Any, Any] = _plain(runtime.execute(script))
    return result


def _plain(value: Any) -> Any:  # noqa: ANN401 any JSON
    return {key: _plain(item) for key, item in value.items()} if lua51.lua_type(value) == "table" else value


def _table(runtime: lua51.LuaRuntime, value: Any) -> Any:  # noqa: ANN401 any JSON
    if isinstance(value, Mapping):
        return runtime.table_from({key: _table(runtime, item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return runtime.table_from([_table(runtime, item) for item in value])
    return value


def flux(manifest: Mapping[str, Any]) -> str:
    """The status by the `healthCheckExprs` of our example, in Flux's order: inProgress, failed, current."""
    [_, kustomization] = yaml.safe_load_all((FLUX / "support-agent.yaml").read_text())
    [check] = kustomization["spec"]["healthCheckExprs"]
    assert (check["apiVersion"], check["kind"]) == (manifest["apiVersion"], manifest["kind"])
    for key, status in (("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")):
        if evaluate(check[key], **manifest):
            return status
    return "InProgress"


def kstatus(manifest: Mapping[str, Any]) -> str:
    """The status by kstatus (sigs.k8s.io/cli-utils, pkg/kstatus): of any kind that it does not know itself.

    A generation that was not observed and `Reconciling` mean InProgress, `Stalled` means Failed; then `Ready`
    decides, and an object that says nothing is Current.
    """
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"
