"""Carries out a decision: traffic and snapshots, then the status once, then Events.

Last step of `reconcile`. Every answer of the API server comes in by the same door as a watch event, so that
the next decision sees it. What fails becomes a `Problem`, an input of the next observation, or an exception
that the worker backs off from.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotServedError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Deletion, Effect, Event, Patch, Problem, Write
from agentrollouts.core.ownership import OWNERS
from agentrollouts.core.release.snapshot import fitting
from agentrollouts.core.rollout.snapshots.facts import FACTS_MANAGER
from agentrollouts.core.traffic.manifests import FEATURE_FLAG, ROUTES, is_made_for
from agentrollouts.core.traffic.plain_writes import bare_forms
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.effects.events import EventSender
from agentrollouts.shell.effects.insist import Insistence
from agentrollouts.shell.effects.relabel import Labels
from agentrollouts.shell.effects.reply import Replies
from agentrollouts.shell.effects.statuses.writer import REFUSALS, Statuses
from agentrollouts.shell.effects.stored import is_stored
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.resync import WATCHED
from agentrollouts.shell.records.recorder import Recorder

logger = logging.getLogger(__name__)

REASONS: Final = (
    (NotServedError, Reason.GATEWAY_API_MISSING),
    (ForbiddenError, Reason.FORBIDDEN),
    (InvalidError, Reason.WRITE_REFUSED),
)
"""What an error of a write is called in a condition; any other is `WriteFailed`."""


SEEING_SECONDS: Final = 1.0
"""How long to wait for an object that refused a write."""


class Writer(Protocol):
    """What is done to an API server; `adapters.cluster.client.Cluster` is one. All raise `ClusterError`."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none."""

    async def apply(self, manifest: Manifest, *, manager: str, force: bool) -> Manifest:
        """Server-side apply."""

    async def patch(self, ref: Ref, operations: Sequence[Mapping[str, Any]]) -> Manifest:
        """JSON patch."""

    async def delete_version(self, manifest: Manifest) -> None:
        """Delete the very version that was seen."""

    async def replace_status(self, manifest: Manifest) -> Manifest:
        """Replace the status of the very version that the manifest names."""


