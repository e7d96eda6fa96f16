"""What an onlooker sees of a campaign: every version of every object, straight from the API server.

It watches as an administrator beside the proxy, so no fault of a campaign touches it, and it imports nothing
of the operator: what is judged here is what anybody could have seen.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import aiohttp

from sandbox.people.apiserver import ApiServer, changes_within

Manifest = dict[str, Any]

LISTS: Final = {
    "AgentRelease": "/apis/agentrollouts.dev/v1alpha1/agentreleases",
    "AgentRollout": "/apis/agentrollouts.dev/v1alpha1/agentrollouts",
    "AgentRolloutRecord": "/apis/agentrollouts.dev/v1alpha1/agentrolloutrecords",
    "AgentRolloutAction": "/apis/agentrollouts.dev/v1alpha1/agentrolloutactions",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/httproutes",
    "ConfigMap": "/api/v1/configmaps",
    "Job": "/apis/batch/v1/jobs",
}
HOOK_KEY: Final = "agentrollouts.dev/hook-key"
_AGAIN_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or its end; versions of all kinds are ordered by their number."""

    number: int
    """The resource version: one count over all objects of the API server."""
    time: float
    manifest: Manifest
    is_gone: bool = False

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.manifest["metadata"]["name"])


def status_of(rollout: Manifest) -> Manifest:
    """What the operator says of a rollout; empty before it says anything."""
    status: Manifest = rollout.get("status") or {}
    return status


def attempt_of(rollout: Manifest) -> Manifest:
    """The attempt of its status; empty before the first."""
    attempt: Manifest = status_of(rollout).get("attempt") or {}
    return attempt


def rollout_of_job(job: Manifest) -> str:
    """The rollout for whose hook a Job is; empty if it is for none."""
    key: str = (job["metadata"].get("annotations") or {}).get(HOOK_KEY, "")
    return key.split("/")[1] if key else ""


Key = tuple[str, str]
"""Namespace and agent: everything that belongs to one rollout has a name that begins with its agent's."""


class Observer:
    """Watches everything; used as an async context."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._seen: dict[Key, list[Version]] = defaultdict(list)
        self._newest: dict[tuple[str, str, str], Version] = {}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._watch(kind, path)) for kind, path in LISTS.items()]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()

    def versions(self, namespace: str, agent: str) -> list[Version]:
        """All that was seen of an agent, in the order in which it was stored."""
        return sorted(self._seen[namespace, agent], key=lambda version: version.number)

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The newest version of an object; None if there is none."""
        version = self._newest.get((kind, namespace, name))
        return None if version is None or version.is_gone else version.manifest

    def all(self, kind: str, namespace: str) -> list[Manifest]:
        """The newest versions of all objects of a kind in a namespace; may be asked by other threads."""
        versions = list(self._newest.values())
        return [
            v.manifest for v in versions if v.kind == kind and not v.is_gone and _place(v)[0] == namespace
        ]

    def objects(self, namespace: str, agent: str) -> list[Manifest]:
        """The newest versions of everything that belongs to an agent."""
        names = {(version.kind, version.name) for version in self._seen[namespace, agent]}
        return [manifest for kind, name in sorted(names) if (manifest := self.get(kind, namespace, name))]

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition holds, asked again at each change; whether it came to hold in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0 or not await changes_within(self._changed, left):
                return condition()
        return True

    async def _watch(self, kind: str, path: str) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async for what, manifest in self._server.events(path):
                    if what in {"ADDED", "MODIFIED", "DELETED"}:
                        await self._record({**manifest, "kind": kind}, is_gone=what == "DELETED")
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _record(self, manifest: Manifest, *, is_gone: bool) -> None:
        number = int(manifest["metadata"]["resourceVersion"])
        version = Version(number, time.monotonic(), manifest, is_gone)
        namespace, name = _place(version)
        former = self._newest.get((version.kind, namespace, name))
        if former is not None and former.number >= number:
            return  # told again by a new watch
        self._newest[version.kind, namespace, name] = version
        agent = rollout_of_job(manifest) if version.kind == "Job" else name.partition("-")[0]
        self._seen[namespace, agent].append(version)
        async with self._changed:
            self._changed.notify_all()


def _place(version: Version) -> tuple[str, str]:
    metadata = version.manifest["metadata"]
    return metadata["namespace"], metadata["name"]
