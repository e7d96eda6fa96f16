"""Mistakes that the schema lets through: what is wrong, what must be said of it, how it is corrected."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.agents.endpoints import a_service
from tests.e2e.api import Manifest
from tests.e2e.manifests import FIRST, a_release, a_rollout, routed, service_of
from tests.e2e.scene import Scene

RELEASE: Final = "AgentRelease"
PARTS: Final = "spec.components"
NOBODY: Final = "not-there-yet"
GATE: Manifest = {"name": "errors", "template": "error-rate"}
OWN: Manifest = {"bad": 'runs_total{outcome="failed"', "total": "runs_total"}
KEY = "AKIA" + "Q3EGRXZ7MVLT5WNB"
"""Has the form of an access key; the one that its vendor's documentation shows."""
TOOLS: Manifest = {"version": "1.0.0", "compatiblePrompt": ">=2.0.0", "items": []}


@dataclass(frozen=True)
class Mistake:
    """What is wrong, and what has to be said of it."""

    name: str
    """Also of the agent that has this problem alone."""
    reason: str
    names: str
    """The field, or the object, that the message must name."""
    rollout: Mapping[str, Any] = field(default_factory=dict)
    """The mistake in the rollout's spec, or what brings it out."""
    release: Mapping[str, Any] = field(default_factory=dict)
    """The mistake in the release's components."""
    on: str = "AgentRollout"
    """Who says so."""
    condition: str = "Ready"
    has_service: bool = True
    """Whether the release names a service where there is a route."""
    mend: Callable[[Scene, "Mistake"], None] | None = None
    """How it is corrected; by default with a release and a rollout that are right."""

    @property
    def is_routed(self) -> bool:
        """Whether it wants an HTTPRoute."""
        return "httpRoute" in self.rollout.get("traffic", {})

    @property
    def asks_for(self) -> str:
        """The release that the rollout wants."""
        return f"{self.name}-{FIRST}"

    @property
    def told_on(self) -> str:
        """Name of the object that says so."""
        return self.asks_for if self.on == RELEASE else self.name


def inline(**content: object) -> Manifest:
    """A component with its content."""
    return {"version": "1.0.0", "inline": content}


def configured(config: Manifest) -> Manifest:
    """Components with this config."""
    return {"config": config}


def make_release(given: Scene, _: Mistake) -> None:
    """The release comes after the rollout that asks for it."""
    release = a_release(given.namespace, "no-release", "9.9.9")
    release["metadata"]["name"] = NOBODY
    given.api.apply(release)


def make_config(given: Scene, _: Mistake) -> None:
    """The ConfigMap comes after the release that refers to it."""
    given.api.apply(a_config(given.namespace, NOBODY, {"temperature": "0.2"}))


def drop_route(given: Scene, mistake: Mistake) -> None:
    """The foreign route goes."""
    given.api.delete(given.ref("HTTPRoute", mistake.name))


def drop_config(given: Scene, mistake: Mistake) -> None:
    """The foreign ConfigMap goes."""
    given.api.delete(given.ref("ConfigMap", f"{mistake.name}-traffic"))


def write_anew(given: Scene, mistake: Mistake) -> None:
    """A release and a rollout without the mistake."""
    given.api.apply(a_release(given.namespace, mistake.name, "1.0.1", service=mistake.is_routed))
    if mistake.is_routed:
        given.api.apply(*a_service(given.namespace, service_of(f"{mistake.name}-1.0.1")))
    traffic = {"traffic": mistake.rollout["traffic"]} if mistake.is_routed else {"traffic": {}}
    given.api.apply(a_rollout(given.namespace, mistake.name, f"{mistake.name}-1.0.1", **traffic))


ROUTED: Manifest = {"traffic": routed("bad")}
REFERS: Manifest = {"version": "1.0.0", "configMapRef": {"name": NOBODY}}
UNPINNED: Manifest = {"version": "1.0.0", "artifact": {"uri": "s3://kb/1"}}
PATCH: Manifest = {"traffic": {"routePatch": {"name": "a", "rule": "b"}}}
CAP: Manifest = {"caps": [{"name": "c", "metric": "sum(m)", "max": "1"}]}


def gated(**gate: object) -> Manifest:
    """A spec with one gate."""
    return {"gates": [gate]}


MISTAKES = [
    Mistake(
        "no-release",
        "ReleaseNotFound",
        "spec.releaseRef",
        {"releaseRef": {"name": NOBODY}},
        mend=make_release,
    ),
    Mistake("wrong-agent", "AgentMismatch", "spec.releaseRef", {"releaseRef": {"name": f"neighbor-{FIRST}"}}),
    Mistake(
        "no-template", "InvalidGate", "spec.gates[0].template", gated(name="errors", template="eror-rate")
    ),
    Mistake("selector", "InvalidGate", "spec.gates[0].source.bad", gated(name="own", source=OWN)),
    Mistake("limit", "InvalidGate", "spec.gates[0].limit.value", gated(**GATE, limit={"value": "15"})),
    Mistake("route-patch", "ServiceMissing", "spec.traffic.routePatch", PATCH),
    Mistake("cap", "InvalidGate", "spec.caps[0].metric", CAP),
    Mistake("no-service", "ServiceMissing", "serving.service", ROUTED, has_service=False),
    Mistake(
        "no-config",
        "ReferenceMissing",
        f"{PARTS}.config.configMapRef",
        release=configured(REFERS),
        on=RELEASE,
        mend=make_config,
    ),
    Mistake(
        "key",
        "LooksLikeCredential",
        f"{PARTS}.config.inline.key",
        release=configured(inline(key=KEY)),
        on=RELEASE,
    ),
    Mistake(
        "tools",
        "ToolsDoNotFitPrompt",
        f"{PARTS}.tools.compatiblePrompt",
        release={"tools": TOOLS},
        on=RELEASE,
    ),
    Mistake(
        "unpinned",
        "ArtifactWithoutDigest",
        f"{PARTS}.knowledge.artifact.digest",
        release={"knowledge": UNPINNED},
        on=RELEASE,
    ),
    Mistake(
        "route-taken", "RouteNotOwned", "route-taken", ROUTED, condition="TrafficApplied", mend=drop_route
    ),
    Mistake("name-taken", "NameTaken", "name-taken-traffic", condition="TrafficApplied", mend=drop_config),
]


def made(namespace: str, mistake: Mistake) -> Iterator[Manifest]:
    """Release and rollout with a mistake."""
    has_service = mistake.is_routed and mistake.has_service
    release = a_release(namespace, mistake.name, service=has_service)
    release["spec"]["components"] |= mistake.release
    yield release
    yield from a_service(namespace, service_of(mistake.asks_for))
    yield a_rollout(namespace, mistake.name, mistake.asks_for, **mistake.rollout)


def a_config(namespace: str, name: str, data: dict[str, str]) -> Manifest:
    """A ConfigMap of somebody else's."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def a_foreign_route(namespace: str, name: str) -> Manifest:
    """A route of somebody else's."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"rules": [{"backendRefs": [{"name": "theirs", "port": 80}]}]},
    }
