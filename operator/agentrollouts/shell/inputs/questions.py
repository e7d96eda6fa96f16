"""What a rollout's poll queries at one tick: its counts, and once its history and what selectors can match.

Between `poller`, which says when, and the Prometheus adapter. Everything that costs processor time, from the
text of a query to the rows of its result, happens within a slot of the rollout's namespace, so that a burst
of one namespace comes in no faster than its slots do.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.adapters.prometheus.envelope import Matrix, QueryError, QueryErrorKind, Vector
from agentrollouts.api.reasons import Reason
from agentrollouts.core.gates.reading import Unreadable
from agentrollouts.core.gates.selector import Selector
from agentrollouts.core.metrics.census import Sighted, render_census, sighted
from agentrollouts.core.metrics.evidence import STEP, EvidenceQuery
from agentrollouts.core.metrics.poll import Poll, PollResult, Series
from agentrollouts.core.metrics.promql import for_namespace, render, render_burst, render_minutes
from agentrollouts.core.metrics.queries import BURST_HISTORY, BURST_STEP, QueryPlan
from agentrollouts.core.metrics.table import QueryResult, to_result
from agentrollouts.shell.clock import Clock
from agentrollouts.shell.inputs.shares import Shares, cost

SIGHTED_AGAIN: Final = timedelta(seconds=15)
"""How long a series that was missing stays missing."""


class Server(Protocol):
    """A Prometheus server; `adapters.prometheus.client.Prometheus` is one."""

    @property
    def namespace_label(self) -> str:
        """Under which label its series carry the namespace of their tenant."""

    async def counts_births(self) -> bool:
        """Whether its `increase` already counts the first value of a series."""

    def slot(self, namespace: str) -> AbstractAsyncContextManager[None]:
        """What to hold during a query of that namespace."""

    def crowding(self, namespace: str) -> str | None:
        """How a namespace delays its own queries, in a sentence; None if it does not."""

    async def query(self, text: str, at: datetime, *, namespace: str) -> Vector | QueryError:
        """An instant query."""

    async def query_range(
        self, text: str, start: datetime, end: datetime, step: timedelta, *, namespace: str
    ) -> Matrix | QueryError:
        """A range query."""


FindServer = Callable[[str, str], Server | None]
"""The server of that source name, if rollouts of that namespace may use it."""


@dataclass(kw_only=True)
class Topic:
    """What is queried for one rollout, and what is known of the answers."""

    poll: Poll
    newest: PollResult | None = None
    rows: int = 0
    """Of the newest result."""
    timeouts: int = 0
    """Queries in a row that timed out."""
    actual_seconds: float | None = None
    """Between the last two queries."""
    history_before: datetime | None = None
    history: Series | None = None
    sighted: Sighted | None = None
    sighted_at: datetime | None = None
    looked_for: frozenset[Selector] = field(default_factory=frozenset)

    @property
    def price(self) -> float:
        """What the next query costs."""
        return cost(self.poll.gates, self.rows)

    def forget(self) -> None:
        """Results that are queried once are kept, and do not age."""
        self.history_before = self.history = self.sighted = self.sighted_at = None
        self.looked_for = frozenset()


class Questions:
    """Queries the servers of the settings.

    Args:
        find_server: Finds the server to query; called for every tick, since settings can change.
        shares: How many queries a namespace may make.
        polled: Called for every query of counts: source, outcome, seconds.
        clock: Time of the queries.
    """

    def __init__(
        self,
        find_server: FindServer,
        shares: Shares,
        polled: Callable[[str, str, float], None],
        clock: Clock,
    ) -> None:
        self._find_server = find_server
        self._shares = shares
        self._polled = polled
        self._clock = clock

    async def query(self, key: Ref, topic: Topic) -> bool:
        """One tick; False if there was nothing to query yet."""
        poll, namespace = topic.poll, key.namespace
        if not poll.plan.has_begun(self._clock()):
            return False
        server = self._find_server(poll.source, namespace)
        if server is None:
            message = f"spec.metrics.source: the settings have no source {poll.source} for this namespace"
            topic.newest = PollResult(plan=poll.plan, result=Unreadable(message, Reason.SOURCE_UNKNOWN))
            return True
        births = not await server.counts_births()
        plan = for_namespace(poll.plan, server.namespace_label, births=births)
        question = self._counts(server, namespace, topic, plan)
        history, sightings = None, None
        if poll.history_before is not None or poll.census is not None:
            history, sightings, result = await asyncio.gather(
                self._history(server, namespace, topic), self._sighted(server, namespace, topic), question
            )
        else:
            result = await question
            topic.forget()
        if result is None:
            return False
        topic.newest = PollResult(
            plan=poll.plan,
            result=result,
            history=history,
            sighted=sightings,
            namespace_label=server.namespace_label,
            counts_births=not births,
            interval_seconds=topic.actual_seconds,
            excess=self._excess(server, namespace, topic),
        )
        return True

    async def minutes(self, key: Ref, query: EvidenceQuery) -> Series | str:
        """The counts per minute before a rollback, or why there are none."""
        server, namespace = self._find_server(query.source, key.namespace), key.namespace
        if server is None:
            return f"the settings have no source {query.source} for this namespace"
        plan = for_namespace(query.plan, server.namespace_label)
        text = render_minutes(plan, plan.subject.releases)
        if text is None:
            return ()
        await self._shares.wait(namespace)
        async with server.slot(namespace):
            response = await server.query_range(text, query.start, query.end, STEP, namespace=namespace)
        return response.message if isinstance(response, QueryError) else response.series

    def _excess(self, server: Server, namespace: str, topic: Topic) -> str | None:
        seconds, actual = topic.poll.interval_seconds, topic.actual_seconds
        return self._shares.excess(namespace, seconds, actual) or server.crowding(namespace)

    async def _counts(
        self, server: Server, namespace: str, topic: Topic, plan: QueryPlan
    ) -> QueryResult | Unreadable | None:
        """The counts as of the moment of the slot; None if none has begun."""
        poll = topic.poll
        async with server.slot(namespace):
            at = self._clock()
            text = render(plan, at)
            if text is None:
                return None
            started = asyncio.get_running_loop().time()
            response = await server.query(text, at, namespace=namespace)
            outcome = response.kind.value if isinstance(response, QueryError) else "Answered"
            self._polled(poll.source, outcome, asyncio.get_running_loop().time() - started)
            if not isinstance(response, QueryError):
                topic.timeouts, topic.rows = 0, len(response.rows)
                return to_result(poll.plan, at, response.rows)
        if response.was_sent:
            topic.timeouts = topic.timeouts + 1 if response.kind is QueryErrorKind.TIMEOUT else 0
        is_refused = response.kind is QueryErrorKind.REFUSED
        return Unreadable(response.message, Reason.INVALID_GATE if is_refused else Reason.METRICS_UNAVAILABLE)

    async def _sighted(self, server: Server, namespace: str, topic: Topic) -> Sighted | None:
        """Which selectors have ever matched: queried once, and from then on for new series.

        A selector that has matched once stays so; only missing ones are queried again, with the series that
        exist by then.
        """
        poll, at, earlier = topic.poll, self._clock(), topic.sighted
        census = poll.census
        if census is None:
            return None
        is_first = earlier is None or not topic.looked_for.issuperset(census.selectors)
        if not is_first and topic.sighted_at and at < topic.sighted_at + SIGHTED_AGAIN:
            return earlier
        of = replace(census, subject=for_namespace(poll.plan, server.namespace_label).subject)
        await self._shares.wait(namespace)
        async with server.slot(namespace):
            response = await server.query(render_census(of, first=is_first), at, namespace=namespace)
        if isinstance(response, QueryError):
            return None if is_first else earlier
        news = sighted(of, response.rows)
        seen = news.seen if is_first or earlier is None else news.seen | earlier.seen
        topic.looked_for, topic.sighted_at = topic.looked_for.union(census.selectors), at
        topic.sighted = replace(news, seen=seen)
        return topic.sighted

    async def _history(self, server: Server, namespace: str, topic: Topic) -> Series | None:
        """Stable's counts per minute before the attempt: queried once, and again only after a failure."""
        before = topic.poll.history_before
        if before is None:
            return None
        if topic.history_before != before:
            text = render_burst(for_namespace(topic.poll.plan, server.namespace_label))
            if text is None:
                return None
            await self._shares.wait(namespace)
            start = before - BURST_HISTORY
            async with server.slot(namespace):
                response = await server.query_range(text, start, before, BURST_STEP, namespace=namespace)
            if isinstance(response, QueryError):
                return None
            topic.history_before, topic.history = before, response.series
        return topic.history
