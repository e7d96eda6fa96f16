"""Carries out a decision: traffic and snapshots, then the status once, then Events.

Last step of `reconcile`. Every answer of the API server comes in by the same door as a watch event, so that
the next decision sees it. What fails becomes a `Problem`, an input of the next observation, or an exception
that the worker backs off from.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import uuid4

from agentrollouts.adapters.cluster_errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotServedError,
)
from agentrollouts.adapters.resources import Manifest, Ref
from agentrollouts.api.meta import FIELD_MANAGER, LABEL_MANAGED_BY
from agentrollouts.api.reasons import Reason
from agentrollouts.core.observation import Deletion, Effect, Event, Patch, Problem, Write
from agentrollouts.shell.cache import ROUTE, Cache
from agentrollouts.shell.inputs import Inputs

logger = logging.getLogger(__name__)

REASONS: Final = (
    (NotServedError, Reason.GATEWAY_API_MISSING),
    (ForbiddenError, Reason.FORBIDDEN),
    (InvalidError, Reason.WRITE_REFUSED),
)
"""What an error of a write is called in a condition; any other is `WriteFailed`."""


QUIET_SECONDS: Final = 60.0
"""How long the same sentence about the same object is not said again; a fight over weights repeats it."""


class Writer(Protocol):
    """What is done to an API server; `adapters.cluster.Cluster` is one. All raise `ClusterError`."""

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

    async def create_event(self, event: Manifest) -> Manifest:
        """Create a core/v1 Event."""


class Actor:
    """The hands of the operator."""

    def __init__(self, cluster: Writer, cache: Cache, inputs: Inputs) -> None:
        self._cluster = cluster
        self._cache = cache
        self._inputs = inputs
        self._said: dict[tuple[Ref, str], float] = {}

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

    async def replace_status(self, manifest: Manifest, status: Mapping[str, Any]) -> None:
        """Write the whole status of the very version that was decided on.

        Raises:
            ConflictError: it has changed; observe and decide again.
            ClusterError: it could not be written.
        """
        self._inputs.put(await self._cluster.replace_status({**manifest, "status": dict(status)}))

    async def tell(self, manifest: Manifest, events: Iterable[Event]) -> None:
        """Log and send Events about an object; one that is lost is only logged, since status says it too."""
        for event in events:
            if not self._is_news(Ref.of(manifest), event):
                continue
            log = logger.warning if event.is_warning else logger.info
            log("%s %s: %s", Ref.of(manifest), event.reason, event.message)
            try:
                await self._cluster.create_event(_event(manifest, event))
            except ClusterError as error:
                logger.warning("Failed to send an Event: %s", error)

    def _is_news(self, ref: Ref, event: Event) -> bool:
        now = asyncio.get_running_loop().time()
        self._said = {key: at for key, at in self._said.items() if now < at + QUIET_SECONDS}
        return self._said.setdefault((ref, event.message), now) == now

    async def _attempt(self, effect: Effect) -> Problem | None:
        try:
            match effect:
                case Write():
                    return await self._apply(effect)
                case Patch(manifest, operations):
                    self._inputs.put(await self._cluster.patch(Ref.of(dict(manifest)), operations))
                case Deletion(manifest):
                    await self._cluster.delete_version(dict(manifest))
                    self._inputs.drop(dict(manifest))
        except ConflictError:
            raise
        except ClusterError as error:
            logger.warning("%s", error)
            reason = next((why for kind, why in REASONS if isinstance(error, kind)), Reason.WRITE_FAILED)
            return Problem(reason, str(error))
        return None

    async def _apply(self, write: Write) -> Problem | None:
        manifest = dict(write.manifest)
        ref = Ref.of(manifest)
        if await self._is_foreign(ref, manifest):
            reason = Reason.ROUTE_NOT_OWNED if ref.kind == ROUTE else Reason.NAME_TAKEN
            return Problem(reason, f"{ref} exists and is not ours; rename it or the rollout")
        is_whole = write.manager == FIELD_MANAGER
        self._inputs.put(await self._cluster.apply(manifest, manager=write.manager, force=is_whole))
        return None

    async def _is_foreign(self, ref: Ref, manifest: Manifest) -> bool:
        """Whether an object of that name exists that we did not make; asked only before the first write."""
        if manifest["metadata"].get("uid"):
            return False
        found = self._cache.get(ref) or await self._cluster.get(ref)
        if found is None:
            return False
        return (found["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) != FIELD_MANAGER


def _event(manifest: Manifest, event: Event) -> Manifest:
    """A core/v1 Event about an object."""
    metadata, now = manifest["metadata"], datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{uuid4().hex[:16]}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": manifest["apiVersion"],
            "kind": manifest["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "reason": str(event.reason),
        "message": event.message[:1024],
        "type": "Warning" if event.is_warning else "Normal",
        "source": {"component": FIELD_MANAGER},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
