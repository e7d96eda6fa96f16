"""The alerts that are true now, posted to every Alertmanager: on a change, and every minute.

A set and not its changes: nothing has to be remembered, the next leader posts the same, and an alert that
leaves the set ends three minutes after the last post that had it. An Alertmanager that does not answer keeps
only its own task waiting: controllers note what they decided, and never wait.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from agentrollouts.adapters.alertmanager.client import Result
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.insight.alerts.alert import Span
from agentrollouts.insight.alerts.table import spans
from agentrollouts.insight.alerts.wire import written
from agentrollouts.settings.alerts import Alertmanager
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.clock import Clock, utc_now

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 60.0
"""Between two posts of the same set."""
PAUSE_SECONDS: Final = 1.0
"""Between two posts at the least; a thousand rollouts can change at once."""
LASTS: Final = timedelta(minutes=3)
"""How long a posted alert stays true: through two posts that fail."""

Noted = list[tuple[Span, ...]]
"""The alerts of each rollout that has any."""


class AlertBoard:
    """What is true of each rollout, or will be. A rollout of which nothing is costs nothing.

    Args:
        clock: Now.
    """

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        self._spans: dict[Ref, tuple[Span, ...]] = {}
        self._listeners: set[asyncio.Event] = set()

    def note(self, key: Ref, rollout: AgentRollout) -> None:
        """A rollout with the status as it was just decided. Only new or other alerts are a change."""
        now = self.clock()
        self._put(key, tuple(span for span in spans(rollout) if not span.is_over(now)))

    def forget(self, key: Ref) -> None:
        """The rollout is gone."""
        self._put(key, ())

    def listen(self, event: asyncio.Event) -> None:
        """Set this event at each change from now on."""
        self._listeners.add(event)

    def leave(self, event: asyncio.Event) -> None:
        """Set this event no longer."""
        self._listeners.discard(event)

    def all(self) -> Noted:
        """Everything that is noted and not over, as a copy that another thread can read."""
        now = self.clock()
        over = [key for key, found in self._spans.items() if all(span.is_over(now) for span in found)]
        for key in over:  # at rest no status is decided that would say so
            del self._spans[key]
        return list(self._spans.values())

    def _put(self, key: Ref, found: tuple[Span, ...]) -> None:
        before = self._spans.get(key, ())
        if found:
            self._spans[key] = found
        else:
            self._spans.pop(key, None)
        if {span.alert.labels for span in before} != {span.alert.labels for span in found}:
            for event in self._listeners:
                event.set()


class Prepared(NamedTuple):
    """What to post now."""

    body: bytes
    """Empty if nothing is true."""
    wait_seconds: float
    """Until the next post, unless there is a change before."""


Prepare = Callable[[Alertmanager, Noted], Prepared]


class Channel(Protocol):
    """How alerts are posted; `adapters.alertmanager.client.Client` is one."""

    async def post(self, server: Alertmanager, body: bytes) -> Result:
        """Post a body to an Alertmanager."""

    async def run(self, function: Prepare, server: Alertmanager, noted: Noted, /) -> Prepared:
        """Call a function in a thread."""


class AlertPoster:
    """The leader's task.

    Args:
        board: What is true.
        settings: The Alertmanagers, links and severities.
        on_post: Called after each post: name of the Alertmanager, outcome.
        may_post: Whether this replica holds the Lease.
        channel: How alerts are posted.
    """

    def __init__(
        self,
        board: AlertBoard,
        settings: Settings,
        on_post: Callable[[str, str], None],
        may_post: Callable[[], bool],
        channel: Channel,
    ) -> None:
        self._board = board
        self._settings = settings
        self._on_post = on_post
        self._may_post = may_post
        self._channel = channel
        self._replaced = asyncio.Event()
        self._said = dict[str, set[str]]()
        """Problems of Alertmanagers that take no alerts now, as they were logged."""

    def replace(self, settings: Settings) -> None:
        """Use these settings from now on."""
        self._settings = settings
        self._replaced.set()

    async def work(self) -> None:
        """Post indefinitely, to each Alertmanager in a task of its own."""
        while True:
            self._replaced.clear()
            tasks = [asyncio.create_task(self._serve(each)) for each in self._settings.alertmanagers]
            try:
                await self._replaced.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, server: Alertmanager) -> None:
        change = asyncio.Event()
        self._board.listen(change)
        try:
            while True:
                change.clear()
                wait_seconds = await self._post(server)
                await asyncio.sleep(PAUSE_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_seconds - PAUSE_SECONDS):
                        await change.wait()
        finally:
            self._board.leave(change)

    async def _post(self, server: Alertmanager) -> float:
        """Post once; seconds until the next time. A bug here must not end the process, which rolls back."""
        try:
            body, wait_seconds = await self._channel.run(self._prepare, server, self._board.all())
            if body and self._may_post():
                result = await self._channel.post(server, body)
                self._on_post(server.name, result.outcome)
                self._log(server.name, result.problem)
        except Exception:
            logger.exception("Failed to post alerts to Alertmanager %s", server.name)
            return EVERY_SECONDS
        return wait_seconds

    def _prepare(self, server: Alertmanager, noted: Noted) -> Prepared:
        """What a thread does: a thousand alerts take tens of milliseconds."""
        now, settings = self._board.clock(), self._settings
        mine = [span for found in noted for span in found if server.is_for(span.alert.namespace)]
        true = [span.alert for span in mine if span.is_true(now)]
        body = written(true, settings.links, settings.alert_severities, now + LASTS) if true else b""
        return Prepared(body, _until_next(mine, now))

    def _log(self, name: str, problem: str) -> None:
        """Say once why an Alertmanager does not take alerts, also if that changes, and that it does again."""
        if problem and problem not in self._said.setdefault(name, set()):
            self._said[name].add(problem)
            logger.warning("Failed to post alerts to Alertmanager %s: %s", name, problem)
        elif not problem and name in self._said:
            del self._said[name]
            logger.info("Alertmanager %s takes alerts again", name)


def _until_next(noted: Iterable[Span], now: datetime) -> float:
    starts = (span.alert.starts_at for span in noted if span.alert.starts_at > now)
    first = min(starts, default=None)
    seconds = EVERY_SECONDS if first is None else (first - now).total_seconds()
    return min(EVERY_SECONDS, max(PAUSE_SECONDS, seconds))
