"""The fights over traffic objects that this process is in, an input of the next observation.

A change that is restored at once is an Event. One that comes again before it may be restored, since the pace
of the same writes is bounded, is a fight: then the split that is desired is not the one that holds.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.traffic.drift import Drift
from agentrollouts.core.traffic.observed import Contest

CALM: Final = timedelta(seconds=10)
"""A fight is over once nothing had to wait for so long."""


class Contests:
    """The fight of each rollout, one at a time: the first object and writer are named throughout."""

    def __init__(self) -> None:
        self._known: dict[Ref, Contest] = {}

    def of(self, key: Ref, now: datetime) -> Contest | None:
        """The fight that a rollout is in."""
        contest = self._known.get(key)
        if contest is None or contest.since <= now < contest.until:
            return contest
        del self._known[key]
        return None

    def note(self, key: Ref, held_back: Sequence[Drift], now: datetime) -> None:
        """Take in what a rollout has to write again, and may not write yet."""
        if not held_back:
            return
        first, known = held_back[0], self.of(key, now)
        self._known[key] = Contest(
            target=known.target if known else first.target,
            by=(known and known.by) or first.by,
            since=known.since if known else now,
            until=now + CALM,
            is_deleted=known.is_deleted if known else first.is_gone,
        )

    def forget(self, key: Ref) -> None:
        """A rollout is gone or cannot be read."""
        self._known.pop(key, None)
