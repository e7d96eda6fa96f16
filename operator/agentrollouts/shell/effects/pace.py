"""How often the same writes may be repeated: at once a few times, then with growing pauses.

A write without a visible effect is decided again, and the response of the API server is a reason to decide.
That must not become a loop as fast as the network if something else keeps changing the object, or if the API
server stores something else. Other writes, such as a rollback, are never delayed by this.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from agentrollouts.core.effects import Deletion, Effect, Patch

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

_Target = tuple[str, str]


class _Last(NamedTuple):
    digest: int
    times: int
    at: float


class Pace(Generic[K]):
    """What was written last for each key, object by object, and how often in a row.

    Each object counts by itself: someone who changes two in turn is slowed down as well.

    Args:
        clock: monotonic seconds, as of the running loop.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[K, dict[_Target, _Last]] = {}

    def pause(self, key: K, writes: Sequence[Effect], *, longest: float = PAUSE_LAST) -> float:
        """Seconds until these writes may be done; 0 for now, and then they count as done.

        They wait only if each of them is a repetition, and then for the first that is due.
        """
        recent, due = self._recent(key), _due(writes)
        left = self._left(recent, due, longest)
        if due and not left:
            now, counts = self._clock(), {target: last.times for target, last in _same(recent, due).items()}
            done = {target: _Last(digest, counts.get(target, 0) + 1, now) for target, digest in due.items()}
            self._last[key] = recent | done
        return left

    def left(self, key: K, writes: Sequence[Effect], *, longest: float = PAUSE_LAST) -> float:
        """The same, and they do not count as done."""
        return self._left(self._recent(key), _due(writes), longest)

    def forget(self, key: K) -> None:
        """The object is gone."""
        self._last.pop(key, None)

    def _left(self, recent: Mapping[_Target, _Last], due: Mapping[_Target, int], longest: float) -> float:
        repeated = _same(recent, due)
        if not repeated or len(repeated) < len(due):
            return 0.0
        ends = (last.at + min(_pause_after(last.times), longest) for last in repeated.values())
        return max(0.0, min(ends) - self._clock())

    def _recent(self, key: K) -> dict[_Target, _Last]:
        """What was written lately for each object."""
        now, known = self._clock(), self._last.get(key, {})
        return {target: last for target, last in known.items() if now < last.at + CALM_SECONDS}


def _pause_after(times: int) -> float:
    return min(PAUSE_FIRST * 2 ** min(times - AT_ONCE, 10), PAUSE_LAST) if times >= AT_ONCE else 0.0


def _same(recent: Mapping[_Target, _Last], due: Mapping[_Target, int]) -> dict[_Target, _Last]:
    """What was written last, where it is written again."""
    return {target: last for target, last in recent.items() if due.get(target) == last.digest}


def _due(writes: Sequence[Effect]) -> Mapping[_Target, int]:
    """What is written to each object, by its kind and name."""
    found = defaultdict[_Target, list[Effect]](list)
    for write in writes:
        found[str(write.manifest["kind"]), str(write.manifest["metadata"].get("name"))].append(write)
    return {target: _digest(effects) for target, effects in found.items()}


def _digest(writes: Sequence[Effect]) -> int:
    contents = [(type(write).__name__, _desired(write), [*_stated(write)]) for write in writes]
    return hash(json.dumps(contents, sort_keys=True, default=dict))


def _desired(write: Effect) -> Mapping[str, Any]:
    """The desired object, on any version: a writer that keeps changing it creates a new version each time."""
    if isinstance(write, Deletion):
        return {}
    metadata = write.manifest["metadata"]
    kept = {key: value for key, value in metadata.items() if key != "resourceVersion"}
    return {**write.manifest, "metadata": kept}


def _stated(write: Effect) -> Iterator[object]:
    """What a patch says, such as the mark of a rollback, without what depends on what it has found.

    Which weights it sets, what it removes and what it tests follow from what someone else has written.
    """
    for operation in write.operations if isinstance(write, Patch) else ():
        if operation["op"] == "add" and not str(operation["path"]).endswith("/weight"):
            yield operation
