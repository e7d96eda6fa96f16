"""When a server is not worth asking: after some failures in a row it gets only one query a pause.

Used by `prometheus`, one for each server. Hundreds of rollouts share a server; without this each of them
would hold one of its few threads up to the deadline while it is down. A fault of one query (refused, too
large) is not a fault of the server. There is no clock in here: the time is given.
"""

from typing import Final

from agentrollouts.adapters.prometheus.envelope import Matrix, QueryError, QueryErrorKind, Vector

_SERVER_FAULTS: Final = {QueryErrorKind.UNREACHABLE, QueryErrorKind.TIMEOUT, QueryErrorKind.SERVER_ERROR}
_TOLERATED: Final = 3
"""Failures in a row after which the server is left alone. Fewer, and one slow query of one rollout would
stop all."""
_MAX_PAUSE_SECONDS: Final = 5.0
"""The longest pause, and so the longest delay that this adds to noticing that the server is back."""


class Breaker:
    """Closed at first. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._failures = 0
        self._retry_at = 0.0
        self._last: QueryError | None = None

    def refusal(self, now: float) -> QueryError | None:
        """Why not to ask now, or None: then ask, and `note` the outcome. One asker a pause gets None."""
        if self._failures < _TOLERATED or self._last is None:
            return None
        if now >= self._retry_at:
            self._retry_at = now + self._pause()
            return None
        return QueryError(
            self._last.kind, f"not queried again yet, after {self._failures} failures: {self._last.message}"
        )

    def note(self, outcome: Vector | Matrix | QueryError, now: float) -> None:
        """Learn from the outcome of a question."""
        if not (isinstance(outcome, QueryError) and outcome.kind in _SERVER_FAULTS):
            self._failures = 0
            return
        self._failures += 1
        self._last = outcome
        self._retry_at = now + self._pause()

    def _pause(self) -> float:
        return min(2.0 ** min(self._failures - _TOLERATED, 10), _MAX_PAUSE_SECONDS)
