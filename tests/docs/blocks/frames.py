"""What a document of a page is a part of: the whole that someone could judge.

A page shows some fields only. The keys at the top say of what; the rest comes from a small valid frame, or
from the example in `gitops/` that the page explains.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import yaml

from agentrollouts.api.components import Components
from agentrollouts.api.names import API_VERSION, GROUP
from agentrollouts.api.release import AgentReleaseSpec
from agentrollouts.api.rollout import AgentRolloutSpec
from tests.docs.blocks.found import ROOT

Manifest = dict[str, Any]


class Judge(StrEnum):
    """Who can say whether a document is right."""

    OURS = "lint, and the API server"
    FOREIGN = "the API server"
    VALUES = "the schema of the chart, and the model of the settings"
    KUSTOMIZE = "kustomize"
    ALERTMANAGER = "its receivers and our alerts"
    STEPS = "the commands in it"


@dataclass(frozen=True, slots=True)
class Whole:
    """A document of a page, completed."""

    judge: Judge
    content: Manifest


def whole(document: object) -> Whole | None:
    """What a document is part of; None if nobody knows."""
    if not isinstance(document, dict):
        return None
    keys = {str(key) for key in document}
    return next((make(document) for suits, make in _SHAPES if suits(document, keys)), None)


def merged(frame: Any, part: Any) -> Any:  # noqa: ANN401 any JSON
    """A frame with what a page shows in it; a list of the page replaces that of the frame."""
    if not isinstance(frame, Mapping) or not isinstance(part, Mapping):
        return part
    return {
        **frame,
        **{key: merged(frame[key], value) if key in frame else value for key, value in part.items()},
    }


def _fields(model: Any) -> set[str]:  # noqa: ANN401 a model
    return {field.alias or name for name, field in model.model_fields.items()}


_ROLLOUT: Final = _fields(AgentRolloutSpec)
_RELEASE: Final = _fields(AgentReleaseSpec)
_COMPONENTS: Final = _fields(Components)
_ROLLOUT_FRAME: Final = {
    "apiVersion": API_VERSION,
    "kind": "AgentRollout",
    "metadata": {"name": "support-agent"},
    "spec": {"agent": "support-agent", "releaseRef": {"name": "support-agent-4.2.0"}},
}
_RELEASE_FRAME: Final = {
    "apiVersion": API_VERSION,
    "kind": "AgentRelease",
    "metadata": {"name": "support-agent-4.2.0"},
    "spec": {
        "agent": "support-agent",
        "version": "4.2.0",
        "components": {
            "prompt": {"version": "3.2.0", "inline": {"system": "Help with orders."}},
            "model": {"version": "2.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
        },
    },
}
_REQUESTED: Final = {"spec": {"requestedBy": "dana@example.com"}}
"""What the policies of the chart fill in (docs/authority.md)."""
_POD_MONITOR_FRAME: Final = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PodMonitor",
    "metadata": {"name": "proxy"},
    "spec": {"selector": {}},
}
_KUSTOMIZATION_FRAME: Final = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


def _example(file: str, kind: str) -> Manifest:
    """An object of an example in `gitops/`."""
    objects = yaml.safe_load_all((ROOT / "gitops" / file).read_text())
    return next(dict(each) for each in objects if each["kind"] == kind)


def _flux(part: Manifest) -> Whole:
    return Whole(Judge.FOREIGN, merged(_example("flux/support-agent.yaml", "Kustomization"), {"spec": part}))


def _argo_cd(part: Manifest) -> Whole:
    return Whole(Judge.FOREIGN, merged(_example("argocd/application.yaml", "Application"), part))


def _object(document: Manifest) -> Whole:
    if not str(document["apiVersion"]).startswith(f"{GROUP}/"):
        return Whole(Judge.FOREIGN, document)
    is_action = document["kind"] == "AgentRolloutAction"
    return Whole(Judge.OURS, merged(_REQUESTED if is_action else {}, document))


def _route(document: Manifest) -> Whole:
    """Where a page writes `[...]`, it leaves out a list."""
    rules = [
        {key: value for key, value in rule.items() if value != ["..."]} for rule in document["spec"]["rules"]
    ]
    frame = {"apiVersion": "gateway.networking.k8s.io/v1"}
    return Whole(Judge.FOREIGN, merged(frame, document | {"spec": {**document["spec"], "rules": rules}}))


def _in(frame: Manifest, *path: str) -> Callable[[Manifest], Whole]:
    """What puts a part into a frame of ours."""

    def put(part: Manifest) -> Whole:
        for key in reversed(path):
            part = {key: part}
        return Whole(Judge.OURS, merged(frame, part))

    return put


def _endpoint(part: Manifest) -> Whole:
    spec = {"podMetricsEndpoints": [{"port": "http", **part}]}
    return Whole(Judge.FOREIGN, merged(_POD_MONITOR_FRAME, {"spec": spec}))


_Suits = Callable[[Manifest, set[str]], bool]


def _has(*needed: str) -> _Suits:
    return lambda _, keys: keys >= set(needed)


def _part_of(fields: set[str]) -> _Suits:
    return lambda _, keys: keys <= fields


def _spec_of(fields: set[str]) -> _Suits:
    return lambda document, keys: keys == {"spec"} and document["spec"].keys() <= fields


_SHAPES: Final[tuple[tuple[_Suits, Callable[[Manifest], Whole]], ...]] = (
    (_has("apiVersion", "kind"), _object),
    (_has("kind", "spec"), _route),
    (lambda _, keys: bool(keys & {"settings", "dashboard"}), lambda part: Whole(Judge.VALUES, part)),
    (_spec_of(_ROLLOUT), _in(_ROLLOUT_FRAME)),
    (_spec_of(_RELEASE), _in(_RELEASE_FRAME)),
    (lambda document, keys: keys == {"metadata", "spec"} and "syncPolicy" in document["spec"], _argo_cd),
    (_part_of({"metadata"}), _in(_ROLLOUT_FRAME)),
    (_part_of(_ROLLOUT), _in(_ROLLOUT_FRAME, "spec")),
    (_part_of(_COMPONENTS), _in(_RELEASE_FRAME, "spec", "components")),
    (_part_of({"wait", "timeout", "healthCheckExprs", "ignore"}), _flux),
    (_part_of({"syncPolicy"}), lambda part: _argo_cd({"spec": part})),
    (_part_of({"metricRelabelings"}), _endpoint),
    (
        _part_of({"patches", "namePrefix", "configurations"}),
        lambda part: Whole(Judge.KUSTOMIZE, merged(_KUSTOMIZATION_FRAME, part)),
    ),
    (_has("receivers", "route"), lambda part: Whole(Judge.ALERTMANAGER, part)),
    (_has("jobs"), lambda part: Whole(Judge.STEPS, part)),
    (_has("repos"), lambda part: Whole(Judge.STEPS, part)),
)
"""Which documents are of a shape, and what they are part of; the first that suits."""
