"""When a server is not worth querying: after some failures in a row it gets only one query a pause.

One for each namespace at each server. A namespace whose own queries time out holds few connections, and stops
no one else. While a server is really down, each namespace queries it once in a pause, and the connections
bound the whole (`slots`). A fault of one query (refused, too large) is not a fault of the server. There is no
clock in here: the time is given.
"""

from dataclasses import replace
from typing import Final, TypeGuard

from agentrollouts.adapters.prometheus.envelope import Matrix, QueryError, QueryErrorKind, Vector

SERVER_FAULTS: Final = frozenset(
    {QueryErrorKind.UNREACHABLE, QueryErrorKind.TIMEOUT, QueryErrorKind.SERVER_ERROR}
)
_TOLERATED: Final = 3
"""Failures in a row after which the server is left alone. Fewer, and one slow query of one rollout would
stop all of its namespace."""
_MAX_PAUSE_SECONDS: Final = 5.0
"""The longest pause, and so the longest delay that this adds to noticing that the server is back."""
_FORGOTTEN_SECONDS: Final = 600.0
"""A namespace that has not queried for so long after a failure starts from zero."""
_SWEEP: Final = 1024
"""From so many failing namespaces on, those that no longer query are forgotten."""


class Breaker:
    """Closed at first. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._failures = 0
        self.retry_at = 0.0
        self._last: QueryError | None = None

    def refusal(self, now: float) -> QueryError | None:
        """Why not to query now, or None: then query, and `note` the outcome. One a pause gets None."""
        if self._failures < _TOLERATED or self._last is None:
            return None
        if now >= self.retry_at:
            self.retry_at = now + self._pause()
            return None
        message = f"not queried again yet, after {self._failures} failures: {self._last.message}"
        return replace(self._last, message=message, was_sent=False)

    def note(self, outcome: Vector | Matrix | QueryError, now: float) -> None:
        """Learn from the outcome of a query."""
        if not is_fault(outcome):
            self._failures = 0
            return
        self._failures += 1
        self._last = outcome
        self.retry_at = now + self._pause()

    def _pause(self) -> float:
        return min(2.0 ** min(self._failures - _TOLERATED, 10), _MAX_PAUSE_SECONDS)


class Breakers:
    """The breakers of one server, by namespace; one without a failure is not kept."""

    def __init__(self) -> None:
        self._failing: dict[str, Breaker] = {}

    def refusal(self, namespace: str, now: float) -> QueryError | None:
        """As of the namespace's own breaker."""
        breaker = self._failing.get(namespace)
        return breaker.refusal(now) if breaker else None

    def note(self, namespace: str, outcome: Vector | Matrix | QueryError, now: float) -> None:
        """Learn from the outcome of a query of the namespace."""
        if not is_fault(outcome):
            self._failing.pop(namespace, None)
            return
        if namespace not in self._failing and len(self._failing) >= _SWEEP:
            since = now - _FORGOTTEN_SECONDS
            self._failing = {name: each for name, each in self._failing.items() if each.retry_at > since}
        self._failing.setdefault(namespace, Breaker()).note(outcome, now)


def is_fault(outcome: Vector | Matrix | QueryError) -> TypeGuard[QueryError]:
    """Whether the server failed, and not the query."""
    return isinstance(outcome, QueryError) and outcome.kind in SERVER_FAULTS
