"""What people write in the end-to-end tests: releases and rollouts on plans that last for seconds."""

from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.api.names import API_VERSION
from tests.e2e.api import Manifest

FIRST: Final = "1.0.0"
"""The version of every agent's first release."""

Spec = Mapping[str, Any]

QUICK: Final[Spec] = {
    "gates": [{"name": "errors", "template": "error-rate", "minSamples": 10}],
    "analysis": {"intervalSeconds": 1, "warmupSeconds": 0, "staleAfterSeconds": 15},
    "bake": {"durationSeconds": 0},
    "rollback": {"verify": {"withinSeconds": 2, "watchSeconds": 15}},
}
"""What makes a plan last for seconds."""


def phase(name: str, weight: int, seconds: int, **more: object) -> Manifest:
    """A phase of a plan."""
    return {"name": name, "weight": weight, "durationSeconds": seconds, **more}


def routed(
    namespace: str, gateway: str = "public", where: str = "default", *, statusless: bool = False
) -> Spec:
    """Traffic by an HTTPRoute on the sandbox's gateway, or on one that does not exist."""
    route = {"parentRefs": [{"name": gateway, "namespace": where}], "hostnames": [f"{namespace}.example.com"]}
    return {"httpRoute": route | ({"statusless": True} if statusless else {})}


def a_release(
    namespace: str, agent: str, version: str = FIRST, *, service: bool = False, **spec: object
) -> Manifest:
    """A release whose prompt, and so its digest, differs by agent and version."""
    name = f"{agent}-{version}"
    components = {
        "prompt": {"version": "1.0.0", "inline": {"system": f"You are {name}."}},
        "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
    }
    serving = {"serving": {"service": {"name": service_of(name), "port": 8080}}} if service else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRelease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"agent": agent, "version": version, "components": components, **serving, **spec},
    }


def a_rollout(namespace: str, agent: str, release: str, **spec: object) -> Manifest:
    """A rollout named after its agent, on a quick plan."""
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRollout",
        "metadata": {"name": agent, "namespace": namespace},
        "spec": {
            "agent": agent,
            "releaseRef": {"name": release},
            "phases": [phase("half", 50, 5)],
            **QUICK,
            **spec,
        },
    }


def service_of(release: str) -> str:
    """The service of a release."""
    return release.replace(".", "-")
