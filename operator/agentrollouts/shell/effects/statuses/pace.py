"""How often the status of an object may be written, whatever others do to what it says.

A status that comes again right after it was written was not stored as it was: the API server drops fields of
it, refuses its text, or someone else undoes it. One that differs by nothing but warnings stops nothing, and
others can bring a warning and take it away as often as they like. One of which fields are dropped can grow by
what the next decision does again. None of these may become a loop. Every other status is written at once, up
to a rate that no plan needs, and traffic never waits for any.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from agentrollouts.adapters.cluster.resources import Ref

AT_ONCE: Final = 5
"""So often the same status, or one that differs by warnings, is written without a pause."""
INCOMPLETE: Final = 30
"""The same of those that are not stored whole: a rollout needs fewer in a minute."""
PAUSE_FIRST: Final = 0.5
"""Seconds before the same status is written again; each further pause is twice as long."""
PAUSE_LAST: Final = 10.0
"""The longest pause, and seconds between two slow statuses in the long run."""
BURST: Final = 60
INTERVAL: Final = 0.5
"""So many statuses of any content are written at once, and one in so many seconds in the long run."""
REMEMBERED: Final = 10_000
"""Objects of which the last status is remembered."""


class _Last(NamedTuple):
    digest: int
    version: str
    """Version of the object that has what the API server stored of it."""
    is_whole: bool
    times: int
    at: float
    due: float
    """When the next status would be due if all of them had been written at the rate of the long run."""
    slow_due: float
    """The same of slow ones."""


_NONE: Final = _Last(0, "", is_whole=True, times=0, at=0.0, due=0.0, slow_due=0.0)


class StatusPace:
    """The last status of each object.

    Args:
        clock: monotonic seconds, as of the running loop.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: OrderedDict[Ref, _Last] = OrderedDict()

    def is_stored(self, key: Ref, digest: int, version: str) -> bool:
        """Whether a version of an object has what the API server stores of a status."""
        last = self._last.get(key, _NONE)
        return (last.digest, last.version, last.is_whole) == (digest, version, True)

    def left(self, key: Ref, digest: int, *, burst: int | None) -> float:
        """Seconds until a status may be written.

        Args:
            key: The object.
            digest: Digest of the status.
            burst: How many like it are written without a pause; None for one that cannot wait. It can if it
                differs by nothing but warnings, or is not stored whole.
        """
        last = self._last.get(key, _NONE)
        ends = [last.due - (BURST - 1) * INTERVAL]
        ends += [last.at + _pause_after(last.times)] if last.digest == digest else []
        ends += [last.slow_due - (burst - 1) * PAUSE_LAST] if burst else []
        return max(0.0, max(ends) - self._clock())

    def note(self, key: Ref, digest: int, version: str, *, is_whole: bool, is_slow: bool) -> None:
        """A status was written.

        Args:
            key: The object.
            digest: Digest of the status as it was decided.
            version: Version of the object that has it.
            is_whole: Whether it was not written with less text.
            is_slow: Whether it could wait.
        """
        last, now = self._last.pop(key, _NONE), self._clock()
        times = last.times + 1 if last.digest == digest else 1
        due = max(last.due, now) + INTERVAL
        slow_due = max(last.slow_due, now) + PAUSE_LAST if is_slow else last.slow_due
        self._last[key] = _Last(digest, version, is_whole, times, now, due, slow_due)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)

    def forget(self, key: Ref) -> None:
        """The object is gone."""
        self._last.pop(key, None)


def _pause_after(times: int) -> float:
    return min(PAUSE_FIRST * 2 ** min(times - AT_ONCE, 10), PAUSE_LAST) if times >= AT_ONCE else 0.0
