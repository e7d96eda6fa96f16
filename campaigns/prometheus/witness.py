"""An independent witness: every version of every route, and the newest of every rollout.

Both are as the API server tells. The judge of the campaign believes the routes; of the status it only reads
what it tells people.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Self

import aiohttp

from campaigns.cluster.lanes.recorder import attempt_of, status_of
from campaigns.prometheus.manifests import NEXT, ROLLOUTS, ROUTES
from sandbox.people.apiserver import ApiServer, Manifest

_AGAIN_SECONDS: Final = 0.2
_SERVICE: Final = re.compile(r"release-([0-9-]+)")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a route."""

    at: float
    """When it was seen: `time.monotonic`."""
    weights: Mapping[str, int]
    """Percent by version."""

    @property
    def canary(self) -> int:
        """The share of the release that is shipped."""
        return self.weights.get(NEXT, 0)


class Witness:
    """Watches from `looking` on."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._changed = asyncio.Condition()
        self.routes: defaultdict[str, list[Version]] = defaultdict(list)
        self.rollouts: dict[str, Manifest] = {}

    @classmethod
    @asynccontextmanager
    async def looking(cls, server: ApiServer) -> AsyncIterator[Self]:
        """A witness for as long as the context lasts."""
        witness = cls(server)
        tasks = [asyncio.create_task(witness._look(path)) for path in (ROUTES, ROLLOUTS)]
        try:
            yield witness
        finally:
            for task in tasks:
                task.cancel()

    def weights(self) -> dict[str, Mapping[str, int]]:
        """What every route says now, by rollout."""
        return {name: versions[-1].weights for name, versions in self.routes.items() if versions}

    def canary(self, name: str) -> int:
        """The canary's share now."""
        return self.routes[name][-1].canary if self.routes[name] else 0

    def canaries(self, name: str, start: float, end: float) -> list[int]:
        """The canary's shares between two times, beginning with how it stood at the first."""
        versions = self.routes[name]
        before = [version.canary for version in versions if version.at < start][-1:]
        return before + [version.canary for version in versions if start <= version.at < end]

    def status(self, name: str) -> Mapping[str, Any]:
        """The newest status of a rollout."""
        return status_of(self.rollouts.get(name, {}))

    def attempt(self, name: str) -> Mapping[str, Any]:
        """The newest attempt of a rollout."""
        return attempt_of(self.rollouts.get(name, {}))

    def condition(self, name: str, kind: str) -> Mapping[str, str]:
        """One condition of a rollout; empty if it has none."""
        conditions = self.status(name).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {})

    async def until(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until something is true of what was seen.

        Raises:
            TimeoutError: it did not become so in time; says what.
        """
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError as error:
            raise TimeoutError(f"not within {seconds:g} s: {what}") from error

    async def _look(self, path: str) -> None:
        while True:
            with suppress(aiohttp.ClientError):
                async for at, manifest in self._server.watch(path):
                    self._note(path, at, manifest)
                    async with self._changed:
                        self._changed.notify_all()
            await asyncio.sleep(_AGAIN_SECONDS)

    def _note(self, path: str, at: float, manifest: Manifest) -> None:
        name = manifest.get("metadata", {}).get("name")
        if name is None:  # the end of a watch
            return
        if path == ROLLOUTS:
            self.rollouts[name] = manifest
            return
        version = Version(at, _weights(manifest))
        if not self.routes[name] or self.routes[name][-1].weights != version.weights:
            self.routes[name].append(version)


def now() -> float:
    """The time on the witness's clock."""
    return time.monotonic()


def _weights(route: Manifest) -> dict[str, int]:
    """The weights of a route by version, as its services are named."""
    backends = route["spec"]["rules"][0]["backendRefs"]
    return {
        named[1].replace("-", "."): backend["weight"]
        for backend in backends
        if (named := _SERVICE.fullmatch(backend["name"]))
    }
