"""A crowd of agents on a real API server, each with a stable release, a next one and a rollout.

No agent runs: what is measured ends at the route's write. Two Services stand for all, with endpoints made by
hand as the demo's are.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sandbox import scenarios
from sandbox.agents.endpoints import PORT, by_path
from sandbox.people.apiserver import ApiServer, Manifest, Onlooker

NAMESPACE: Final = "bench"
ROLLOUTS: Final = "/apis/agentrollouts.dev/v1alpha1/agentrollouts"
ROUTES: Final = "/apis/gateway.networking.k8s.io/v1/httproutes"

_OURS: Final = f"/apis/agentrollouts.dev/v1alpha1/namespaces/{NAMESPACE}"

STABLE: Final = "1.0.0"
NEXT: Final = "1.1.0"
PERSON: Final = "robin@example.com"

Looks = Callable[[Manifest], bool]
"""What is waited for, of the newest version of a rollout."""


class Crowd:
    """So many rollouts.

    Args:
        server: where they are.
        size: how many.
        spec: fields of every rollout's spec, beside ours.
        prefix: of the names of its agents.
        requires: what every release requires of other agents.
    """

    def __init__(
        self,
        server: ApiServer,
        size: int,
        spec: Mapping[str, Any] | None = None,
        *,
        prefix: str = "agent",
        requires: Sequence[Manifest] = (),
    ) -> None:
        self._server = server
        self._spec = dict(spec or {})
        self._requires = list(requires)
        self.names: Final = tuple(f"{prefix}-{index:03}" for index in range(size))

    async def settle(self, seconds: float = 120, looks: Looks | None = None) -> None:
        """Make all of it and wait until every rollout is Healthy, or looks as it should.

        Raises:
            TimeoutError: one was not in time.
        """
        await self._server.apply(f"/api/v1/namespaces/{NAMESPACE}", _namespace())
        await self._server.apply_all(by_path(NAMESPACE, map(_service_of, (STABLE, NEXT))))
        releases = (
            release(name, version, self._requires) for name in self.names for version in (STABLE, NEXT)
        )
        await self._server.apply_all({_path("agentreleases", one): one for one in releases})
        rollouts = (_rollout(name, self._spec) for name in self.names)
        await self._server.apply_all({_path("agentrollouts", one): one for one in rollouts})
        await self.all(self.names, looks or is_healthy, seconds)

    async def begin_canaries(self, names: Iterable[str], seconds: float = 120) -> None:
        """Ask for the next release of these agents and wait until it has its first share of the traffic."""
        names = tuple(names)
        for name in names:
            await self.ask(name, NEXT)
        await self.all(names, in_canary, seconds)

    async def ask_back(self, name: str) -> None:
        """Ask for the stable release again, by a patch of one field."""
        await self.ask(name, STABLE)

    async def act_back(self, name: str) -> None:
        """Have the canary of the second attempt rolled back, as a person with that right would."""
        await self.act(name, "back", type="RollBack", attempt=2, release=f"{name}-{NEXT}")

    async def switch_off(self, name: str) -> None:
        """Have all traffic sent to the fallback."""
        await self.act(name, "off", type="SwitchOff")

    async def switch_on(self, name: str) -> None:
        """End the detour that the status shows."""
        rollout = await self.get(name)
        await self.act(name, "on", type="SwitchOn", detour=rollout["status"]["detour"]["id"])

    def path_of(self, name: str) -> str:
        """Where a rollout is."""
        return f"{_OURS}/agentrollouts/{name}"

    async def get(self, name: str) -> Manifest:
        """A rollout now."""
        return await self._server.get(self.path_of(name))

    async def act(self, name: str, what: str, **spec: object) -> None:
        """Request something of a rollout, as a person with that right would."""
        await self._server.create_as(PERSON, f"{_OURS}/agentrolloutactions", _action(name, what, **spec))

    async def forget_releases(self, names: Iterable[str]) -> None:
        """Delete all releases of these agents."""
        for name in names:
            for version in (STABLE, NEXT):
                await self._server.delete(f"{_OURS}/agentreleases/{name}-{version}")

    async def ask(self, name: str, version: str) -> None:
        """Ask for a version of an agent."""
        await self.change(name, {"releaseRef": {"name": f"{name}-{version}"}})

    async def join(self, name: str, group: str) -> None:
        """Put a rollout into a group."""
        await self.change(name, {"group": group})

    async def change(self, name: str, spec: Mapping[str, Any]) -> None:
        """Change some fields of a rollout's spec, by a merge."""
        await self._server.merge(self.path_of(name), {"spec": dict(spec)})

    async def at_rest(self, names: Iterable[str], seconds: float = 60) -> None:
        """Wait until nothing is under way any more for these agents."""
        await self.all(names, is_over, seconds)

    async def all(self, names: Iterable[str], looks: Looks, seconds: float = 120) -> None:
        """Wait until these rollouts look so, and nothing changes."""
        async with Onlooker(self._server, ROLLOUTS) as onlooker:
            for name in names:
                await onlooker.until(NAMESPACE, name, looks, seconds=seconds)
            await onlooker.quiet()


