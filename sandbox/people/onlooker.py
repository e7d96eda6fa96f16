"""What can be seen of a rollout without believing the operator: the route's weights, from the API server.

The demo holds the operator to this and to the customers' ledger. The status is read too, but only to show
what the operator says.
"""

import contextlib
import http.client
import json
import math
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from sandbox.stack import Stack

AGENT: Final = "support-agent"
ROUTES: Final = "gateway.networking.k8s.io/v1"
ROLLOUTS: Final = "agentrollouts.dev/v1alpha1"

_RECONNECT_SECONDS: Final = 0.2

Weights = Mapping[str, int]
"""Percent by version of the release, such as {"4.1.0": 95, "4.2.0": 5}."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One version of an object, and when it was seen on the monotonic clock."""

    at: float
    manifest: Mapping[str, Any]

    @property
    def resource_version(self) -> str:
        """Changes with every write to the object."""
        return str(self.manifest["metadata"]["resourceVersion"])


class Watched(Protocol):
    """One object, as far as it was seen."""

    @property
    def versions(self) -> Sequence[Seen]:
        """All versions, oldest first."""

    @property
    def latest(self) -> Mapping[str, Any]:
        """The newest version; empty before the first."""


class Follower:
    """Watches one object from a thread of its own; whoever asks gets all versions seen so far.

    Args:
        stack: it must run; the thread ends with the process.
        api: group and version.
        plural: name of the kind.
        namespace: where the object is, or will be.
        name: of the object.
    """

    def __init__(self, stack: Stack, api: str, plural: str, namespace: str, name: str) -> None:
        query = f"watch=true&fieldSelector=metadata.name%3D{name}"
        self._request = urllib.request.Request(  # noqa: S310  # the address is our own
            f"{stack.api_url}/apis/{api}/namespaces/{namespace}/{plural}?{query}",
            headers={"Authorization": f"Bearer {stack.admin_token}"},
        )
        trusted = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(stack.ca_file)))
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({}), trusted).open
        self._versions: list[Seen] = []
        threading.Thread(target=self._follow, name=f"watch {plural}", daemon=True).start()

    @property
    def versions(self) -> tuple[Seen, ...]:
        """All versions, oldest first."""
        return tuple(self._versions)

    @property
    def latest(self) -> Mapping[str, Any]:
        """The newest version; empty before the first."""
        return self._versions[-1].manifest if self._versions else {}

    def _follow(self) -> None:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                for manifest in self._events():
                    seen = Seen(time.monotonic(), manifest)
                    if not self._versions or self._versions[-1].resource_version != seen.resource_version:
                        self._versions.append(seen)
            time.sleep(_RECONNECT_SECONDS)

    def _events(self) -> Iterator[Mapping[str, Any]]:
        with self._open(self._request) as stream:
            for line in stream:
                event = json.loads(line)
                if event["type"] in {"ADDED", "MODIFIED"}:
                    yield event["object"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time of constant weights, on the monotonic clock."""

    weights: Weights
    """Those above 0."""
    start: float
    end: float
    """Infinite while it lasts."""


def stretches(route: Iterable[Seen]) -> list[Stretch]:
    """The times of constant weights in the versions of a route, oldest first."""
    spans: list[Stretch] = []
    for seen in route:
        weights = {version: weight for version, weight in weights_of(seen.manifest).items() if weight}
        if spans and spans[-1].weights == weights:
            continue
        if spans:
            spans[-1] = replace(spans[-1], end=seen.at)
        spans.append(Stretch(weights, seen.at, math.inf))
    return spans


def weights_of(route: Mapping[str, Any]) -> Weights:
    """The weights of a route, by version; empty if it has no backend."""
    rules = route.get("spec", {}).get("rules", [])
    backends = rules[0].get("backendRefs", []) if rules else []
    return {version_of(backend["name"]): backend.get("weight", 1) for backend in backends}


def version_of(name: str) -> str:
    """The version in the name of a release or of its service: support-agent-4-2-0 is 4.2.0."""
    return name.removeprefix(f"{AGENT}-").replace("-", ".")
