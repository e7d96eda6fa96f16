"""Writes statuses: whole if the API server takes them, with less text if it does not, and at a bounded pace.

A status is where an attempt is remembered and where people look, so a status that cannot be written is
reported without it: by an Event and by metrics. Traffic never waits for that. Used by `act`, after traffic.
"""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple, Protocol

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Event
from agentrollouts.core.record.silent import with_silent_record
from agentrollouts.core.traffic.plain_writes import bare_statuses
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.effects.events import EventSender
from agentrollouts.shell.effects.newest import take_in_newest
from agentrollouts.shell.effects.statuses.dropped import dropped_fields, sentence_of
from agentrollouts.shell.effects.statuses.other_versions import with_fields_of_others
from agentrollouts.shell.effects.statuses.pace import AT_ONCE, INCOMPLETE, PAUSE_LAST, StatusPace
from agentrollouts.shell.inputs.intake import Intake

logger = logging.getLogger(__name__)

REFUSALS: Final = (ForbiddenError, InvalidError)
"""Errors that a write with less text may not have: limits, admission policies and proxies use both."""
PASSING: Final = 3
"""Other failures in a row that may pass by themselves, so that no Event reports them."""
QUIET_SECONDS: Final = 600.0
"""Time between two Events that say that the status of an object is not written."""
LAPSED_SECONDS: Final = 120.0
"""What has not failed for so long, though failures are repeated within seconds, is gone."""


class Writer(Protocol):
    """What is done to an API server; `adapters.cluster.client.Cluster` is one. All raise `ClusterError`."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none."""

    async def replace_status(self, manifest: Manifest) -> Manifest:
        """Replace the status of the very version that the manifest names."""


class Written(NamedTuple):
    """What became of a status."""

    is_done: bool = True
    """Whether the API server has it; else it is held back."""
    again: float | None = None
    """Seconds after which to decide again; None if nothing but a change calls for it."""
    is_new: bool = True
    """Whether it was written now; else it is held back, or was written before and not stored whole."""


class _Failure(NamedTuple):
    times: int
    at: float
    said: float
    """When an Event said so last."""


class Statuses:
    """The statuses of all objects.

    Args:
        cluster: Where they are.
        cache: Takes in statuses that say nothing new.
        intake: Takes in all others.
        sender: Sends Events.
    """

    def __init__(self, cluster: Writer, cache: Cache, intake: Intake, sender: EventSender) -> None:
        self._cluster = cluster
        self._cache = cache
        self._intake = intake
        self._sender = sender
        self._clock = asyncio.get_running_loop().time
        self._pace = StatusPace(self._clock)
        self._failures: dict[Ref, _Failure] = {}
        self._dropped: dict[Ref, frozenset[str]] = {}

    def unwritten(self) -> int:
        """Number of objects whose newest status the API server does not store."""
        self._lapse()
        return len(self._failures)

    def incomplete(self) -> int:
        """Number of objects of whose status the API server does not store every field."""
        return len(self._dropped)

    async def replace(
        self, manifest: Manifest, status: Mapping[str, Any], *, is_news: bool = True, is_minor: bool = False
    ) -> Written:
        """Write the whole status of the very version that was decided on, unless it is too soon for that.

        Args:
            manifest: The object that was decided on.
            status: The status; what another version of the operator has noted beside it stays.
            is_news: Whether to look at the object again when it is written.
            is_minor: Whether it differs from the stored one by nothing but warnings, which stop nothing.

        Raises:
            ConflictError: it has changed; observe and decide again.
            ClusterError: it could not be written.
        """
        key, version = Ref.of(manifest), str(manifest["metadata"].get("resourceVersion"))
        status = with_fields_of_others(manifest["kind"], manifest.get("status") or {}, status)
        digest = hash(json.dumps(status, sort_keys=True))
        if self._pace.is_stored(key, digest, version):
            return Written(is_new=False)
        burst = AT_ONCE if is_minor else INCOMPLETE if key in self._dropped else None
        if left := self._pace.left(key, digest, burst=burst):
            return Written(is_done=False, again=left, is_new=False)
        try:
            written, is_whole = await self._written(manifest, status)
        except ConflictError:
            await take_in_newest(self._cluster, self._intake, key)
            raise
        stored = str(written["metadata"].get("resourceVersion"))
        self._pace.note(key, digest, stored, is_whole=is_whole, is_slow=burst is not None)
        (self._intake.put if is_news else self._cache.put)(written)
        return Written(again=None if is_whole else PAUSE_LAST)

    async def put(self, manifest: Manifest) -> Manifest:
        """Write the status of an object that is followed no longer; as stored. Raises `ClusterError`."""
        with self._watching(manifest):
            written = await self._sent(manifest, manifest["status"])
        self._dropped.pop(Ref.of(manifest), None)
        return written

    def forget(self, key: Ref) -> None:
        """An object is gone."""
        self._pace.forget(key)
        self._failures.pop(key, None)
        self._dropped.pop(key, None)

    async def _written(self, manifest: Manifest, status: Mapping[str, Any]) -> tuple[Manifest, bool]:
        """The object with the status, and whether that is whole: no attempt stays put for a sentence."""
        with self._watching(manifest):
            try:
                return await self._sent(manifest, status), True
            except REFUSALS as error:
                refusal = error
            for bare in with_silent_record(bare_statuses(status, str(refusal))):
                with suppress(*REFUSALS):
                    written = await self._sent(manifest, bare)
                    logger.warning("Wrote the status without details: %s", refusal)
                    return written, False
            raise refusal

    async def _sent(self, manifest: Manifest, status: Mapping[str, Any]) -> Manifest:
        """The object as stored; what is missing in its status is reported."""
        written = await self._cluster.replace_status({**manifest, "status": dict(status)})
        key, dropped = Ref.of(manifest), frozenset(dropped_fields(status, written.get("status")))
        if not dropped:
            self._dropped.pop(key, None)
        elif dropped - (known := self._dropped.get(key, frozenset())):
            self._dropped[key] = dropped | known
            self._say(manifest, Reason.STATUS_INCOMPLETE, sentence_of(key.kind, dropped))
        return written

    @contextmanager
    def _watching(self, manifest: Manifest) -> Iterator[None]:
        """Take in whether a status is written, and say why if it is not."""
        key = Ref.of(manifest)
        try:
            yield
        except (ConflictError, NotFoundError):
            raise
        except ClusterError as error:
            self._fail(manifest, error)
            raise
        self._failures.pop(key, None)

    def _fail(self, manifest: Manifest, error: ClusterError) -> None:
        self._lapse()
        key, now = Ref.of(manifest), self._clock()
        times, _, said = self._failures.get(key, _Failure(0, now, -QUIET_SECONDS))
        is_loud = isinstance(error, REFUSALS) or times >= PASSING
        if is_loud and now >= said + QUIET_SECONDS:
            said = now
            self._say(manifest, Reason.STATUS_NOT_WRITTEN, f"{Reason.STATUS_NOT_WRITTEN.sentence} {error}")
        self._failures[key] = _Failure(times + 1, now, said)

    def _lapse(self) -> None:
        end = self._clock() - LAPSED_SECONDS
        self._failures = {key: failure for key, failure in self._failures.items() if failure.at > end}

    def _say(self, manifest: Manifest, reason: Reason, message: str) -> None:
        self._sender.send(manifest, [Event(reason, message, is_warning=True)])
