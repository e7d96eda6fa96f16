"""An independent witness: every version of every object that matters, as the API server told it, and when.

Tests wait on it instead of polling, and ask it afterwards what was true in between. It believes nothing that
the operator says of itself: weights are read from the traffic objects.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar

import requests

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.names import ANNOTATION_DETOUR, ANNOTATION_ROLLED_BACK
from agentrollouts.core.traffic.manifests import FEATURE_FLAG, ROUTES
from sandbox.stack import Stack
from tests.e2e.api import Api, Manifest

WATCHED: Final = (
    "AgentFreeze",
    "AgentRelease",
    "AgentRollout",
    "AgentRolloutAction",
    "ConfigMap",
    "Event",
    "FeatureFlag",
    "GRPCRoute",
    "HTTPRoute",
)
PATIENCE: Final = 120.0
"""Seconds before a wait gives up: no test depends on the speed of a machine. `bench/` measures that."""
_AGAIN_SECONDS: Final = 0.2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or its end."""

    time: float
    """When it was seen: `time.monotonic`."""
    manifest: Manifest
    is_gone: bool = False

    @property
    def weights(self) -> tuple[int, int]:
        """Stable's and canary's weight in a traffic object."""
        if self.manifest["kind"] in ROUTES:
            backends = self.manifest["spec"]["rules"][-1]["backendRefs"]
            first, second = [*(backend["weight"] for backend in backends), 0][:2]
            return first, second
        if self.manifest["kind"] == FEATURE_FLAG:
            [flag] = (flag for name, flag in self._flags.items() if name.endswith("-release"))
            drawn = flag.get("targeting", {"fractional": [None, ["", 0], ["", 100]]})["fractional"][1:]
            return drawn[1][1], drawn[0][1]
        sides = (self._split["stable"], self._split["canary"])
        stable, canary = (side["weight"] if side else 0 for side in sides)
        return stable, canary

    @property
    def in_stables_place(self) -> tuple[str, int]:
        """Release and weight of stable, or of a standby, in a traffic ConfigMap."""
        side = self._split["stable"]
        return side["release"], side["weight"]

    @property
    def attempt(self) -> int:
        """The number of the attempt that a traffic ConfigMap tells of."""
        return int(self._split["attempt"])

    @property
    def is_in_detour(self) -> bool:
        """Whether the object says that a detour sends a share elsewhere."""
        return ANNOTATION_DETOUR in (self.manifest["metadata"].get("annotations") or {})

    @property
    def latch(self) -> str | None:
        """The attempt that the object says was rolled back."""
        annotations = self.manifest["metadata"].get("annotations") or {}
        attempt: str | None = annotations.get(ANNOTATION_ROLLED_BACK)
        return attempt

    @property
    def _flags(self) -> Manifest:
        flags: Manifest = self.manifest["spec"]["flagSpec"]["flags"]
        return flags

    @property
    def _split(self) -> Manifest:
        split: Manifest = json.loads(self.manifest["data"]["split.json"])
        return split

    @property
    def number(self) -> int:
        """The resource version."""
        return int(self.manifest["metadata"]["resourceVersion"])


@dataclass(slots=True)
class _Life:
    versions: list[Version] = field(default_factory=list)

    @property
    def newest(self) -> Version | None:
        return self.versions[-1] if self.versions else None