class Actor:
    """The hands of the operator."""

    def __init__(
        self,
        cluster: Writer,
        cache: Cache,
        intake: Intake,
        sender: EventSender,
        recorder: Recorder | None = None,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._intake = intake
        self._sender = sender
        self.recorder = recorder
        self.labels = Labels(cluster, intake)
        self.statuses = Statuses(cluster, cache, intake, sender)
        self.replies = Replies(cluster, intake, self.statuses)
        self._insistence = Insistence[Ref]()

    async def apply(self, writes: Iterable[Effect]) -> Problem | None:
        """Do all writes in their order, each though another failed; the first failure is the answer.

        Raises:
            ConflictError: what was decided rests on an object that has changed; observe and decide again.
        """
        first: Problem | None = None
        for write in writes:
            problem = await self._attempt(write)
            first = first or problem
        return first

    def send_events(self, manifest: Manifest, events: Iterable[Event]) -> None:
        """Have Events about an object sent, without waiting for it."""
        self._sender.send(manifest, events)

    async def _attempt(self, effect: Effect) -> Problem | None:
        """Carry out an effect; what is refused with its text is written with less of it.

        With the bare mark a rollback is complete. Without any mark the weights are right and the problem
        stays, so that the mark is tried again and a person can read why it is missing.
        """
        forms = bare_forms(effect)
        problem, is_refused = await self._tried(effect, is_rollback=bool(forms))
        plainer = forms if is_refused else ()
        for form in plainer:
            another, is_refused = await self._tried(form, is_rollback=True)
            if another is None:
                return None if form is plainer[0] else problem
            if not is_refused:
                return another
        return problem

    async def _tried(self, effect: Effect, *, is_rollback: bool) -> tuple[Problem | None, bool]:
        """Why an effect failed, and whether its content is what was refused."""
        try:
            work = partial(self._carry_out, effect)
            sent = self._insistence.send(_target(effect), work) if is_rollback else work()
            return await sent, False
        except ConflictError:
            await self._see_again(_target(effect))
            raise
        except ClusterError as error:
            logger.warning("%s", error)
            target = _target(effect)
            if isinstance(error, NotServedError):
                self._cache.unserved.add(target.kind)
            await (self._see_again(target) if isinstance(error, NotFoundError) else self._see(target, error))
            return Problem(_reason(error, target), str(error)), isinstance(error, REFUSALS)

    async def _carry_out(self, effect: Effect) -> Problem | None:
        match effect:
            case Write():
                return await self._apply(effect)
            case Patch(manifest, operations):
                return self._stored(effect, await self._cluster.patch(Ref.of(dict(manifest)), operations))
            case Deletion(manifest):
                await self._cluster.delete_version(dict(manifest))
                if manifest["kind"] in WATCHED:
                    self._intake.drop(dict(manifest))
        return None

    async def _apply(self, write: Write) -> Problem | None:
        manifest = dict(write.manifest)
        ref = Ref.of(manifest)
        is_forced = write.manager in {FIELD_MANAGER, FACTS_MANAGER}  # no one else owns these fields
        is_sure = write.is_known or "uid" in manifest["metadata"]
        existing = None if is_sure else await self._there(ref, manifest)
        if existing is not None and manifest.get("immutable"):
            adopted = fitting(manifest, existing)
            if adopted is None:
                return Problem(Reason.NAME_TAKEN, f"{ref} exists with other content; delete it")
            manifest, is_forced = adopted, True  # a label may have been taken over by another tool
        elif existing is not None and not is_made_for(existing, _owner_of(manifest)):
            reason = Reason.ROUTE_NOT_OWNED if ref.kind in ROUTES else Reason.NAME_TAKEN
            return Problem(reason, f"{ref} exists and is owned by someone else; rename it or the rollout")
        return self._stored(
            write, await self._cluster.apply(manifest, manager=write.manager, force=is_forced)
        )

    def _stored(self, effect: Write | Patch, written: Manifest) -> Problem | None:
        """Take in what is stored now; a problem if a rollback was written and is not stored.

        What is not watched would stay in the cache as it is now; it is read again when it matters.
        """
        if written["kind"] in WATCHED:
            self._intake.put(written)
        if not bare_forms(effect) or is_stored(effect, written):
            return None
        what = f"{_target(effect)} is stored with other content than was written"
        return Problem(Reason.WRITE_REFUSED, f"{what}; does an admission webhook change it?")

    async def _there(self, ref: Ref, manifest: Manifest) -> Manifest | None:
        """What exists under that name; read only if the watch does not show it, or not all of it."""
        cached = None if manifest.get("immutable") else self._cache.get(ref)
        return cached or await self._cluster.get(ref)

    async def _see(self, ref: Ref, error: ClusterError) -> None:
        """Read what refused a write and is not in the cache: without our label, no watch shows it."""
        if not isinstance(error, REFUSALS) or ref.kind not in WATCHED or self._cache.get(ref) is not None:
            return
        with suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(SEEING_SECONDS):
                if existing := await self._cluster.get(ref):
                    self._intake.put_unseen(existing)

    async def _see_again(self, ref: Ref) -> None:
        """Read what is not as it was seen: its watch may be late, or blind, and then would stay so."""
        if ref.kind not in WATCHED:
            return
        with suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(SEEING_SECONDS):
                existing = await self._cluster.get(ref)
            if existing is not None:
                self._intake.put(existing)
            elif (cached := self._cache.get(ref)) is not None:
                self._intake.drop(cached)


def _reason(error: ClusterError, ref: Ref) -> Reason:
    if isinstance(error, NotServedError) and ref.kind == FEATURE_FLAG:
        return Reason.FEATURE_FLAG_MISSING
    return next((why for kind, why in REASONS if isinstance(error, kind)), Reason.WRITE_FAILED)


def _target(effect: Effect) -> Ref:
    return Ref.of(dict(effect.manifest))


def _owner_of(manifest: Manifest) -> str:
    """The uid of the object for which we write; empty in the barest form of a write."""
    return next((str(owner["uid"]) for owner in manifest["metadata"].get(OWNERS) or ()), "")
