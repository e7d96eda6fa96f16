"""Leader election: of several replicas, the holder of a Lease decides and writes; the others stay warm.

The holder renews every `RENEW_SECONDS`. It may write for `DEADLINE_SECONDS` after its last renewal, and
another replica takes over `DURATION_SECONDS` after it last saw one, so that the two never overlap. The times
in the Lease are for people: all spans are measured on the monotonic clock of one process, which neither a
step of the wall clock nor a stopped process (SIGSTOP) can deceive.

A holder that stops on purpose gives the Lease up. One that was killed and restarts under the same name, as a
container in its pod does, takes it again at once: of one pod, at most one process runs.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import uuid4

from agentrollouts.adapters.cluster.errors import ClusterError, ConflictError
from agentrollouts.adapters.cluster.resources import Manifest, Ref

logger = logging.getLogger(__name__)

LEASE: Final = "Lease"
DURATION_SECONDS: Final = 12.0
"""How long after the last renewal another replica waits. A breach without a leader has to be rolled back in
20 s, and to see the last renewal, to take the Lease and to judge need the rest. The 15 s of Kubernetes' own
components do not leave it."""
DEADLINE_SECONDS: Final = 7.0
"""How long after its last renewal the holder may write: as in those components, until 5 s before another one
may take over. A renewal that hangs leaves time for a second one."""
RENEW_SECONDS: Final = 2.0
"""Between two renewals; also the limit of one."""
LOOK_SECONDS: Final = 1.0
"""Between two looks of a replica that waits: a planned handover takes at most this and one write."""


class Leases(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` is one. All raise `ClusterError`."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none."""

    async def create(self, manifest: Manifest) -> Manifest:
        """Create it. Raises `ConflictError` if it exists."""

    async def replace(self, manifest: Manifest) -> Manifest:
        """Replace the very version that it names. Raises `ConflictError` if there is a newer one."""


class Lease:
    """One replica's view of the Lease.

    Args:
        leases: Where it is kept.
        place: Its namespace and name.
        identity: What this replica is called; no two processes that run at once have the same.
        clock: Monotonic seconds.
    """

    def __init__(
        self, leases: Leases, place: Ref, identity: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._leases = leases
        self._place = place
        self._identity = identity
        self._clock = clock
        self._seen: Manifest | None = None
        self._seen_at = clock()
        """When the newest version was first seen."""
        self._renewed = float("-inf")

    def is_held(self) -> bool:
        """Whether this replica may write now."""
        return self._clock() < self._renewed + DEADLINE_SECONDS

    async def acquire(self) -> None:
        """Wait until this replica is the holder."""
        while not await self._tried(self._take):
            left = self._seen_at + DURATION_SECONDS - self._clock()
            await asyncio.sleep(min(LOOK_SECONDS, left) if left > 0 else LOOK_SECONDS)

    async def keep(self) -> None:
        """Renew until that fails for too long, or another replica is the holder; then this one must end."""
        while self.is_held():
            await asyncio.sleep(RENEW_SECONDS)
            if not await self._tried(self._renew) and self._holder() != self._identity:
                self._renewed = float("-inf")

    async def release(self) -> None:
        """Give it up, so that another replica need not wait. Nothing may be written afterward."""
        if self.is_held():
            self._renewed = float("-inf")
            await self._tried(self._give_up)

    async def _tried(self, step: Callable[[], Any]) -> bool:
        """Do one step within its limit; False if the API server refused it or did not answer."""
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                return bool(await step())
        except ConflictError:
            return False
        except TimeoutError:
            logger.warning("%s was not reached within %g s", self._place, RENEW_SECONDS)
        except ClusterError as error:
            logger.warning("%s", error)
        return False

    async def _take(self) -> bool:
        await self._look()
        holder = self._holder()
        is_over = self._clock() >= self._seen_at + DURATION_SECONDS
        return (holder in {"", self._identity} or is_over) and await self._write(self._identity)

    async def _renew(self) -> bool:
        try:
            return await self._write(self._identity)
        except ConflictError:  # another replica took it, or a renewal was made whose answer was lost
            await self._look()
            return False

    async def _give_up(self) -> bool:
        try:
            return await self._write("")
        except ConflictError:  # a renewal that the end interrupted was made; none can be made anymore
            await self._look()
            return self._holder() == self._identity and await self._write("")

    async def _look(self) -> None:
        lease = await self._leases.get(self._place)
        if _version(lease) != _version(self._seen):
            self._seen_at = self._clock()
        self._seen = lease

    def _holder(self) -> str:
        return _spec(self._seen).get("holderIdentity") or ""

    async def _write(self, holder: str) -> bool:
        """Write the next version. The span counts from before the request: no replica sees it earlier."""
        started, now = self._clock(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = _spec(self._seen)
        spec = {
            **before,
            "holderIdentity": holder,
            "renewTime": now,
            "leaseDurationSeconds": int(DURATION_SECONDS),
        }
        if holder != before.get("holderIdentity"):
            spec |= {"acquireTime": now, "leaseTransitions": int(before.get("leaseTransitions") or 0) + 1}
        if self._seen is None:
            metadata = {"namespace": self._place.namespace, "name": self._place.name}
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": LEASE, "metadata": metadata, "spec": spec}
            self._seen = await self._leases.create(body)
        else:
            self._seen = await self._leases.replace({**self._seen, "spec": spec})
        self._seen_at = self._clock()
        if holder == self._identity:
            self._renewed = started
        return True


def identity() -> str:
    """What this replica is called: its pod's name, or outside a pod a name that no other process has."""
    return os.environ.get("POD_ID") or f"{socket.gethostname()}-{uuid4().hex[:8]}"


def _version(manifest: Manifest | None) -> str | None:
    return None if manifest is None else manifest["metadata"].get("resourceVersion")


def _spec(manifest: Manifest | None) -> Manifest:
    return (manifest or {}).get("spec") or {}
