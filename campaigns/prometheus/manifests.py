"""What people write in the campaign of Prometheus' faults: releases, and rollouts on plans of seconds."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sandbox.agents.endpoints import PORT, by_path
from sandbox.people.apiserver import Manifest

NAMESPACE: Final = "faults"
STABLE, NEXT = "1.0.0", "2.0.0"
GROUP: Final = "/apis/agentrollouts.dev/v1alpha1"
ROLLOUTS: Final = f"{GROUP}/agentrollouts"
ROUTES: Final = "/apis/gateway.networking.k8s.io/v1/httproutes"
WEIGHT: Final = 10
"""Of the canary in the first phase."""
STALE_SECONDS: Final = 8


def phase(name: str, weight: int, seconds: float) -> Manifest:
    """A phase of a plan."""
    return {"name": name, "weight": weight, "durationSeconds": round(seconds)}


def world() -> Iterator[tuple[str, Manifest]]:
    """The namespace and a service for each version, by path."""
    metadata = {"name": NAMESPACE}
    yield f"/api/v1/namespaces/{NAMESPACE}", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    yield from by_path(NAMESPACE, map(_service_of, (STABLE, NEXT))).items()


def path(plural: str, name: str) -> str:
    """Where an object of ours is."""
    return f"{GROUP}/namespaces/{NAMESPACE}/{plural}/{name}"


def release(agent: str, version: str) -> Manifest:
    """A release whose prompt, and so its digest, differs by agent and version."""
    name = f"{agent}-{version}"
    components = {
        "prompt": {"version": "1.0.0", "inline": {"system": f"You are {name}."}},
        "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
    }
    serving = {"service": {"name": _service_of(version), "port": PORT}}
    spec = {"agent": agent, "version": version, "components": components, "serving": serving}
    return _object("AgentRelease", name, spec)


def rollout(
    agent: str, source: str, phases: Sequence[Manifest], *, no_data: str = "Hold", interval: int = 2
) -> Manifest:
    """A rollout that begins with its first release and looks every `interval` seconds."""
    return _object(
        "AgentRollout",
        agent,
        {
            "agent": agent,
            "releaseRef": {"name": f"{agent}-{STABLE}"},
            "phases": list(phases),
            "gates": [
                {"name": name, "template": template, "minSamples": 10, "noData": no_data}
                for name, template in (("errors", "error-rate"), ("completion", "task-completion"))
            ],
            "analysis": {"intervalSeconds": interval, "staleAfterSeconds": STALE_SECONDS, "maxExtensions": 0},
            "bake": {"durationSeconds": 0},
            "rollback": {"verify": {"withinSeconds": 1, "watchSeconds": 0}},
            "metrics": {"source": source},
            "traffic": {
                "httpRoute": {
                    "parentRefs": [{"name": "public"}],
                    "hostnames": [f"{agent}.example.com"],
                    "statusless": True,  # no gateway runs here
                }
            },
        },
    )


def _object(kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "agentrollouts.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _service_of(version: str) -> str:
    return f"release-{version.replace('.', '-')}"
