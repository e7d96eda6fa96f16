"""Polls Prometheus for each rollout on its own interval; an input like any other.

Between Prometheus and the queue. A decision says what to query (`poll`); a task per rollout queries
again and again, keeps the newest result for `observe` and marks the rollout dirty. `reconcile` never waits
for this, so a server that hangs delays no rollback, and a slow rollout delays no other.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.adapters.prometheus.envelope import Matrix, QueryError, QueryErrorKind, Vector
from agentrollouts.api.reasons import Reason
from agentrollouts.core.gates.reading import Unreadable
from agentrollouts.core.gates.selector import DEFAULT_LABELS, Selector
from agentrollouts.core.metrics.census import Sighted, render_census, sighted
from agentrollouts.core.metrics.poll import Poll, PollResult, Series
from agentrollouts.core.metrics.promql import for_namespace, render, render_burst
from agentrollouts.core.metrics.queries import BURST_HISTORY, BURST_STEP
from agentrollouts.core.metrics.table import QueryResult, to_result
from agentrollouts.shell.clock import Clock, utc_now

logger = logging.getLogger(__name__)

JITTER: Final = 0.05
"""Part of the interval by which ticks are late, so that rollouts do not ask in step; an early one would count
one scrape less."""
FIRST_APART: Final = 0.01
"""Seconds between the first queries of two rollouts: a single one starts at once, and after a restart
hundreds do not wait for each other until their deadlines."""
STEP: Final = 0.01
"""Part of the interval to whose multiples ticks are put off. Looks that follow each other find the code
in the processor's caches, and cost a fifth less than as many that wake the process one by one."""


SIGHTED_AGAIN: Final = timedelta(seconds=15)
"""How long a series that was missing stays missing."""


class Server(Protocol):
    """A Prometheus server; `adapters.prometheus.client.Prometheus` is one."""

    @property
    def namespace_label(self) -> str:
        """Under which label its series carry the namespace of their tenant."""

    async def counts_births(self) -> bool:
        """Whether its `increase` already counts the first value of a series."""

    async def query(self, text: str, at: datetime) -> Vector | QueryError:
        """An instant query."""

    async def query_range(
        self, text: str, start: datetime, end: datetime, step: timedelta
    ) -> Matrix | QueryError:
        """A range query."""


FindServer = Callable[[str, str], Server | None]
"""The server of that source name, if rollouts of that namespace may use it."""


