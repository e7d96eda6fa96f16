"""Puts our labels back on snapshots that lost them, and that no release writes again.

The watch selects by a label, so a snapshot without it looks deleted. It is read by name, and taken in again
if it holds what the status says.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final, Protocol

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.release.bundle import digest_of
from agentrollouts.core.release.snapshot import BUNDLE_KEY, labels_of
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.relations import CONFIG_MAP

logger = logging.getLogger(__name__)

MANAGER: Final = f"{FIELD_MANAGER}-labels"
"""The field manager of labels that were put back."""
EVERY_SECONDS: Final = 60.0
"""How often a snapshot is looked for that is not there."""
READ_SECONDS: Final = 1.0
"""How long a look may take; it comes after all that was decided, and other rollouts wait for the worker."""
MOST: Final = 4096
"""Of so many it is known when they were looked for last."""


class Reader(Protocol):
    """An API server; `adapters.cluster.client.Cluster` is one. Both methods raise `ClusterError`."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none."""

    async def apply(self, manifest: Manifest, *, manager: str, force: bool) -> Manifest:
        """Server-side apply."""


class Labels:
    """Looks for lost snapshots.

    Args:
        cluster: API server.
        intake: Where what is found goes.
    """

    def __init__(self, cluster: Reader, intake: Intake) -> None:
        self._cluster = cluster
        self._intake = intake
        self._looked: dict[Ref, float] = {}

    async def put_back(self, namespace: str, agent: str, lost: Iterable[ReleaseRecord]) -> None:
        """Look for the snapshots of these releases, each at most once in `EVERY_SECONDS`."""
        now = asyncio.get_running_loop().time()
        while self._looked and next(iter(self._looked.values())) + EVERY_SECONDS <= now:
            del self._looked[next(iter(self._looked))]
        for record in lost:
            ref = Ref(CONFIG_MAP, namespace, record.snapshot)
            if self._looked.get(ref, -EVERY_SECONDS) + EVERY_SECONDS > now:
                continue
            if len(self._looked) >= MOST:
                self._looked.clear()
            self._looked.pop(ref, None)  # the oldest look is the first entry
            self._looked[ref] = now
            try:
                async with asyncio.timeout(READ_SECONDS):
                    await self._look(ref, agent, record)
            except (ClusterError, TimeoutError) as error:
                logger.info("Failed to look for %s: %s", ref, error)

    async def _look(self, ref: Ref, agent: str, record: ReleaseRecord) -> None:
        config_map = await self._cluster.get(ref)
        text = ((config_map or {}).get("data") or {}).get(BUNDLE_KEY)
        if config_map is None or not isinstance(text, str) or digest_of(text.encode()) != record.digest:
            return
        metadata = {
            "name": ref.name,
            "namespace": ref.namespace,
            "uid": config_map["metadata"]["uid"],
            "labels": labels_of(agent, record.release),
        }
        manifest: Manifest = {"apiVersion": "v1", "kind": CONFIG_MAP, "metadata": metadata}
        self._intake.put(await self._cluster.apply(manifest, manager=MANAGER, force=True))
