"""Prometheus as the poller sees it: a query in, rows or one error value out, within a hard deadline.

Called by `shell.inputs.poller` only; reconcile never waits here. prometheus-api-client is kept for the
connection (its session's adapter, with retries off), but its `custom_query` is not used: it drops
`warnings`, so that a partial answer looks whole; it reads a body of any size; it puts the query into the
URL even when it posts; its errors repeat the body. The envelope is read in `envelope` instead, and nothing
of it reaches an error. The adapter is used without its session, so there are no redirects, no cookies, no
proxy variables and no netrc; that, and a form encoded by yarl, halve the processor time of a query.

A synchronous client needs threads, and a thread cannot be killed. The following limits keep a server that
hangs from starving others. Each source has a few threads of its own. A query gets a thread or fails at its
deadline; it never queues behind another one. At the deadline the socket is shut down, which wakes the thread
wherever it reads. Connecting has the same limit. Only name resolution cannot be interrupted; the resolver of
the system bounds it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.util import Retry
from yarl import URL

from agentrollouts.adapters.prometheus.breaker import Breaker
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
from agentrollouts.adapters.prometheus.exchange import POOLS, Exchange
from agentrollouts.adapters.prometheus.source import Source

MAX_BYTES: Final = 1 << 20
"""The longest body that is read. Parsing 62 MB was seen to hold the interpreter's lock, and so the loop,
for 1.6 s."""

_PART: Final = 1 << 18
"""Bytes read at a time."""

_MAX_SERIES: Final = 10_000
"""Sent as `limit`, so that a server that knows it cuts a runaway answer short, with a warning."""

_SERVER_SHARE: Final = 0.9
"""The part of the deadline that the server is given, so that it can still say that it was not enough."""

_HEADERS: Final[Mapping[str, str]] = {
    "Accept-Encoding": "identity",  # the limit counts bytes as they come
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "agentrollouts",
}

BUILD_AGAIN_SECONDS: Final = 600.0
"""Interval between requests to a server without build information."""

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
        source: Address, credentials and deadline.
        concurrent: Number of concurrent queries; also the number of threads.
    """

    def __init__(self, source: Source, *, concurrent: int = 4) -> None:
        self._source = source
        self._adapter = _adapter(source)
        self._threads = ThreadPoolExecutor(concurrent, thread_name_prefix=f"prometheus-{source.name}")
        self._free = asyncio.Semaphore(concurrent)
        self._breaker = Breaker()
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

        As the settings say, else by its build information; without any it is taken for Prometheus.
        """
        if self._source.flavor != AUTO:
            return self._source.flavor == VICTORIA_METRICS
        async with self._build_lock:  # no query is made before the answer is known
            if self._build is None and time.monotonic() >= self._build_due:
                self._build_due = time.monotonic() + BUILD_AGAIN_SECONDS
                found = await self._in_time(_Question("status/buildinfo", None, read_build))
                self._build = found if isinstance(found, Build) else None
        return self._build is not None and self._build.is_victoria_metrics

    async def query(self, text: str, at: datetime) -> Vector | QueryError:
        """An instant query.

        Args:
            text: PromQL that gives an instant vector.
            at: The instant of evaluation; an answer for another instant is refused.

        Returns:
            All rows, NaN and infinite values included, or why there is no complete answer. Nothing that a
            server does raises.
        """
        form = {"query": text, "time": _seconds(at)}
        return await self._ask(_Question("query", form, lambda body: read_vector(body, at)))

    async def query_range(
        self, text: str, start: datetime, end: datetime, step: timedelta
    ) -> Matrix | QueryError:
        """A range query: the values of `text` at `start`, `start + step` ... `end`; otherwise as `query`."""
        times = {"start": _seconds(start), "end": _seconds(end), "step": f"{step.total_seconds():.3f}"}
        return await self._ask(_Question("query_range", {"query": text, **times}, read_matrix))

    async def _ask(self, question: _Question[A]) -> A | QueryError:
        outcome: A | QueryError | None = self._breaker.refusal(time.monotonic())
        if outcome is None:
            outcome = await self._in_time(question)
            self._breaker.note(outcome, time.monotonic())
        if isinstance(outcome, QueryError):
            return replace(outcome, message=f"Prometheus source {self._source.name}: {outcome.message}")
        return outcome

    async def _in_time(self, question: _Question[T]) -> T | QueryError:
        """The hard deadline: from here on nothing takes longer, waiting for a thread included."""
        exchange, seconds = Exchange(), self._source.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
                if self._is_closed:
                    self._free.release()
                    return QueryError(QueryErrorKind.UNREACHABLE, "it is no longer in the settings")
                future = self._threads.submit(self._exchange, exchange, question)
                future.add_done_callback(self._release_in(asyncio.get_running_loop()))
                return await asyncio.wrap_future(future)
        except TimeoutError:
            return QueryError(QueryErrorKind.TIMEOUT, f"no response within {seconds:g} s")
        finally:
            exchange.end()

    def _release_in(self, loop: asyncio.AbstractEventLoop) -> Callable[[Future[Any]], None]:
        """A thread is free again when it has ended, which may be after its query was given up."""

        def release(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop has closed in the meantime: nothing waits for it
                loop.call_soon_threadsafe(self._free.release)

        return release

    def _exchange(self, exchange: Exchange, question: _Question[T]) -> T | QueryError:
        """What runs in a thread: send, receive, check."""
        try:
            with exchange, self._send(question) as response:
                body = _body(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return _failure(error)
        if len(body) > MAX_BYTES:
            return QueryError(QueryErrorKind.TOO_LARGE, f"its response is longer than {MAX_BYTES} bytes")
        if response.status_code != HTTPStatus.OK:
            return read_refusal(response.status_code, body)
        return question.read(body)

    def _send(self, question: _Question[T]) -> requests.Response:
        seconds = self._source.timeout_seconds
        limits = {"timeout": f"{max(1, int(seconds * _SERVER_SHARE * 1000))}ms", "limit": str(_MAX_SERIES)}
        form = None if question.form is None else URL.build(query=question.form | limits).raw_query_string
        request = requests.Request(
            "GET" if form is None else "POST",
            f"{self._source.url.rstrip('/')}/api/v1/{question.path}",
            headers={**_HEADERS, **_headers(self._source)},
            data=form,
        )
        trusted = str(self._source.ca_file) if self._source.ca_file else True
        return self._adapter.send(request.prepare(), stream=True, timeout=seconds, verify=trusted)


def _adapter(source: Source) -> HTTPAdapter:
    session = requests.Session()
    client = PrometheusConnect(url=source.url, session=session, retry=Retry(0), method="POST")
    adapter = session.get_adapter(client.url)
    assert isinstance(adapter, HTTPAdapter)  # noqa: S101 - the client has just mounted one
    adapter.poolmanager.pool_classes_by_scheme = POOLS
    return adapter


def _headers(source: Source) -> dict[str, str]:
    """Headers with secrets, read for each query.

    Raises:
        OSError: a file is not readable.
    """
    inline = {name: value.get_secret_value() for name, value in source.headers.items()}
    filed = {name: path.read_text().strip() for name, path in source.header_files.items()}
    token = source.bearer_token_file
    bearer = {"Authorization": f"Bearer {token.read_text().strip()}"} if token else {}
    return inline | filed | bearer


def _body(response: requests.Response) -> bytes:
    """The body to its end, since only then a missing end shows; or a little more than is allowed of it."""
    body = b""
    while len(body) <= MAX_BYTES and (part := response.raw.read(_PART, decode_content=False)):
        body += part
    return body


def _failure(error: Exception) -> QueryError:
    """What an exception of the client means. Its own text is not used: it repeats addresses and headers."""
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return QueryError(QueryErrorKind.TIMEOUT, "it did not continue in time")
    cause = _system_error(error)
    if isinstance(cause, FileNotFoundError | PermissionError | IsADirectoryError) and cause.filename:
        return QueryError(QueryErrorKind.UNREACHABLE, f"cannot read {cause.filename}: {cause.strerror}")
    if cause is not None:
        return QueryError(QueryErrorKind.UNREACHABLE, f"no connection: {cause.strerror or 'it was closed'}")
    if isinstance(error, requests.exceptions.InvalidHeader | ValueError):
        return QueryError(
            QueryErrorKind.UNREACHABLE, "a header has an invalid value; check the settings and their files"
        )
    return QueryError(QueryErrorKind.MALFORMED, "its response ends early, or is not HTTP")


def _system_error(error: BaseException | None) -> OSError | None:
    """The operating system's word at the bottom of an exception, if there is one."""
    while error is not None:
        if isinstance(error, ConnectionError) or (isinstance(error, OSError) and error.strerror):
            return error
        error = error.__cause__ or error.__context__
    return None


def _seconds(at: datetime) -> str:
    return f"{at.timestamp():.3f}"
