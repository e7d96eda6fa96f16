"""How a server can answer wrongly: each manner takes a request and does one harm with the answer.

`doors` calls one for every request while its fault lasts; `faults` says which. The data faults are done to
what the real Prometheus answered to that very question, so that all the rest of the answer is right. Whoever
repeats something repeats the request's credentials, which must then appear nowhere.
"""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

LARGE: Final = 62_000_000
"""Bytes of an answer with 500,000 series."""
SLOW_SECONDS: Final = 30.0

Document = dict[str, Any]
JsonRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of the operator."""

    request: web.Request
    forward: Callable[[], Awaitable[bytes]]
    """What the real Prometheus answers to it."""
    sink: str
    """Address of a server that nobody may connect to."""

    @property
    def secrets(self) -> str:
        """The request's headers, credentials among them."""
        return str(dict(self.request.headers))

    def send(self, data: bytes) -> None:
        """Bytes on the wire, past all of HTTP."""
        if self.request.transport is not None:
            self.request.transport.write(data)

    def cut(self) -> web.StreamResponse:
        """End the connection; nothing more can be answered."""
        if self.request.transport is not None:
            self.request.transport.close()
        return web.Response()


Manner = Callable[[Visit], Awaitable[web.StreamResponse]]


async def hang(_: Visit) -> web.StreamResponse:
    """No answer, ever."""
    await asyncio.Event().wait()
    return web.Response()


async def hang_in_body(visit: Visit) -> web.StreamResponse:
    """The head at once, the body never."""
    visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n")
    return await hang(visit)


async def slow(visit: Visit) -> web.StreamResponse:
    """The right answer, half a minute late."""
    await asyncio.sleep(SLOW_SECONDS)
    return web.Response(body=await visit.forward())


async def drip_head(visit: Visit) -> web.StreamResponse:
    """A byte of the head each second."""
    return await _drip(visit, b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 600)


async def drip_body(visit: Visit) -> web.StreamResponse:
    """The whole head, and then a byte of the right answer each second."""
    body = await visit.forward()
    visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
    return await _drip(visit, body)


async def _drip(visit: Visit, data: bytes) -> web.StreamResponse:
    for index in range(len(data)):
        visit.send(data[index : index + 1])
        await asyncio.sleep(1)
    return visit.cut()


async def vanish(visit: Visit) -> web.StreamResponse:
    """The connection is closed without a byte."""
    return visit.cut()


async def break_off(visit: Visit) -> web.StreamResponse:
    """The connection is closed in the middle of the body."""
    body = await visit.forward()
    visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])
    return visit.cut()


async def gibberish(visit: Visit) -> web.StreamResponse:
    """Something that is not HTTP."""
    visit.send(b"220 mail.example.com ESMTP\r\n")
    return visit.cut()


async def flood(visit: Visit) -> web.StreamResponse:
    """62 MB of an answer, as fast as they are taken."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = LARGE
    await response.prepare(visit.request)
    with suppress(ConnectionError):  # who has enough of it goes away
        for _ in range(LARGE // 100_000):
            await response.write(b" " * 100_000)
    return response


async def bomb(_: Visit) -> web.StreamResponse:
    """62 MB in 60 kB."""
    return web.Response(body=_BOMB, headers={"Content-Encoding": "gzip"})


_BOMB: Final = gzip.compress(b" " * LARGE, compresslevel=1)


def says(status: int, body: str = "") -> Manner:
    """This status and body, with the request's credentials after them."""

    async def respond(visit: Visit) -> web.StreamResponse:
        return web.Response(status=status, text=f"{body}{visit.secrets}" if status != 204 else None)  # noqa: PLR2004 no content

    return respond


def fails(status: int, error_type: str) -> Manner:
    """An error in the form of the HTTP API, whose text repeats the credentials."""

    async def respond(visit: Visit) -> web.StreamResponse:
        document = {"status": "error", "errorType": error_type, "error": visit.secrets}
        return web.json_response(document, status=status)

    return respond


def redirects(status: int) -> Manner:
    """To a server that must not hear of it."""

    async def respond(visit: Visit) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": f"{visit.sink}/api/v1/query"})

    return respond


def text(body: str) -> Manner:
    """This body with 200."""

    async def respond(_: Visit) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    return respond


async def cut_json(visit: Visit) -> web.StreamResponse:
    """Half of the right answer, as if it were all."""
    body = await visit.forward()
    return web.Response(body=body[: len(body) // 2], content_type="application/json")


def altered(change: Callable[[Document], None]) -> Manner:
    """The right answer to an instant query with one thing changed; other questions are answered rightly."""

    async def respond(visit: Visit) -> web.StreamResponse:
        document = json.loads(await visit.forward())
        if document.get("data", {}).get("resultType") == "vector":
            change(document)
        return web.json_response(document)

    return respond


def result(kind: str, *, empty: bool = False) -> Manner:
    """The answer as another kind of result."""

    def change(document: Document) -> None:
        instant = next((row["value"] for row in document["data"]["result"]), [0, "0"])
        series = [{"metric": row["metric"], "values": [row["value"]]} for row in document["data"]["result"]]
        rows = series if kind == "matrix" else instant
        document["data"] = {"resultType": kind, "result": [] if empty else rows}

    return altered(change)


def valued(value: str, *, term: str = "", release: str = "") -> Manner:
    """Every value is this one, or only those of a term and a release."""

    def change(document: Document) -> None:
        for row in _rows(document, term, release):
            row["value"][1] = value

    return altered(change)


def shifted(seconds: float, *, term: str) -> Manner:
    """The values of a term are so much larger."""

    def change(document: Document) -> None:
        for row in _rows(document, term):
            row["value"][1] = str(float(row["value"][1]) + seconds)

    return altered(change)


def another_time(document: Document) -> None:
    """As a cache would answer: for a minute ago."""
    for row in document["data"]["result"]:
        row["value"][0] -= 60


def foreign_rows(document: Document) -> None:
    """Rows with tags that the question does not have."""
    for row in document["data"]["result"]:
        row["metric"]["src"] = f"7{row['metric']['src']}"


def twice(document: Document) -> None:
    """One row is there twice."""
    document["data"]["result"] += document["data"]["result"][:1]


def two_series(document: Document) -> None:
    """Every row comes from two replicas, as without deduplication."""
    rows = document["data"]["result"]
    document["data"]["result"] = [
        {**row, "metric": row["metric"] | {"replica": replica}} for replica in "ab" for row in rows
    ]


def thousands(document: Document) -> None:
    """As many rows as are read at all, all of the right form."""
    rows = document["data"]["result"]
    document["data"]["result"] = (rows * (9_000 // max(1, len(rows)) + 1))[:6_000]


def without(*, term: str = "", release: str = "") -> Manner:
    """The rows of a term or of a release are missing."""

    def change(document: Document) -> None:
        gone = list(_rows(document, term, release))
        document["data"]["result"] = [row for row in document["data"]["result"] if row not in gone]

    return altered(change)


def with_field(name: str, value: object) -> Manner:
    """The whole answer with one more field in its envelope."""
    return altered(lambda document: document.update({name: value}))


def _rows(document: Document, term: str = "", release: str = "") -> Iterator[JsonRow]:
    for row in document["data"]["result"]:
        labels = row["metric"]
        if labels["src"].endswith(term) and labels.get("release", "").endswith(release):
            yield row
