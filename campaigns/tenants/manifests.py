"""What victims and attackers write: namespaces, releases, and rollouts that are asked about every second."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox.agents.endpoints import PORT, by_path
from sandbox.people.apiserver import Manifest

GROUP: Final = "/apis/agentrollouts.dev/v1alpha1"
ROLLOUTS: Final = f"{GROUP}/agentrollouts"
GATEWAY_GROUP: Final = "/apis/gateway.networking.k8s.io/v1"
ROUTES: Final = f"{GATEWAY_GROUP}/httproutes"
STABLE, NEXT = "1.0.0", "1.1.0"
SERVICE: Final = "agents"
"""The one Service of a namespace, which stands for the agents of all its releases but the stable one."""
SERVICE_STABLE: Final = "agents-stable"

JUDGED: Final[Mapping[str, Any]] = {
    "analysis": {"intervalSeconds": 1, "warmupSeconds": 0, "staleAfterSeconds": 60},
    "gates": [{"name": "violations", "template": "violations"}],
    "bake": {"durationSeconds": 0},
    "rollback": {"verify": {"withinSeconds": 1, "watchSeconds": 0}},
}
"""A rollout that is rolled back by the first violation, and waits for nothing else."""


def namespace(name: str) -> Iterator[tuple[str, Manifest]]:
    """A namespace and its Services, by path."""
    yield f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    yield from by_path(name, (SERVICE, SERVICE_STABLE)).items()


def path(plural: str, where: str, name: str) -> str:
    """Where an object of ours is."""
    return f"{GROUP}/namespaces/{where}/{plural}/{name}"


def release(where: str, agent: str, version: str, text: str = "") -> tuple[str, Manifest]:
    """A release by its path.

    Args:
        where: The namespace.
        agent: Whose release it is; its name is `<agent>-<version>`.
        version: Of the release.
        text: More text for the prompt, so that the release is as large.
    """
    name = f"{agent}-{version}"
    components = {
        "prompt": {"version": "1.0.0", "inline": {"system": f"You are {name} of {where}. {text}"}},
        "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
    }
    service = {"name": SERVICE_STABLE if version == STABLE else SERVICE, "port": PORT}
    spec = {"agent": agent, "version": version, "components": components, "serving": {"service": service}}
    return path("agentreleases", where, name), _object("AgentRelease", where, name, spec)


def rollout(
    where: str, agent: str, version: str = STABLE, spec: Mapping[str, Any] = JUDGED
) -> tuple[str, Manifest]:
    """A rollout by its path, on an HTTPRoute of its own.

    Args:
        where: The namespace.
        agent: The agent, and the rollout's name.
        version: Of the release that it names.
        spec: Further fields of its spec.
    """
    http_route = {
        "parentRefs": [{"name": "public"}],
        "hostnames": [f"{agent}.{where}.example.com"],
        "statusless": True,  # no gateway runs here
    }
    own = {
        "agent": agent,
        "releaseRef": {"name": f"{agent}-{version}"},
        "traffic": {"httpRoute": http_route},
    }
    return path("agentrollouts", where, agent), _object("AgentRollout", where, agent, own | dict(spec))


def action(where: str, agent: str, person: str, number: int) -> tuple[str, Manifest]:
    """A person orders the first attempt of a rollout back, once more: the action by the path of its list."""
    spec = {"rollout": agent, "type": "RollBack", "attempt": 1, "release": f"{agent}-{STABLE}"}
    spec |= {"reason": "It is bad", "requestedBy": person}
    manifest = _object("AgentRolloutAction", where, f"{agent}-{number:06}", spec)
    return f"{GROUP}/namespaces/{where}/agentrolloutactions", manifest


def bare_route(where: str, name: str, text: str) -> tuple[str, Manifest]:
    """A route by its path that belongs to no rollout, with a text that can change."""
    metadata = {"name": name, "namespace": where, "annotations": {"text": text}}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    return f"{GATEWAY_GROUP}/namespaces/{where}/httproutes/{name}", kind | {"metadata": metadata, "spec": {}}


def _object(kind: str, where: str, name: str, spec: Mapping[str, Any]) -> Manifest:
    metadata = {"name": name, "namespace": where}
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": dict(spec),
    }
