"""How often the same writes may be repeated: at once a few times, then with growing pauses.

A write without a visible effect is decided again, and the response of the API server is a reason to decide.
That must not become a loop as fast as the network if something else keeps changing the object, or if the API
server stores something else. Other writes, such as a rollback, are never delayed by this.
"""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from agentrollouts.core.effects import Effect, Patch

K = TypeVar("K", bound=Hashable)

AT_ONCE: Final = 5
"""So often the same writes are done without a pause."""
PAUSE_FIRST: Final = 0.5
"""Seconds before the next repetition; each further one waits twice as long."""
PAUSE_LAST: Final = 2.0
"""Largest interval between repetitions, in seconds: one of them can be a rollback that the API server
rejected."""
CALM_SECONDS: Final = 120.0
"""What was not written for so long is not a repetition."""


class _Last(NamedTuple):
    digest: int
    times: int
    at: float


class Pace(Generic[K]):
    """What was written last for each key, and how often in a row.

    Args:
        clock: monotonic seconds, as of the running loop.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[K, _Last] = {}

    def pause(self, key: K, writes: Sequence[Effect], *, longest: float = PAUSE_LAST) -> float:
        """Seconds until these writes may be done; 0 for now, and then they count as done."""
        if not writes:
            return 0.0
        now, digest = self._clock(), _digest(writes)
        last = self._last.get(key)
        times = 0
        if last is not None and last.digest == digest and now < last.at + CALM_SECONDS:
            times = last.times
            if (left := last.at + min(_pause_after(times), longest) - now) > 0:
                return left
        self._last[key] = _Last(digest, times + 1, now)
        return 0.0

    def forget(self, key: K) -> None:
        """The object is gone."""
        self._last.pop(key, None)


def _pause_after(times: int) -> float:
    return min(PAUSE_FIRST * 2 ** min(times - AT_ONCE, 10), PAUSE_LAST) if times >= AT_ONCE else 0.0


def _digest(writes: Sequence[Effect]) -> int:
    contents = [(type(write).__name__, _any_version(write.manifest), _operations(write)) for write in writes]
    return hash(json.dumps(contents, sort_keys=True, default=dict))


def _any_version(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The desired object, on any version: a writer that keeps changing it creates a new version each time."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
    return {**manifest, "metadata": metadata}


def _operations(write: Effect) -> Sequence[object]:
    return write.operations if isinstance(write, Patch) else ()
