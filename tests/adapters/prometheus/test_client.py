"""Inputs: what a server on loopback does. Outputs: the value that the client gives, and when."""

import asyncio
import json
import logging
import math
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from pydantic import SecretStr

from agentrollouts.adapters.prometheus.client import Prometheus
from agentrollouts.adapters.prometheus.envelope import Matrix, QueryError, QueryErrorKind, Row, Series, Vector
from agentrollouts.adapters.prometheus.sending import MAX_BYTES, failure
from agentrollouts.settings.sources import PrometheusSource
from tests.adapters.server import Behavior, answer, hang, serving

AT = datetime(2026, 11, 21, 10, 0, 0, 250_000, UTC)
DEADLINE = 1.0
TOLERANCE = 30.0
"""What a loaded machine may add to the deadline."""
SECRET = "s3cr3t-tenant-value"  # noqa: S105 - it protects nothing


def source(url: str, **changes: Any) -> PrometheusSource:  # noqa: ANN401 - any field of the settings
    """The settings of a source, as an administrator would have written them."""
    return PrometheusSource(name="default", url=url, timeout_seconds=DEADLINE, **changes)


@asynccontextmanager
async def poll(url: str, **changes: Any) -> AsyncIterator[Prometheus]:  # noqa: ANN401 - as above
    """A client that is closed at the end."""
    client = Prometheus(source(url, **changes))
    try:
        yield client
    finally:
        client.close()


def vector(*rows: tuple[dict[str, str], str], at: datetime = AT, **more: object) -> bytes:
    """The body of an answer to an instant query."""
    result = [{"metric": labels, "value": [at.timestamp(), value]} for labels, value in rows]
    return json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": result}} | more
    ).encode()


def other(result_type: str, result: object) -> bytes:
    """The body of a success of another kind."""
    return json.dumps({"status": "success", "data": {"resultType": result_type, "result": result}}).encode()


def failed(error_type: str) -> bytes:
    """The body of an error of the API, with a text that must not be repeated."""
    return json.dumps({"status": "error", "errorType": error_type, "error": f"leak {SECRET}"}).encode()


async def drip_head(writer: asyncio.StreamWriter) -> None:
    """One byte of the headers at a time, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await _drip(writer)


async def drip_body(writer: asyncio.StreamWriter) -> None:
    """Headers at once, then one byte of the body at a time, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    await _drip(writer)


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def vanish(writer: asyncio.StreamWriter) -> None:
    """Closes without an answer."""
    writer.close()


async def short(writer: asyncio.StreamWriter) -> None:
    """Fewer bytes than announced."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + vector())
    writer.close()


async def gibberish(writer: asyncio.StreamWriter) -> None:
    """Not HTTP at all."""
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    writer.close()


async def flood(writer: asyncio.StreamWriter) -> None:
    """62 MB, as 500,000 series would be."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 62000000\r\n\r\n")
    for _ in range(62):
        writer.write(b" " * 1_000_000)
        await writer.drain()


