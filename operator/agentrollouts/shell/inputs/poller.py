"""Polls Prometheus for each rollout on its own interval; an input like any other.

Between Prometheus and the queue. A decision says what to query (`poll`); a task per rollout queries
again and again, keeps the newest result for `observe` and marks the rollout dirty. `reconcile` never waits
for this, so a server that hangs delays no rollback, and a slow rollout delays no other.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable
from typing import Final, NamedTuple

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.metrics.evidence import EvidenceQuery
from agentrollouts.core.metrics.poll import Poll, PollResult, Series
from agentrollouts.settings.limits import Limits
from agentrollouts.shell.clock import Clock, utc_now
from agentrollouts.shell.inputs.questions import FindServer, Questions, Topic
from agentrollouts.shell.inputs.shares import Shares

logger = logging.getLogger(__name__)

JITTER: Final = 0.05
"""Part of the interval by which ticks are late, so that rollouts do not query in step; an early one would
count one scrape less."""
STEP: Final = 0.01
"""Part of the interval to whose multiples ticks are put off. Looks that follow each other find the code
in the processor's caches, and cost a fifth less than as many that wake the process one by one."""
BACK_OFF_SECONDS: Final = 16.0
"""The longest interval of a rollout whose queries time out; an interval that is longer is doubled once."""


class Poller:
    """The queries in progress and the newest results, by rollout.

    Args:
        find_server: Finds the server to query; called for every query, since settings can change.
        on_result: Called for every rollout that got a result.
        polled: Called for every query: source, outcome, seconds.
        clock: Time of the queries.
        limits: How many queries a namespace may make.
    """

    def __init__(
        self,
        find_server: FindServer,
        on_result: Callable[[Ref], None],
        polled: Callable[[str, str, float], None],
        clock: Clock = utc_now,
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
    ) -> None:
        self._shares = Shares(limits)
        self._questions = Questions(find_server, self._shares, polled, clock)
        self._on_result = on_result
        self._followed: dict[Ref, _Follower] = {}

    def replace(self, limits: Limits) -> None:
        """Use these limits from now on, also for what waits by the old ones."""
        if limits == self._shares.limits:
            return
        topics = {key: follower.topic for key, follower in self._followed.items()}
        self.close()
        self._shares.replace(limits)
        for key, topic in topics.items():
            self._begin(key, topic)

    def newest(self, key: Ref) -> PollResult | None:
        """The newest answer for a rollout."""
        follower = self._followed.get(key)
        return follower.topic.newest if follower else None

    def poll(self, key: Ref, poll: Poll | None) -> None:
        """Query this for the rollout from now on, or nothing; to say the same again changes nothing."""
        follower = self._followed.get(key)
        if follower is None:
            if poll is not None:
                self._begin(key, Topic(poll=poll))
            return
        topic = follower.topic
        if poll is None:
            self._end(key)
        elif self._interval(poll) != self._interval(topic.poll):  # do not sit out the old interval
            self._end(key)
            topic.poll = poll
            self._begin(key, topic)
        elif poll != topic.poll:  # else it shares its plan with the newest answer
            topic.poll = poll

    async def minutes(self, key: Ref, query: EvidenceQuery) -> Series | str:
        """Once, the counts per minute before a rollback, within the share of the namespace; or why not."""
        return await self._questions.minutes(key, query)

    def close(self) -> None:
        """Stop querying."""
        for key in tuple(self._followed):
            self._end(key)

    def _begin(self, key: Ref, topic: Topic) -> None:
        self._shares.put(key, topic.price, self._interval(topic.poll))
        polling = self._keep_polling(key, topic, self._shares.first(key.namespace))
        self._followed[key] = _Follower(topic, asyncio.create_task(polling, name=f"poll {key}"))

    def _end(self, key: Ref) -> None:
        self._followed.pop(key).task.cancel()
        self._shares.drop(key)

    def _interval(self, poll: Poll) -> float:
        return self._shares.interval(poll.interval_seconds)

    async def _keep_polling(self, key: Ref, topic: Topic, delay: float) -> None:
        loop, before = asyncio.get_running_loop(), None
        await asyncio.sleep(delay)
        while True:
            seconds = self._interval(topic.poll)
            self._shares.put(key, topic.price, seconds)
            await self._shares.wait(key.namespace, topic.price)
            started = loop.time()
            topic.actual_seconds = started - before if before is not None else None
            before = started
            try:
                if await self._questions.query(key, topic):
                    self._on_result(key)
            except Exception:  # a bug; the rollout sees its data grow old, and the next tick may fare better
                logger.exception("Failed to query Prometheus for %s", key)
            due = _due(started, backed_off(seconds, topic.timeouts))
            await asyncio.sleep(max(0.0, due - loop.time()))


def backed_off(seconds: float, timeouts: int) -> float:
    """The interval after so many timeouts in a row: twice as long after each, within bounds.

    A query that times out holds a connection for the whole deadline, and may have loaded the server for it.
    """
    if not timeouts:
        return seconds
    return max(2 * seconds, min(seconds * 2.0 ** min(timeouts, 10), BACK_OFF_SECONDS))


def _due(started: float, interval: float) -> float:
    """When to query again, together with others of the same interval; never early."""
    step = interval * STEP
    return math.ceil((started + interval * random.uniform(1, 1 + JITTER)) / step) * step


class _Follower(NamedTuple):
    """One rollout's queries."""

    topic: Topic
    task: asyncio.Task[None]
