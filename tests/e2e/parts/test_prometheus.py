"""The adapter against a real Prometheus, and against a real TLS server: the API server's port."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from agentrollouts.adapters.prometheus.client import Prometheus
from agentrollouts.adapters.prometheus.envelope import Matrix, QueryError, QueryErrorKind, Row, Vector
from agentrollouts.settings.sources import PrometheusSource
from sandbox.stack import Stack
from tests.e2e.witness import PATIENCE

MOST: Final = 60
"""Seconds: the longest deadline that the settings permit."""


async def run_query(
    url: str, text: str, ca_file: Path | None = None, seconds: float = MOST
) -> tuple[Vector | QueryError, datetime]:
    """One query now, and the instant that was asked for."""
    client = Prometheus(PrometheusSource(name="default", url=url, ca_file=ca_file, timeout_seconds=seconds))
    at = datetime.now(UTC)
    outcome = await client.query(text, at)
    client.close()
    return outcome, at


async def test_a_query_is_answered_at_its_instant(stack: Stack) -> None:
    """Rows, no rows, and values that are no numbers come as they are."""
    outcome, at = await run_query(stack.prometheus_url, 'label_replace(vector(2.5), "src", "a", "", "")')
    assert outcome == Vector(at, (Row({"src": "a"}, 2.5),))
    outcome, at = await run_query(stack.prometheus_url, 'up{job="absent"}')
    assert outcome == Vector(at, ())
    outcome, at = await run_query(stack.prometheus_url, "vector(0/0) or vector(1/0)")
    assert repr(outcome) == repr(Vector(at, (Row({}, float("nan")),)))


async def test_wrong_queries_are_refused(stack: Stack) -> None:
    """A text that is no PromQL, one that cannot be evaluated, and one that gives no vector."""
    refused, _ = await run_query(stack.prometheus_url, "sum(")
    message = "Prometheus source default: it responded with HTTP 400 with the error type bad_data"
    assert refused == QueryError(QueryErrorKind.REFUSED, message)
    unmatched = 'vector(1) * on() (label_replace(vector(1), "a", "1", "", "") or vector(1))'
    impossible, _ = await run_query(stack.prometheus_url, unmatched)
    message = "Prometheus source default: it responded with HTTP 422 with the error type execution"
    assert impossible == QueryError(QueryErrorKind.REFUSED, message)
    scalar, _ = await run_query(stack.prometheus_url, "1")
    message = "Prometheus source default: its response is unusable: the result of the query is not a vector"
    assert scalar == QueryError(QueryErrorKind.MALFORMED, message)


async def test_a_range_has_a_sample_at_each_step(stack: Stack) -> None:
    """Start and end are included."""
    source = PrometheusSource(name="default", url=stack.prometheus_url, timeout_seconds=MOST)
    client = Prometheus(source)
    end = datetime.now(UTC).replace(microsecond=0)
    outcome = await client.query_range("vector(1)", end - timedelta(seconds=4), end, timedelta(seconds=2))
    client.close()
    assert isinstance(outcome, Matrix)
    (series,) = outcome.series
    assert series.samples == tuple((end - timedelta(seconds=ago), 1.0) for ago in (4, 2, 0))


async def test_a_frozen_prometheus_is_a_timeout_and_then_works_again(stack: Stack) -> None:
    """A stopped server costs a query its deadline; when it goes on, queries are answered."""
    server = stack.processes["prometheus"]
    server.pause()
    try:
        async with asyncio.timeout(PATIENCE):
            outcome, _ = await run_query(stack.prometheus_url, "vector(1)", seconds=2)
    finally:
        server.resume()
    assert outcome == QueryError(QueryErrorKind.TIMEOUT, "Prometheus source default: no response within 2 s")
    again, at = await run_query(stack.prometheus_url, "vector(1)")
    assert again == Vector(at, (Row({}, 1.0),))


async def test_tls_is_checked_and_its_connections_can_be_cut(stack: Stack) -> None:
    """Nothing is sent to a server that is not trusted; a trusted one that hangs frees its thread in time."""
    untrusted, _ = await run_query(stack.api_url, "up")
    assert isinstance(untrusted, QueryError)
    assert untrusted.kind is QueryErrorKind.UNREACHABLE
    assert untrusted.message.endswith("the system does not trust its certificate; set prometheus[].caFile")
    source = PrometheusSource(name="tls", url=stack.api_url, ca_file=stack.ca_file, timeout_seconds=5)
    client = Prometheus(source)
    trusted = await client.query("up", datetime.now(UTC))
    assert isinstance(trusted, QueryError)
    assert trusted.kind is QueryErrorKind.DENIED
    server = stack.processes["apiserver"]
    server.pause()
    try:
        hung = await client.query("up", datetime.now(UTC))
        client.close()
        await asyncio.wait_for(asyncio.to_thread(_join, "prometheus-tls"), PATIENCE)
    finally:
        server.resume()
    assert isinstance(hung, QueryError)
    assert hung.kind is QueryErrorKind.TIMEOUT


def _join(prefix: str) -> None:
    for thread in threading.enumerate():
        if thread.name.startswith(prefix):
            thread.join()