FAULTS: dict[str, tuple[Behavior, QueryErrorKind]] = {
    "hangs": (hang, QueryErrorKind.TIMEOUT),
    "drips headers": (drip_head, QueryErrorKind.TIMEOUT),
    "drips the body": (drip_body, QueryErrorKind.TIMEOUT),
    "closes without an answer": (vanish, QueryErrorKind.UNREACHABLE),
    "breaks off": (short, QueryErrorKind.MALFORMED),
    "is not HTTP": (gibberish, QueryErrorKind.MALFORMED),
    "sends 62 MB": (flood, QueryErrorKind.TOO_LARGE),
    "HTML with 200": (answer(200, b"<html>" + SECRET.encode()), QueryErrorKind.MALFORMED),
    "cut JSON": (answer(200, vector(({"a": "b"}, "1"))[:-9]), QueryErrorKind.MALFORMED),
    "empty body": (answer(200), QueryErrorKind.MALFORMED),
    "compressed without being asked": (
        answer(200, b"\x1f\x8b\x08", "Content-Encoding: gzip"),
        QueryErrorKind.MALFORMED,
    ),
    "error with 200": (answer(200, failed("internal")), QueryErrorKind.SERVER_ERROR),
    "unknown status with 200": (answer(200, b'{"status":"fine","data":null}'), QueryErrorKind.MALFORMED),
    "wrong query": (answer(400, failed("bad_data")), QueryErrorKind.REFUSED),
    "query cannot be executed": (answer(422, failed("execution")), QueryErrorKind.REFUSED),
    "query timed out there": (answer(503, failed("timeout")), QueryErrorKind.TIMEOUT),
    "an error type of its own": (answer(400, failed(SECRET)), QueryErrorKind.REFUSED),
    "401": (answer(401, SECRET.encode()), QueryErrorKind.DENIED),
    "403": (answer(403), QueryErrorKind.DENIED),
    "404": (answer(404), QueryErrorKind.DENIED),
    "429": (answer(429), QueryErrorKind.SERVER_ERROR),
    "500": (answer(500, SECRET.encode()), QueryErrorKind.SERVER_ERROR),
    "502 with HTML": (answer(502, b"<html>"), QueryErrorKind.SERVER_ERROR),
    "503": (answer(503), QueryErrorKind.SERVER_ERROR),
    "204": (answer(204), QueryErrorKind.MALFORMED),
    "scalar": (answer(200, other("scalar", [AT.timestamp(), "1"])), QueryErrorKind.MALFORMED),
    "string": (answer(200, other("string", [AT.timestamp(), SECRET])), QueryErrorKind.MALFORMED),
    "matrix": (answer(200, other("matrix", [])), QueryErrorKind.MALFORMED),
    "streams": (answer(200, other("streams", [])), QueryErrorKind.MALFORMED),
    "warnings": (answer(200, vector(({}, "1"), warnings=[SECRET])), QueryErrorKind.PARTIAL),
    "partial": (answer(200, vector(({}, "1"), isPartial=True)), QueryErrorKind.PARTIAL),
    "another time": (answer(200, vector(({}, "1"), at=AT - timedelta(seconds=5))), QueryErrorKind.MALFORMED),
    "a number that is none": (answer(200, vector(({}, SECRET))), QueryErrorKind.MALFORMED),
    "a bare number as value": (
        answer(200, other("vector", [{"metric": {}, "value": [AT.timestamp(), True]}])),
        QueryErrorKind.MALFORMED,
    ),
    "a native histogram": (
        answer(200, other("vector", [{"metric": {}, "histogram": [AT.timestamp(), {"count": "1"}]}])),
        QueryErrorKind.MALFORMED,
    ),
    "a label that is no text": (
        answer(200, other("vector", [{"metric": {SECRET: 1}, "value": [AT.timestamp(), "1"]}])),
        QueryErrorKind.MALFORMED,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_is_one_error_value_in_time_and_repeats_nothing(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a server does, the client gives an error value in time, and repeats nothing of the body."""
    caplog.set_level(logging.DEBUG)
    behavior, kind = FAULTS[name]
    async with serving(behavior) as server, poll(server.url) as prometheus:
        started = time.monotonic()
        outcome = await prometheus.query("up", AT)
        took = time.monotonic() - started
    assert isinstance(outcome, QueryError)
    assert outcome.kind is kind
    assert outcome.message.startswith("Prometheus source default: ")
    assert took < DEADLINE + TOLERANCE
    assert SECRET not in outcome.message + caplog.text


async def test_the_deadline_reads_the_same_whoever_notices_it() -> None:
    """The caller and the socket of its thread have the same deadline; either can be first."""
    expected = QueryError(QueryErrorKind.TIMEOUT, f"no response within {DEADLINE:g} s")
    for error in (requests.ReadTimeout(), requests.ConnectTimeout(), TimeoutError()):
        assert failure(error, source("http://localhost")) == expected


async def test_a_refused_connection_is_named() -> None:
    """Nobody listening is told apart from a sick server, in the words of the system."""
    async with serving(hang) as server:
        url = server.url
    async with poll(url) as prometheus:
        outcome = await prometheus.query("up", AT)
    message = "Prometheus source default: no connection: Connection refused"
    assert outcome == QueryError(QueryErrorKind.UNREACHABLE, message)


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    """A failure of name resolution is an error value like any other."""
    async with poll("http://prometheus.invalid:9090") as prometheus:
        outcome = await prometheus.query("up", AT)
    assert isinstance(outcome, QueryError)
    assert outcome.kind in {QueryErrorKind.UNREACHABLE, QueryErrorKind.TIMEOUT}


async def test_tls_with_an_unknown_server_is_unreachable() -> None:
    """A server that does not speak TLS, or whose certificate is not trusted, gets no query."""
    async with serving(answer(200, vector())) as server:
        async with poll(server.url.replace("http:", "https:")) as prometheus:
            outcome = await prometheus.query("up", AT)
        assert isinstance(outcome, QueryError)
        assert server.requests == []


async def test_redirects_are_not_followed() -> None:
    """A redirect ends the query, and no request, with our headers in it, reaches its target."""
    async with serving(answer(200, vector())) as sink:
        to_sink = answer(307, b"", f"Location: {sink.url}/api/v1/query")
        async with (
            serving(to_sink) as server,
            poll(server.url, headers={"X-Scope-OrgID": SecretStr(SECRET)}) as it,
        ):
            outcome = await it.query("up", AT)
    assert isinstance(outcome, QueryError)
    assert outcome.kind is QueryErrorKind.DENIED
    assert (len(server.requests), sink.connections) == (1, 0)


async def test_environment_proxies_and_netrc_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The query goes to the address of the settings and carries no credentials from elsewhere."""
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login x password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with serving(answer(200, vector())) as proxy, serving(answer(200, vector())) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with poll(server.url) as prometheus:
            assert await prometheus.query("up", AT) == Vector(AT, ())
    assert proxy.connections == 0
    assert "authorization" not in server.requests[0].headers


async def test_an_answer_is_given_whole() -> None:
    """Rows keep their labels and values; NaN and infinite values are values; infos do not matter."""
    labels = {"release": "a-1", "le": "0.5"}
    body = vector((labels, "12.5"), ({}, "+Inf"), ({"x": "y"}, "-Inf"), infos=["PromQL info: style"])
    async with serving(answer(200, body)) as server, poll(server.url) as prometheus:
        outcome = await prometheus.query("up", AT)
        assert outcome == Vector(AT, (Row(labels, 12.5), Row({}, math.inf), Row({"x": "y"}, -math.inf)))
        server.behavior = answer(200, vector(({}, "NaN")))
        nan = await prometheus.query("up", AT)
    assert isinstance(nan, Vector)
    assert math.isnan(nan.rows[0].value)


async def test_a_range_is_given_with_its_times() -> None:
    """Each sample of a matrix comes with its time; a vector in its place is refused."""
    body = other("matrix", [{"metric": {"a": "b"}, "values": [[60, "1"], [120.5, "NaN"]]}])
    start, step = datetime.fromtimestamp(60, UTC), timedelta(seconds=60.5)
    async with serving(answer(200, body)) as server, poll(server.url) as prometheus:
        outcome = await prometheus.query_range("up", start, start + step, step)
        server.behavior = answer(200, vector())
        refused = await prometheus.query_range("up", start, start + step, step)
    assert repr(outcome) == repr(Matrix((Series({"a": "b"}, ((start, 1.0), (start + step, math.nan))),)))
    assert isinstance(refused, QueryError)
    form = parse_qs(server.requests[0].body.decode())
    assert (form["start"], form["end"], form["step"]) == (["60.000"], ["120.500"], ["60.500"])


async def test_the_query_is_posted_with_its_limits_and_credentials(tmp_path: Path) -> None:
    """The text travels in the body, with instant, timeout and limit; files are read again for every query."""
    token, key = tmp_path / "token", tmp_path / "key"
    token.write_text("first\n")
    key.write_text("k1")
    tenant = {"X-Scope-OrgID": SecretStr("team-a")}
    async with (
        serving(answer(200, vector())) as server,
        poll(server.url, bearer_token_file=token, headers=tenant, header_files={"X-Key": key}) as prometheus,
    ):
        await prometheus.query('sum(up{a="b"})', AT)
        token.write_text("second")
        await prometheus.query("up", AT)
    first, second = server.requests
    assert first.line == "POST /api/v1/query HTTP/1.1"
    assert parse_qs(first.body.decode()) == {
        "query": ['sum(up{a="b"})'],
        "time": [f"{AT.timestamp():.3f}"],
        "timeout": ["900ms"],
        "limit": ["10000"],
    }
    assert (first.headers["x-scope-orgid"], first.headers["x-key"]) == ("team-a", "k1")
    assert (first.headers["authorization"], second.headers["authorization"]) == (
        "Bearer first",
        "Bearer second",
    )
    assert server.connections == 1


async def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    """Without its token a query is not sent, and the error names the file."""
    token = tmp_path / "token"
    token.write_text("x")
    async with (
        serving(answer(200, vector())) as server,
        poll(server.url, bearer_token_file=token) as prometheus,
    ):
        token.unlink()
        outcome = await prometheus.query("up", AT)
    message = f"Prometheus source default: cannot read {token}: No such file or directory"
    assert outcome == QueryError(QueryErrorKind.UNREACHABLE, message)
    assert server.requests == []


async def test_a_token_with_a_newline_inside_is_not_sent(tmp_path: Path) -> None:
    """A token file of the wrong form is an error value that does not repeat the token."""
    token = tmp_path / "token"
    token.write_text(f"{SECRET}\r\nX-Evil: 1")
    async with (
        serving(answer(200, vector())) as server,
        poll(server.url, bearer_token_file=token) as prometheus,
    ):
        outcome = await prometheus.query("up", AT)
    assert isinstance(outcome, QueryError)
    assert SECRET not in outcome.message
    assert server.requests == []


async def test_cookies_are_not_kept() -> None:
    """What a server tells the client to remember is not sent with the next query."""
    async with serving(answer(200, vector(), "Set-Cookie: id=1")) as server, poll(server.url) as prometheus:
        await prometheus.query("up", AT)
        await prometheus.query("up", AT)
    assert ["cookie" in request.headers for request in server.requests] == [False, False]


@pytest.mark.parametrize("behavior", [hang, drip_head, drip_body], ids=["hang", "drip head", "drip body"])
async def test_hung_queries_hold_neither_the_loop_nor_threads_nor_other_sources(behavior: Behavior) -> None:
    """Twenty queries to a hung server end in time, delay no other source, and leave no thread."""
    threads = threading.active_count()
    async with serving(behavior) as sick, serving(answer(200, vector())) as well:
        async with poll(sick.url) as hung, poll(well.url) as healthy:
            lag = asyncio.create_task(_worst_lag(DEADLINE))
            started = time.monotonic()
            queries = [asyncio.create_task(hung.query("up", AT)) for _ in range(20)]
            outcomes = [await healthy.query("up", AT) for _ in range(20)]
            healthy_took = time.monotonic() - started
            hung_outcomes = await asyncio.gather(*queries)
            hung_took = time.monotonic() - started
        await asyncio.wait_for(asyncio.to_thread(_join_all, "prometheus-"), TOLERANCE)
    assert outcomes == [Vector(AT, ())] * 20
    assert {o.kind for o in hung_outcomes if isinstance(o, QueryError)} == {QueryErrorKind.TIMEOUT}
    assert healthy_took < 4 * DEADLINE  # behind the others it would be five deadlines
    assert hung_took < DEADLINE + TOLERANCE
    assert await lag < DEADLINE / 2
    assert threading.active_count() <= threads + 1  # the loop's own, of to_thread


async def test_a_flood_does_not_stop_the_loop() -> None:
    """A body of 62 MB is left at one MiB, and the loop goes on meanwhile."""
    async with serving(flood) as server, poll(server.url) as prometheus:
        lag = asyncio.create_task(_worst_lag(0.3))
        outcome = await prometheus.query("up", AT)
    assert isinstance(outcome, QueryError)
    assert f"{MAX_BYTES} bytes" in outcome.message
    assert await lag < DEADLINE / 2


async def test_a_cancelled_query_frees_its_thread() -> None:
    """A poller that is stopped leaves no thread behind: more queries than threads still get an answer."""
    arrived = asyncio.Queue[None]()

    async def arrive_and_hang(writer: asyncio.StreamWriter) -> None:
        arrived.put_nowait(None)
        await hang(writer)

    async with serving(arrive_and_hang) as server, poll(server.url) as prometheus:
        for _ in range(8):
            task = asyncio.create_task(prometheus.query("up", AT))
            await arrived.get()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        server.behavior = answer(200, vector())
        assert await prometheus.query("up", AT) == Vector(AT, ())


async def test_a_server_that_is_down_is_left_alone() -> None:
    """After three failures in a row the next queries get the last error at once and are not sent."""
    async with serving(answer(500)) as server, poll(server.url) as prometheus:
        outcomes = [await prometheus.query("up", AT) for _ in range(10)]
    said = "it responded with HTTP 500"
    assert outcomes == [
        *[QueryError(QueryErrorKind.SERVER_ERROR, f"Prometheus source default: {said}")] * 3,
        *[
            QueryError(
                QueryErrorKind.SERVER_ERROR,
                f"Prometheus source default: not queried again yet, after 3 failures: {said}",
            )
        ]
        * 7,
    ]
    assert len(server.requests) == 3


async def test_refused_queries_do_not_keep_others_from_being_asked() -> None:
    """What is wrong with a query is no reason to leave the server alone."""
    async with serving(answer(400)) as server, poll(server.url) as prometheus:
        for _ in range(5):
            await prometheus.query("up(", AT)
    assert len(server.requests) == 5


async def test_slow_queries_of_one_namespace_delay_and_stop_no_other() -> None:
    """Eight rollouts whose queries hang, again and again: the queries of a neighbor take as long as ever."""
    async with serving(hang) as server, poll(server.url) as prometheus:

        async def hang_on_slow(writer: asyncio.StreamWriter) -> None:
            is_slow = b"slow" in server.requests[-1].body
            await (hang(writer) if is_slow else answer(200, vector())(writer))

        server.behavior = hang_on_slow
        hung: list[Vector | QueryError] = []
        await ask(prometheus, "victim", "up")

        async def keep_asking() -> None:
            while True:
                hung.append(await ask(prometheus, "hostile", "slow"))
                await asyncio.sleep(0.01)

        hostile = [asyncio.create_task(keep_asking()) for _ in range(8)]
        took, outcomes = [], []
        for _ in range(40):
            started = time.monotonic()
            outcomes.append(await ask(prometheus, "victim", "up"))
            took.append(time.monotonic() - started)
            await asyncio.sleep(0.1)
        for task in hostile:
            task.cancel()
        await asyncio.gather(*hostile, return_exceptions=True)
    assert outcomes == [Vector(AT, ())] * 40
    assert {isinstance(outcome, QueryError) and outcome.was_sent for outcome in hung} == {True, False}
    assert median(took) < DEADLINE / 4
    crowding = prometheus.crowding("hostile")
    assert crowding is not None
    assert "namespace hostile, which may have 4 in progress at Prometheus source default" in crowding
    assert prometheus.crowding("victim") is None


async def test_to_wait_for_a_turn_is_no_timeout() -> None:
    """Ten queries of half the deadline, two at a time: all are answered, and no fault is noted."""

    async def take_long(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(DEADLINE / 2)
        await answer(200, vector())(writer)

    async with serving(take_long) as server, poll(server.url, concurrent_queries=4) as prometheus:
        outcomes = await asyncio.gather(*(ask(prometheus, "busy", "up") for _ in range(10)))
    assert outcomes == [Vector(AT, ())] * 10


async def ask(prometheus: Prometheus, namespace: str, text: str) -> Vector | QueryError:
    """A query as the poller makes it."""
    async with prometheus.slot(namespace):
        return await prometheus.query(text, AT, namespace=namespace)


async def test_a_closed_client_answers_with_an_error() -> None:
    """A source that was taken out of the settings refuses late queries as a value."""
    async with serving(answer(200, vector())) as server:
        client = Prometheus(source(server.url))
        client.close()
        outcome = await client.query("up", AT)
    message = "Prometheus source default: it is no longer in the settings"
    assert outcome == QueryError(QueryErrorKind.UNREACHABLE, message)


async def _worst_lag(seconds: float) -> float:
    """How late, at worst, the loop woke this within so many seconds."""
    worst, end = 0.0, time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        await asyncio.sleep(0.005)
        worst = max(worst, time.monotonic() - now - 0.005)
    return worst


def _join_all(prefix: str) -> None:
    for thread in threading.enumerate():
        if thread.name.startswith(prefix):
            thread.join()
