"""Makes the requests of webhooks; a task for each, beside reconciliation.

A response is an input of the next decision. The newest one of each rollout is remembered, as one hook runs at
a time. Nothing waits for a request, and an endpoint that hangs keeps only its own callers waiting.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.recovery.hooks.response import Call, CallKey, Response, Responses
from agentrollouts.settings.hooks import Endpoint, HookSettings

logger = logging.getLogger(__name__)

AT_A_TIME: Final = 16
OF_NAMESPACE: Final = 4
"""Requests that are in progress at an endpoint: of all rollouts, and of those of one namespace."""


class Channel(Protocol):
    """How requests are made; `adapters.webhook.client.Client` is one."""

    async def send(self, endpoint: Endpoint, call: Call) -> Response:
        """Make a request."""

    def close(self) -> None:
        """Start nothing anymore."""


@dataclass
class _Made:
    key: CallKey
    response: Response | None = None


class Calls:
    """The requests of all rollouts.

    Args:
        settings: The endpoints.
        mark: Called for every rollout whose request has a response.
        channel: How requests are made.
    """

    def __init__(self, settings: HookSettings, mark: Callable[[Ref], None], channel: Channel) -> None:
        self._settings = settings
        self._mark = mark
        self._channel = channel
        self._made: dict[Ref, _Made] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(AT_A_TIME))
        self._shares = defaultdict[tuple[str, str], asyncio.Semaphore](
            lambda: asyncio.Semaphore(OF_NAMESPACE)
        )

    def replace(self, settings: HookSettings) -> None:
        """Use these settings from now on."""
        self._settings = settings

    def endpoints(self, namespace: str) -> frozenset[str]:
        """The names of the endpoints that rollouts of a namespace may call."""
        return frozenset(each.name for each in self._permitted(namespace))

    def responses(self, key: Ref) -> Responses:
        """What became of the newest request of a rollout, as soon as that is known."""
        made = self._made.get(key)
        return {made.key: made.response} if made and made.response else {}

    def is_made(self, key: Ref, call: Call) -> bool:
        """Whether this process has begun this request."""
        made = self._made.get(key)
        return made is not None and made.key == call.key

    def make(self, key: Ref, call: Call) -> None:
        """Begin a request, without waiting for it."""
        made = self._made[key] = _Made(call.key)
        task = asyncio.create_task(self._make(key, call, made), name=f"webhook of {key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget(self, key: Ref) -> None:
        """A rollout is gone or cannot be read. A request in progress continues."""
        self._made.pop(key, None)

    def close(self) -> None:
        """End all requests; the next process repeats those that have no response."""
        for task in self._tasks:
            task.cancel()
        self._channel.close()

    def _permitted(self, namespace: str) -> Iterator[Endpoint]:
        return (each for each in self._settings.endpoints if each.is_for(namespace))

    async def _make(self, key: Ref, call: Call, made: _Made) -> None:
        try:
            made.response = await self._send(key.namespace, call)
        except Exception:  # a bug; the hook tries again
            logger.exception("Failed to call endpoint %s for %s", call.endpoint, key)
            made.response = Response(text="was not called: an error of the operator, which is in its log")
        self._mark(key)

    async def _send(self, namespace: str, call: Call) -> Response:
        async with AsyncExitStack() as places:
            await places.enter_async_context(self._shares[namespace, call.endpoint])
            await places.enter_async_context(self._places[call.endpoint])
            endpoint = next((e for e in self._permitted(namespace) if e.name == call.endpoint), None)
            if endpoint is None:
                return Response(text="was removed from the operator's settings, or is not for this namespace")
            response = await self._channel.send(endpoint, call)
        what = response.text if response.status is None else f"responded {response.status}"
        logger.info("Webhook %s, try %d: endpoint %s %s", *call.key, call.endpoint, what)
        return response