def _action(agent: str, name: str, **spec: object) -> Manifest:
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRolloutAction",
        "metadata": {"namespace": NAMESPACE, "name": f"{agent}-{name}"},
        "spec": {"rollout": agent, "reason": "It is a measurement", "requestedBy": PERSON, **spec},
    }


def weights(route: Manifest) -> list[int]:
    """The weights of a route's backends, stable first."""
    return [backend["weight"] for backend in route["spec"]["rules"][0]["backendRefs"]]


def is_back(route: Manifest) -> bool:
    """Whether a route sends everything to stable."""
    first, *others = weights(route)
    return first == 100 and not any(others)  # noqa: PLR2004 all of it


def is_healthy(rollout: Manifest) -> bool:
    """Whether an attempt has ended well."""
    return _state(rollout) == "Healthy"


def in_canary(rollout: Manifest) -> bool:
    """Whether the canary is seen to have its share."""
    return _state(rollout) == "Canary" and bool(rollout["status"].get("weights", {}).get("canary"))


def is_over(rollout: Manifest) -> bool:
    """Whether the last attempt has ended."""
    return _state(rollout) in {"Healthy", "RolledBack"}


def in_state(state: str) -> Looks:
    """Whether the attempt is in that state."""
    return lambda rollout: _state(rollout) == state


def is_known(rollout: Manifest) -> bool:
    """Whether the status is about the newest spec."""
    known = rollout.get("status", {}).get("observedGeneration")
    return bool(known == rollout["metadata"]["generation"])


def release(agent: str, version: str, requires: Sequence[Manifest] = ()) -> Manifest:
    """A release with a bundle of the size of the demo's, and a digest of its own."""
    manifest: Manifest = copy.deepcopy(scenarios.load_release(scenarios.HEALTHY))
    manifest["metadata"] = {"name": f"{agent}-{version}", "namespace": NAMESPACE}
    spec = manifest["spec"]
    spec |= {"agent": agent, "version": version, "requires": list(requires)}
    spec["components"]["prompt"]["inline"]["system"] += f"You are {agent} {version}."
    spec["serving"]["service"] = {"name": _service_of(version), "port": PORT}
    return manifest


def _rollout(agent: str, spec: Mapping[str, Any]) -> Manifest:
    """A plan whose first phase lasts longer than the bench, and which ends what it rolls back at once."""
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"name": agent, "namespace": NAMESPACE},
        "spec": {
            "agent": agent,
            "releaseRef": {"name": f"{agent}-{STABLE}"},
            "bake": {"durationSeconds": 0},
            "rollback": {"verify": {"withinSeconds": 1, "watchSeconds": 0}},
            "traffic": {
                "httpRoute": {
                    "parentRefs": [{"name": "public"}],
                    "hostnames": [f"{agent}.example.com"],
                    "statusless": True,  # no gateway runs here
                }
            },
            **spec,
        },
    }


def _state(rollout: Manifest) -> str | None:
    attempt: Mapping[str, Any] = rollout.get("status", {}).get("attempt") or {}
    return attempt.get("state")


def _path(plural: str, manifest: Manifest) -> str:
    return f"{_OURS}/{plural}/{manifest['metadata']['name']}"


def _service_of(version: str) -> str:
    return f"release-{version.replace('.', '-')}"


def _namespace() -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
