"""Inputs: what an endpoint on loopback does. Outputs: what it received, and the response as it is known."""

import asyncio
import base64
import hmac
import os
import time
from pathlib import Path
from typing import Any, Final

import pytest

from agentrollouts.adapters.webhook.client import Client
from agentrollouts.adapters.webhook.signing import SecretError, keys_of, signed
from agentrollouts.core.recovery.hooks.response import MAX_BODY, Call, CallKey, Response
from agentrollouts.settings.hooks import Endpoint
from tests.adapters.server import Server, answer, hang, serving

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of the standard's libraries
KEY: Final = CallKey("support/support-agent/4f2a9/13/refund", 1)
BODY: Final = '{"key": "ü"}'


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The file of a secret."""
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


def endpoint(url: str, secret: Path, **fields: Any) -> Endpoint:  # noqa: ANN401 - any field of the settings
    """An endpoint of the settings."""
    return Endpoint(name="crm", url=url, secret_file=secret, **fields)


async def send(target: Endpoint, *, body: str = BODY, seconds: float = 100) -> Response:
    """One request by a client of its own."""
    client = Client()
    try:
        return await client.send(target, Call(KEY, target.name, body, seconds))
    finally:
        client.close()


def rewrite(path: Path, text: str | None) -> None:
    """Another content of a file, or none."""
    path.unlink()
    if text is not None:
        path.write_text(text)


def signature(server: Server, key: bytes) -> str:
    """The signature that the last request should have, by its own headers and body."""
    request = server.requests[-1]
    content = b".".join(
        [request.headers["webhook-id"].encode(), request.headers["webhook-timestamp"].encode(), request.body]
    )
    return "v1," + base64.standard_b64encode(hmac.digest(key, content, "sha256")).decode()


def test_a_signature_is_that_of_the_standard() -> None:
    """The example that the libraries of Standard Webhooks test with."""
    headers = signed(keys_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "text",
    ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!", f"whsec_{'A' * 88}"],
    ids=["empty", "no prefix", "no key", "short", "not base64", "long"],
)
def test_another_secret_is_refused(text: str) -> None:
    """The error does not repeat it."""
    with pytest.raises(SecretError) as caught:
        keys_of(text)

    assert text == "" or text.removeprefix("whsec_")[:6] not in str(caught.value) or text == "whsec_"


async def test_a_request_is_signed_json(secret: Path) -> None:
    """Its signature is that of an independent computation, and its time is now."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    earliest = int(time.time())
    async with serving(answer(204)) as server:
        response = await send(endpoint(f"{server.url}/hooks/agents/", secret))
        [request] = server.requests
        expected = signature(server, key)

    assert response == Response(204)
    assert (request.line, request.body) == ("POST /hooks/agents/ HTTP/1.1", BODY.encode())
    assert (request.headers["webhook-id"], request.headers["webhook-signature"]) == (KEY.id, expected)
    assert earliest <= int(request.headers["webhook-timestamp"]) <= time.time()
    assert request.headers["content-type"] == "application/json"


async def test_a_rotated_secret_counts_at_once(secret: Path) -> None:
    """With two of them in the file, a request has a signature by each."""
    new = os.urandom(32)
    async with serving(answer()) as server:
        target = endpoint(server.url, secret)
        await send(target)
        rewrite(secret, f"whsec_{base64.b64encode(new).decode()}\n{SECRET}\n")
        await send(target)
        old = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        expected = f"{signature(server, new)} {signature(server, old)}"

    assert [request.headers["webhook-signature"].count("v1,") for request in server.requests] == [1, 2]
    assert server.requests[-1].headers["webhook-signature"] == expected


