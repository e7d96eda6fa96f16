"""`Release`: what an ASGI application sends once it is wrapped."""

import subprocess
import sys
from collections.abc import MutableMapping
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator

from agentrollouts_agent import verify
from agentrollouts_agent.asgi import Receive, Release, Send
from tests.agent.snapshots import snapshot
from tests.inside import ROOT

IDENTITY = verify(snapshot(), "here").identity
EXPECTED = [(name.encode(), text.encode()) for name, text in IDENTITY.headers().items()]
Message = MutableMapping[str, Any]


async def receive() -> Message:
    """There is no body."""
    return {"type": "http.request"}


async def sent(app: Any, scope: str, *headers: tuple[bytes, bytes]) -> list[Message]:  # noqa: ANN401 any application
    """All messages that an application sends for one request of this type."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await app({"type": scope, "headers": list(headers)}, receive, send)
    return messages


def answering(*messages: Message) -> Any:  # noqa: ANN401 an application
    """An application that sends these messages."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG001 the signature of ASGI
        for message in messages:
            await send(message)

    return Release(app, IDENTITY)


async def test_each_answer_has_the_headers_once() -> None:
    """Beside the headers of the application, and in place of its own of the same name."""
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"x", b"1"), (b"Agent-Release", b"no")],
    }
    body = {"type": "http.response.body", "body": b"hi"}

    messages = await sent(answering(start, body), "http")

    assert messages == [{**start, "headers": [(b"x", b"1"), *EXPECTED]}, body]
    assert start["headers"] == [(b"x", b"1"), (b"Agent-Release", b"no")]


@pytest.mark.parametrize(
    ("scope", "message", "expected"),
    [
        ("http", {"type": "http.response.start", "status": 500}, EXPECTED),
        ("websocket", {"type": "websocket.accept"}, EXPECTED),
        ("lifespan", {"type": "lifespan.startup.complete"}, None),
    ],
)
async def test_errors_and_websockets_are_named_too(scope: str, message: Message, expected: object) -> None:
    """Each first message of an answer has the headers, and no other message has any."""
    [first] = await sent(answering(message), scope)

    assert first.get("headers") == expected


async def test_calls_carry_the_baggage_of_this_release() -> None:
    """It replaces that of a calling agent, other baggage stays, and nothing is left after the answer."""
    carried: dict[str, str] = {}

    async def app(scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG001 the signature of ASGI
        W3CBaggagePropagator().inject(carried)

    called = baggage.set_baggage("tenant", "a", baggage.set_baggage("agentrollouts.release", "caller-1.0.0"))
    token = context.attach(called)
    try:
        await sent(Release(app, IDENTITY), "http")
        assert context.get_current() == called
    finally:
        context.detach(token)

    received = W3CBaggagePropagator().extract(carried)
    assert dict(baggage.get_all(received)) == {"tenant": "a", **IDENTITY.baggage()}


def test_opentelemetry_is_not_needed() -> None:
    """The module can be imported where no package is installed, so the base needs none."""
    program = "import asyncio, agentrollouts_agent.asgi as asgi; print(asgi.HAS_OPENTELEMETRY)"
    environment = {"PYTHONPATH": str(ROOT / "agent")}
    done = subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-S", "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
