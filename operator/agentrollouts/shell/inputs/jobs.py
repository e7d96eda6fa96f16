"""Reads the CronJobs and Jobs of hooks on behalf of rollouts; an input like any other.

Between the API server and the queue. A decision lists what its hooks depend on (`follow`). A task for each
such rollout reads that at once, and again while it is listed: a Job every two seconds, a CronJob every ten.
What is new marks the rollout dirty. Nothing is watched, since only running hooks matter, and
`reconcile` never waits for a read. A rollout without a hook in progress costs no request.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from agentrollouts.adapters.cluster.errors import ClusterError, ForbiddenError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.adapters.cluster.slots import CALLER, Caller
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Problem
from agentrollouts.core.recovery.hooks.reads import HookReads

logger = logging.getLogger(__name__)

JOB: Final = "Job"
CRON_JOB: Final = "CronJob"

INTERVALS: Final = {JOB: 2.0, CRON_JOB: 10.0}
"""Seconds between two reads of an object."""
AT_A_TIME: Final = 4
SPACING_SECONDS: Final = 0.05
"""How many reads are in progress, and how long each keeps its place: at most 80 a second, however many hooks
run. With more, they are read less often."""
VOLATILE: Final = frozenset({"resourceVersion", "managedFields", "generation"})
"""Fields of the metadata that no decision reads; a change of them is not news."""

Seen = Manifest | Problem | None
"""An object; why it could not be read; or None if it does not exist."""


class Reader(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none. Raises `ClusterError`."""


class JobReads:
    """What is known of the CronJobs and Jobs that rollouts depend on at this moment.

    Args:
        cluster: Where they are read.
        mark: Called for every rollout for which something is new.
    """

    def __init__(self, cluster: Reader, mark: Callable[[Ref], None]) -> None:
        self._cluster = cluster
        self._mark = mark
        self._followed: dict[Ref, _Follower] = {}
        self._places = asyncio.Semaphore(AT_A_TIME)

    def follow(self, key: Ref, reads: HookReads) -> None:
        """Read this for the rollout from now on, or nothing; to say the same again changes nothing."""
        refs = frozenset(_refs(key.namespace, reads))
        follower = self._followed.get(key)
        if follower is None:
            if refs:
                self._followed[key] = follower = _Follower(refs)
                follower.task = asyncio.create_task(self._keep_reading(key, follower), name=f"hooks of {key}")
        elif not refs:
            self.forget(key)
        elif refs != follower.refs:
            follower.refs = refs
            follower.known = {ref: known for ref, known in follower.known.items() if ref in refs}
            follower.is_changed.set()

    def forget(self, key: Ref) -> None:
        """A rollout needs nothing, is gone or cannot be read."""
        follower = self._followed.pop(key, None)
        if follower is not None and follower.task is not None:
            follower.task.cancel()

    def cron_jobs(self, key: Ref) -> Mapping[str, Seen]:
        """The CronJobs that were read for a rollout, by name."""
        return self._of(key, CRON_JOB)

    def jobs(self, key: Ref) -> Mapping[str, Seen]:
        """The Jobs that were read for a rollout, by name."""
        return self._of(key, JOB)

    def put(self, key: Ref, manifest: Manifest) -> None:
        """Take in an object that was just created for a rollout; a read in progress is older."""
        follower, ref = self._followed.get(key), Ref.of(manifest)
        if follower is not None and ref in follower.refs and follower.take_in(ref, _remembered(manifest)):
            self._mark(key)

    def close(self) -> None:
        """Stop reading."""
        for key in tuple(self._followed):
            self.forget(key)

    def _of(self, key: Ref, kind: str) -> Mapping[str, Seen]:
        follower = self._followed.get(key)
        known = follower.known.items() if follower else ()
        return {ref.name: each.value for ref, each in known if ref.kind == kind}

    async def _keep_reading(self, key: Ref, follower: "_Follower") -> None:
        CALLER.set(Caller(key.namespace, is_urgent=False))
        loop = asyncio.get_running_loop()
        while True:
            follower.is_changed.clear()
            try:
                is_news = any([await self._read(follower, ref) for ref in follower.due(loop.time())])
            except Exception:  # a bug; what is known stays as it is
                logger.exception("Failed to read the hooks of %s", key)
                is_news = False
            if is_news:
                self._mark(key)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(follower.next_time(loop.time())):
                    await follower.is_changed.wait()

    async def _read(self, follower: "_Follower", ref: Ref) -> bool:
        """Read one object; whether that is news."""
        async with self._places:
            before, value = follower.known.get(ref), await self._value(ref)
            await asyncio.sleep(SPACING_SECONDS)
        is_current = ref in follower.refs and follower.known.get(ref) is before  # else created meanwhile
        return is_current and follower.take_in(ref, value)

    async def _value(self, ref: Ref) -> Seen:
        try:
            manifest = await self._cluster.get(ref)
        except ForbiddenError as error:
            return Problem(Reason.FORBIDDEN, str(error))
        except ClusterError as error:
            return Problem(Reason.HOOKS_RUNNING, str(error))
        return None if manifest is None else _remembered(manifest)


class _Known(NamedTuple):
    """What a read gave; each read makes a new one, so that identity tells them apart."""

    value: Seen
    time: float
    """When, in seconds of the running loop."""


class _Follower:
    """What is read for one rollout."""

    def __init__(self, refs: frozenset[Ref]) -> None:
        self.refs = refs
        self.known: dict[Ref, _Known] = {}
        self.is_changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def take_in(self, ref: Ref, value: Seen) -> bool:
        """Remember what an object is now; whether that is news."""
        before = self.known.get(ref)
        self.known[ref] = _Known(value, asyncio.get_running_loop().time())
        return before is None or before.value != value

    def due(self, now: float) -> list[Ref]:
        """What must be read now, in a fixed order."""
        return sorted(ref for ref in self.refs if self._due(ref) <= now)

    def next_time(self, now: float) -> float:
        """When something has to be read next; what a bug keeps from being read waits like a Job."""
        return max(min(map(self._due, self.refs)), now + SPACING_SECONDS)

    def _due(self, ref: Ref) -> float:
        known = self.known.get(ref)
        return known.time + INTERVALS[ref.kind] if known else 0.0


def _refs(namespace: str, reads: HookReads) -> Iterator[Ref]:
    yield from (Ref(CRON_JOB, namespace, name) for name in reads.cron_jobs)
    yield from (Ref(JOB, namespace, name) for name in reads.jobs)


def _remembered(manifest: Manifest) -> Manifest:
    """An object without what changes though nothing has happened, so that two are equal if it has not."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in VOLATILE}
    return {**manifest, "metadata": metadata}