class Poller:
    """The queries in progress and the newest results, by rollout.

    Args:
        find_server: Finds the server to query; called for every query, since settings can change.
        on_result: Called for every rollout that got a result.
        polled: Called for every query: source, outcome, seconds.
        clock: Time of the queries.
    """

    def __init__(
        self,
        find_server: FindServer,
        on_result: Callable[[Ref], None],
        polled: Callable[[str, str, float], None],
        clock: Clock = utc_now,
    ) -> None:
        self._find_server = find_server
        self._on_result = on_result
        self._polled = polled
        self._clock = clock
        self._followed: dict[Ref, _Follower] = {}
        self._free_from = 0.0
        """When the next first query can be sent, in seconds of the loop."""

    def newest(self, key: Ref) -> PollResult | None:
        """The newest answer for a rollout."""
        follower = self._followed.get(key)
        return follower.newest if follower else None

    def poll(self, key: Ref, poll: Poll | None) -> None:
        """Ask this for the rollout from now on, or nothing; to say the same again changes nothing."""
        follower = self._followed.get(key)
        if poll is None:
            if follower is not None:
                follower.task.cancel()
                del self._followed[key]
        elif follower is None:
            self._followed[key] = follower = _Follower(poll)
            self._start(key, follower)
        else:
            known = follower.poll
            if poll != known:  # else it shares its plan with the newest answer
                follower.poll = poll
            if poll.interval_seconds != known.interval_seconds:  # do not sit out the old one
                follower.task.cancel()
                self._start(key, follower)

    def close(self) -> None:
        """Stop querying."""
        for key in tuple(self._followed):
            self.poll(key, None)

    def _start(self, key: Ref, follower: "_Follower") -> None:
        now = asyncio.get_running_loop().time()
        first = max(now, self._free_from)
        self._free_from = first + FIRST_APART
        polling = self._keep_polling(key, follower, first - now)
        follower.task = asyncio.create_task(polling, name=f"poll {key}")

    async def _keep_polling(self, key: Ref, follower: "_Follower", delay: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(delay)
        while True:
            started = loop.time()
            try:
                if await self._ask(key, follower):
                    self._on_result(key)
            except Exception:  # a bug; the rollout sees its data grow old, and the next tick may fare better
                logger.exception("Failed to query Prometheus for %s", key)
            due = _due(started, follower.poll.interval_seconds)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _ask(self, key: Ref, follower: "_Follower") -> bool:
        """One interval; False if there was nothing to query yet."""
        poll, at = follower.poll, self._clock()
        server = self._find_server(poll.source, key.namespace)
        label = server.namespace_label if server else DEFAULT_LABELS.namespace
        births = server is None or not await server.counts_births()
        text = render(for_namespace(poll.plan, label, births=births), at)
        if text is None:
            return False
        if server is None:
            message = f"spec.metrics.source: the settings have no source {poll.source} for this namespace"
            follower.newest = PollResult(plan=poll.plan, answer=Unreadable(message, Reason.SOURCE_UNKNOWN))
            return True
        question = self._query(server, poll.source, text, at)
        once = poll.history_before is not None or poll.census is not None
        if once:
            history, sighted, found = await asyncio.gather(
                self._history(server, follower, poll), self._sighted(server, follower, poll), question
            )
        else:
            history, sighted, found = None, None, await question
            follower.forget()
        follower.newest = PollResult(
            plan=poll.plan,
            answer=_answer(poll, at, found),
            history=history,
            sighted=sighted,
            namespace_label=label,
            counts_births=not births,
        )
        return True

    async def _sighted(self, server: Server, follower: "_Follower", poll: Poll) -> Sighted | None:
        """Which selectors have ever matched: queried once, and from then on for new series.

        A selector that has matched once stays so; only missing ones are queried again, with the series that
        exist by then.
        """
        census, at, known = poll.census, self._clock(), follower.sighted
        if census is None:
            return None
        is_first = known is None or not follower.looked_for.issuperset(census.selectors)
        if not is_first and follower.sighted_at and at < follower.sighted_at + SIGHTED_AGAIN:
            return known
        of = replace(census, subject=for_namespace(poll.plan, server.namespace_label).subject)
        found = await server.query(render_census(of, first=is_first), at)
        if isinstance(found, QueryError):
            return None if is_first else known
        news = sighted(of, found.rows)
        seen = news.seen if is_first or known is None else news.seen | known.seen
        follower.looked_for, follower.sighted_at = follower.looked_for.union(census.selectors), at
        follower.sighted = replace(news, seen=seen)
        return follower.sighted

    async def _query(self, server: Server, source: str, text: str, at: datetime) -> Vector | QueryError:
        started = asyncio.get_running_loop().time()
        found = await server.query(text, at)
        outcome = found.kind.value if isinstance(found, QueryError) else "Answered"
        self._polled(source, outcome, asyncio.get_running_loop().time() - started)
        return found

    async def _history(self, server: Server, follower: "_Follower", poll: Poll) -> Series | None:
        """Stable's counts per minute before the attempt: queried once, and again only after a failure."""
        plan = for_namespace(poll.plan, server.namespace_label)
        before, text = poll.history_before, render_burst(plan)
        if before is None or text is None:
            return None
        if follower.history_before != before:
            found = await server.query_range(text, before - BURST_HISTORY, before, BURST_STEP)
            if isinstance(found, QueryError):
                return None
            follower.history_before, follower.history = before, found.series
        return follower.history


def _due(started: float, interval: float) -> float:
    """When to ask again, together with others of the same interval; never early."""
    step = interval * STEP
    return math.ceil((started + interval * random.uniform(1, 1 + JITTER)) / step) * step


class _Follower:
    """One rollout's questions."""

    task: "asyncio.Task[None]"

    def __init__(self, poll: Poll) -> None:
        self.poll = poll
        self.newest: PollResult | None = None
        self.history_before: datetime | None = None
        self.history: Series | None = None
        self.sighted: Sighted | None = None
        self.sighted_at: datetime | None = None
        self.looked_for: frozenset[Selector] = frozenset()

    def forget(self) -> None:
        """Results that are queried once are kept, and do not age."""
        self.history_before = self.history = self.sighted = self.sighted_at = None
        self.looked_for = frozenset()


def _answer(poll: Poll, at: datetime, found: Vector | QueryError) -> QueryResult | Unreadable:
    if isinstance(found, QueryError):
        is_refused = found.kind is QueryErrorKind.REFUSED
        return Unreadable(found.message, Reason.INVALID_GATE if is_refused else Reason.METRICS_UNAVAILABLE)
    return to_result(poll.plan, at, found.rows)
