"""The identity of a release in every answer and call of an ASGI application."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from agentrollouts_agent.identity import Identity

try:
    from opentelemetry import baggage, context
except ImportError:  # then a client sends `identity.call_headers()`
    HAS_OPENTELEMETRY = False
else:
    HAS_OPENTELEMETRY = True

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Release:
    """Middleware: `app = Release(app, bundle.identity)`, inside that of OpenTelemetry.

    Each answer gets the headers of the release, in place of any of these names. If OpenTelemetry is
    installed, calls that are made while a request is answered carry the baggage.
    """

    def __init__(self, app: Application, identity: Identity) -> None:
        self._app = app
        self._headers = [(name.encode(), text.encode()) for name, text in identity.headers().items()]
        self._names = {name for name, _ in self._headers}
        self._baggage = identity.baggage()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or keep one WebSocket open."""

        async def send_named(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() not in self._names]
                message = {**message, "headers": [*others, *self._headers]}
            await send(message)

        if not HAS_OPENTELEMETRY or scope["type"] == "lifespan":
            return await self._app(scope, receive, send_named)
        current = context.get_current()
        for key, text in self._baggage.items():
            current = baggage.set_baggage(key, text, current)
        token = context.attach(current)
        try:
            return await self._app(scope, receive, send_named)
        finally:
            context.detach(token)
