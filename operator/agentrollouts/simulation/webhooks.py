"""Endpoints of webhooks in virtual time: each request takes a moment, and has a response then.

Beside `jobs` in the simulated world. An endpoint that no one described accepts everything.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.core.recovery.hooks.response import Call, CallKey, Response

REQUEST_SECONDS: Final = 1.0


@dataclass
class Webhooks:
    """The endpoints of a namespace."""

    endpoints: frozenset[str] | None = None
    """Those that the settings permit; None if all."""
    respond: Callable[[Call], Response] = lambda _: Response(200)
    seconds: float = REQUEST_SECONDS
    """How long a request takes."""
    received: list[Call] = field(default_factory=list)
    """All requests that were ever made, in their order."""
    known: dict[CallKey, tuple[datetime, Response]] = field(default_factory=dict)
    """What this process knows: when each of its requests has a response, and which."""

    def send(self, call: Call, now: datetime) -> bool:
        """Make a request, unless this process has; whether it did."""
        if call.key in self.known:
            return False
        self.received.append(call)
        self.known[call.key] = now + timedelta(seconds=self.seconds), self.respond(call)
        return True

    def responses(self, now: datetime) -> dict[CallKey, Response]:
        """Those that have arrived."""
        return {key: response for key, (time, response) in self.known.items() if time <= now}

    def next_time(self, now: datetime) -> datetime | None:
        """When the next response arrives."""
        return min((time for time, _ in self.known.values() if time > now), default=None)