class Witness:
    """Watches all namespaces from `with` on.

    Args:
        stack: It must run.
        kinds: What it watches.
    """

    def __init__(self, stack: Stack, kinds: Iterable[str] = WATCHED) -> None:
        self._stack = stack
        self._kinds = kinds
        self._api = Api(stack)
        self._lives: dict[Ref, _Life] = defaultdict(_Life)
        self._news = threading.Condition()
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        for kind in self._kinds:
            threading.Thread(target=self._watch, args=(kind,), daemon=True, name=f"watch {kind}").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()  # the threads end with their connections, when the stack does

    def get(self, ref: Ref) -> Manifest | None:
        """The newest version of an object; None if there is none."""
        with self._news:
            newest = self._lives[ref].newest
            return None if newest is None or newest.is_gone else newest.manifest

    def now(self, ref: Ref) -> Manifest | None:
        """The object as it is in the cluster now; None if there is none.

        Each kind has a watch of its own. After something was seen on another one, `get` may be behind.
        """
        self.catch_up(ref)
        return self.get(ref)

    def versions(self, ref: Ref, since: float = 0.0) -> list[Version]:
        """What an object looked like since a monotonic time, beginning with how it stood then.

        Each kind has a watch of its own, and one may be behind another: this waits for the newest version.
        """
        self.catch_up(ref)
        with self._news:
            versions = self._lives[ref].versions
            before = [version for version in versions if version.time < since][-1:]
            return [*before, *(version for version in versions if version.time >= since)]

    def catch_up(self, ref: Ref) -> None:
        """Wait until the watch of its kind has reached the newest version of an object."""
        asked = time.monotonic()
        manifest = self._api.find(ref)
        number = int(manifest["metadata"]["resourceVersion"]) if manifest else None

        def is_known() -> bool:
            newest = self._lives[ref].newest
            if number is not None:
                return newest is not None and newest.number >= number
            return newest is None or newest.is_gone or newest.time >= asked

        self.wait(f"the watch of {ref.kind} reaches the newest version of {ref}", is_known)

    def all(self, kind: str, namespace: str) -> list[Manifest]:
        """The newest versions of all objects of a kind in a namespace."""
        with self._news:
            refs = [ref for ref in self._lives if (ref.kind, ref.namespace) == (kind, namespace)]
            return [manifest for ref in refs if (manifest := self.get(ref)) is not None]

    def wait(self, what: str, condition: Callable[[], T | None], seconds: float = PATIENCE) -> T:
        """Wait until the condition gives something true; asked again at each change in the cluster.

        Raises:
            AssertionError: it did not within that time.
        """
        with self._news:
            result = self._news.wait_for(condition, timeout=seconds)
            assert result, f"not within {seconds} s: {what}"
            return result

    def holds(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """See that a condition stays true for some time.

        Raises:
            AssertionError: it did not.
        """
        with self._news:
            assert not self._news.wait_for(lambda: not condition(), timeout=seconds), f"no longer: {what}"

    def wait_for_rest(self, seconds: float) -> None:
        """Wait until nothing has changed anywhere for some time: earlier tests leave work for the collector.

        Raises:
            AssertionError: it went on changing.
        """
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while self._news.wait(timeout=seconds):
                assert time.monotonic() < deadline, f"still changing after {PATIENCE} s"

    def _watch(self, kind: str) -> None:
        newest: str | None = None
        while not self._is_over.is_set():
            try:
                for event in Api(self._stack).watch(kind, newest):
                    self._record(kind, event)
                    newest = event["object"]["metadata"].get("resourceVersion")
            except requests.HTTPError:
                newest = None  # too old to continue from there
            except requests.RequestException:
                pass  # it continues from there; a new watch would not show what was deleted meanwhile
            self._is_over.wait(_AGAIN_SECONDS)

    def _record(self, kind: str, event: dict[str, Any]) -> None:
        if event["type"] not in {"ADDED", "MODIFIED", "DELETED"}:
            return
        version = Version(time.monotonic(), {**event["object"], "kind": kind}, event["type"] == "DELETED")
        with self._news:
            life = self._lives[Ref.of(version.manifest)]
            if life.newest is None or life.newest.number < version.number:  # else told again by a new watch
                life.versions.append(version)
                self._news.notify_all()


def eventually(what: str, condition: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Wait for what no watch tells, such as an answer of Prometheus; only here is asked again and again.

    Raises:
        AssertionError: it did not come within that time.
    """
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return result
