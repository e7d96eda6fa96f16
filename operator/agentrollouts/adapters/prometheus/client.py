"""Prometheus as the poller sees it: a query in, rows or one error value out, within a hard deadline.

Called by `shell.inputs.questions` only; reconcile never waits here. prometheus-api-client is kept for the
connection (its session's adapter, with retries off), but its `custom_query` is not used: it drops
`warnings`, so that a partial answer looks whole; it reads a body of any size; it puts the query into the
URL even when it posts; its errors repeat the body. The envelope is read in `envelope` instead, and nothing
of it reaches an error. The adapter is used without its session, so there are no redirects, no cookies, no
proxy variables and no netrc; that, and a form encoded by yarl, halve the processor time of a query.

A synchronous client needs threads, and a thread cannot be killed. The following limits keep a server that
hangs, and a namespace with slow queries, from starving others. Each source has a few threads of its own, and
a query is made within a slot (`slots`), so that a thread is free for it and its deadline is all the server's.
At the deadline the socket is shut down, which wakes the thread wherever it reads. Connecting has the same
limit. Only name resolution cannot be interrupted; the resolver of the system bounds it.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Generic, TypeVar

from agentrollouts.adapters.prometheus.breaker import Breakers, is_fault
from agentrollouts.adapters.prometheus.build import AUTO, VICTORIA_METRICS, Build, read_build
from agentrollouts.adapters.prometheus.envelope import (
    Matrix,
    QueryError,
    QueryErrorKind,
    Vector,
    read_matrix,
    read_refusal,
    read_vector,
)
from agentrollouts.adapters.prometheus.exchange import Exchange
from agentrollouts.adapters.prometheus.sending import (
    FAILURES,
    MAX_BYTES,
    adapter_of,
    failure,
    late,
    read_body,
    send,
)
from agentrollouts.adapters.prometheus.slots import Slots
from agentrollouts.adapters.prometheus.source import Source

BUILD_AGAIN_SECONDS: Final = 600.0
"""Interval between requests to a server without build information."""
QUICK_SECONDS: Final = 1.0
"""A query that takes longer, or a quarter of the deadline, is slow."""

T = TypeVar("T", Vector, Matrix, Build)
A = TypeVar("A", Vector, Matrix)


@dataclass(frozen=True, slots=True)
class _Question(Generic[T]):
    path: str
    form: dict[str, str] | None
    """What is posted; None to get the path."""
    read: Callable[[bytes], T | QueryError]


class Prometheus:
    """One Prometheus server; built once, used by many tasks, ended by `close`.

    Args:
        source: Address, credentials, deadline and number of concurrent queries.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._adapter = adapter_of(source)
        concurrent = source.concurrent_queries
        self._threads = ThreadPoolExecutor(
            concurrent + 1,  # the build information needs no slot
            thread_name_prefix=f"prometheus-{source.name}",
        )
        self._slots = Slots(concurrent, min(QUICK_SECONDS, source.timeout_seconds / 4))
        self._breakers = Breakers()
        self._is_closed = False
        self._build: Build | None = None
        self._build_due, self._build_lock = 0.0, asyncio.Lock()

    @property
    def namespace_label(self) -> str:
        """Under which label its series carry the namespace of their tenant."""
        return self._source.namespace_label

    def close(self) -> None:
        """Close idle connections. Queries in progress are answered; later ones get an error value."""
        self._is_closed = True
        self._threads.shutdown(wait=False)
        self._adapter.close()

    async def counts_births(self) -> bool:
        """Whether its `increase` already counts the first value of a series, as that of VictoriaMetrics does.

        As the settings say, else by its build information; without any it is taken for Prometheus. It is
        requested on behalf of all, so no namespace's queries can delay it.
        """
        if self._source.flavor != AUTO:
            return self._source.flavor == VICTORIA_METRICS
        async with self._build_lock:  # no query is made before the answer is known
            if self._build is None and time.monotonic() >= self._build_due:
                self._build_due = time.monotonic() + BUILD_AGAIN_SECONDS
                build = await self._in_time(_Question("status/buildinfo", None, read_build))
                self._build = build if isinstance(build, Build) else None
        return self._build is not None and self._build.is_victoria_metrics

    def slot(self, namespace: str) -> AbstractAsyncContextManager[None]:
        """What to hold while a query of that namespace is prepared, made and read; others wait meanwhile."""
        return self._slots.take(namespace)

    def crowding(self, namespace: str) -> str | None:
        """How a namespace delays its own queries, in a sentence; None if it does not."""
        waited = self._slots.crowded_seconds(namespace)
        if waited is None:
            return None
        return (
            f"a query waited {waited:.0f} s behind others of namespace {namespace}, which may have "
            f"{self._slots.most} in progress at Prometheus source {self._source.name}, fewer while they are "
            "slow (half of prometheus[].concurrentQueries in the operator's settings); make the queries "
            "faster or their interval longer"
        )

    async def query(self, text: str, at: datetime, *, namespace: str = "") -> Vector | QueryError:
        """An instant query, within a slot of the namespace.

        Args:
            text: PromQL that gives an instant vector.
            at: The instant of evaluation; an answer for another instant is refused.
            namespace: On whose behalf.

        Returns:
            All rows, NaN and infinite values included, or why there is no complete answer. Nothing that a
            server does raises.
        """
        form = {"query": text, "time": _seconds(at)}
        return await self._query(namespace, _Question("query", form, lambda body: read_vector(body, at)))

    async def query_range(
        self, text: str, start: datetime, end: datetime, step: timedelta, *, namespace: str = ""
    ) -> Matrix | QueryError:
        """A range query: the values of `text` at `start`, `start + step` ... `end`; otherwise as `query`."""
        times = {"start": _seconds(start), "end": _seconds(end), "step": f"{step.total_seconds():.3f}"}
        return await self._query(namespace, _Question("query_range", {"query": text, **times}, read_matrix))

    async def _query(self, namespace: str, question: _Question[A]) -> A | QueryError:
        started = time.monotonic()
        outcome: A | QueryError | None = self._breakers.refusal(namespace, started)
        if outcome is None:
            outcome, now = await self._in_time(question), time.monotonic()
            self._breakers.note(namespace, outcome, now)
            self._slots.note(namespace, now - started, is_answer=not is_fault(outcome))
        if isinstance(outcome, QueryError):
            return replace(outcome, message=f"Prometheus source {self._source.name}: {outcome.message}")
        return outcome

    async def _in_time(self, question: _Question[T]) -> T | QueryError:
        """The hard deadline: from here on nothing takes longer."""
        if self._is_closed:
            return QueryError(QueryErrorKind.UNREACHABLE, "it is no longer in the settings")
        exchange = Exchange()
        future = self._threads.submit(self._exchange, exchange, question)
        try:
            async with asyncio.timeout(self._source.timeout_seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            return late(self._source)
        finally:
            exchange.end()

    def _exchange(self, exchange: Exchange, question: _Question[T]) -> T | QueryError:
        """What runs in a thread: send, receive, check."""
        try:
            with exchange, send(self._adapter, self._source, question.path, question.form) as response:
                body = read_body(response)
        except FAILURES as error:
            return failure(error, self._source)
        if len(body) > MAX_BYTES:
            return QueryError(QueryErrorKind.TOO_LARGE, f"its response is longer than {MAX_BYTES} bytes")
        if response.status_code != HTTPStatus.OK:
            return read_refusal(response.status_code, body)
        return question.read(body)


def _seconds(at: datetime) -> str:
    return f"{at.timestamp():.3f}"