@pytest.mark.parametrize("status", [200, 201, 299, 302, 400, 404, 408, 410, 429, 500, 503])
async def test_a_status_code_is_the_response(secret: Path, status: int) -> None:
    """One request each: no redirect is followed, and nothing is repeated here."""
    async with serving(answer(status, b"", "Location: /elsewhere")) as server:
        assert await send(endpoint(server.url, secret)) == Response(status)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"no such run", "no such run"),
        (b'{"error":\n\t"no\x1b[31m such\x00 run"}', "{'error': 'no [31m such run'}"),
        (b"\xff\xfe<h1>" + b"x" * 10 * MAX_BODY, "\ufffd\ufffd<h1>" + "x" * 111 + "..."),
    ],
    ids=["short", "control characters", "huge"],
)
async def test_a_refusal_is_quoted_in_one_short_line(secret: Path, body: bytes, text: str) -> None:
    """Without control characters and quotes; of a huge body only the beginning is read."""
    async with serving(answer(422, body)) as server:
        response = await send(endpoint(server.url, secret))

    assert response == Response(422, text)


async def test_a_compressed_body_is_not_unpacked(secret: Path) -> None:
    """The limit counts bytes as they come."""
    async with serving(answer(400, b"\x1f\x8b\x08", "Content-Encoding: gzip")) as server:
        response = await send(endpoint(server.url, secret))

    assert (response.status, server.requests[0].headers["accept-encoding"]) == (400, "identity")


async def test_an_endpoint_that_hangs_gets_no_more_than_the_limit(secret: Path) -> None:
    """It would hang indefinitely; the client goes away."""
    async with serving(hang) as server:
        response = await send(endpoint(server.url, secret), seconds=0.2)

    assert response == Response(text="did not respond within 0.2 s")
    assert len(server.requests) == 1


async def test_a_refusal_whose_body_never_ends_is_a_refusal(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status code says enough."""
    monkeypatch.setattr("agentrollouts.adapters.webhook.client.READ_SECONDS", 0.1)

    async def begin(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\nno")
        await asyncio.Event().wait()

    async with serving(begin) as server:
        response = await send(endpoint(server.url, secret))

    assert response == Response(400, "no")


async def test_what_cannot_be_called_is_a_sentence_without_addresses(secret: Path) -> None:
    """A server that is gone, an unknown name, a secret that is gone or malformed, and noise."""

    async def noise(writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-nothing\r\n\r\n")

    async with serving(answer()) as server:
        target = endpoint(server.url, secret)
    gone = await send(target)
    unknown = await send(endpoint("http://no-such-host.invalid/", secret), seconds=30)
    async with serving(noise) as server:
        garbled = await send(endpoint(server.url, secret))
        rewrite(secret, "hunter2")
        malformed = await send(endpoint(server.url, secret))
        target = endpoint(server.url, secret)
        rewrite(secret, None)
        missing = await send(target)

    assert gone.text == "could not be reached: Connection refused"
    assert unknown.text in {"could not be reached: its name is unknown", "did not respond within 30 s"}
    assert garbled.text.startswith("gave no valid response (")
    assert malformed.text == (
        "was not called: its secret is not whsec_ and the base64 of 24 to 64 bytes; ask the administrator to "
        "correct it"
    )
    assert missing.text == (
        "was not called: hooks.endpoints[].secretFile cannot be read: No such file or directory; ask the "
        "administrator to correct it"
    )
    assert {each.status for each in (gone, unknown, garbled, malformed, missing)} == {None}


async def test_no_proxy_of_the_environment_is_used(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of a shell are not for webhooks."""
    async with serving(answer(500)) as proxy, serving(answer(204)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert await send(endpoint(server.url, secret)) == Response(204)
        assert proxy.requests == []


async def test_an_input_that_is_too_long_is_not_sent(secret: Path) -> None:
    """Of 64 KiB it is."""
    async with serving(answer(204)) as server:
        target = endpoint(server.url, secret)
        whole = await send(target, body="x" * MAX_BODY)
        longer = await send(target, body="x" * (MAX_BODY + 1))

    assert (whole, len(server.requests)) == (Response(204), 1)
    assert longer.text == "was not called: the input of the hook is longer than 65536 bytes"
