"""Reads the records of a rollout and its head from the cluster, as they were at one moment."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.credentials import current_namespace
from agentrollouts.adapters.cluster.errors import NotFoundError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.record.chain import PREVIOUS
from agentrollouts.core.record.lineage import of_lineage, uid_in

KIND: Final = "AgentRolloutRecord"
_LOOKS: Final = 5
"""How often the records are read while entries are being added to them."""
CALL_SECONDS: Final = 30.0
"""Hard limit of one request to the API server: a page of records is large."""


class Reads(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None. Raises `ClusterError`."""

    async def list(
        self, kind: str, namespace: str | None = None, *, fields: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """All objects of a kind with these values of fields. Raises `ClusterError`."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The records of a rollout, and what its status says about them."""

    records: tuple[Manifest, ...]
    head: str | None
    """Hash of the newest entry, by the status; None if the rollout is gone or has no record yet."""
    pending: tuple[object, ...]
    """Entries that are in the status and perhaps not in a record yet."""
    note: str
    """What else to know, as a sentence; empty if there is nothing."""
    uid: str | None = None
    """UID of the rollout; None if it is gone."""


def fetch_records(rollout: str, namespace: str | None) -> Fetched:
    """The records of a rollout and its head. Raises `ClusterError`."""
    return asyncio.run(_connected(rollout, namespace or current_namespace()))


async def _connected(rollout: str, namespace: str) -> Fetched:
    cluster = await Cluster.connect(timeout_seconds=CALL_SECONDS)
    try:
        return await fetched(cluster, rollout, namespace)
    finally:
        await cluster.close()


async def fetched(api: Reads, rollout: str, namespace: str) -> Fetched:
    """The records of a rollout and its head.

    An entry is in the status before it is in a record, and leaves the status once it is there. So the head
    fits the records only if it was the same before and after they were read.

    Raises:
        NotFoundError: there is neither such a rollout nor a record of one.
        ClusterError: something cannot be read.
    """
    ref = Ref("AgentRollout", namespace, rollout)
    before = await api.get(ref)
    for _ in range(_LOOKS):
        records = await api.list(KIND, namespace, fields={"spec.rollout": rollout})
        after = await api.get(ref)
        if _status(before) == _status(after):
            break
        before = after
    if after is None and not records:
        raise NotFoundError(
            f"There is no AgentRollout {rollout} in namespace {namespace}, and no record of one"
        )
    return _of(after, records)


def _of(rollout: Manifest | None, records: list[Manifest]) -> Fetched:
    if rollout is None:
        return Fetched(tuple(records), None, (), "The rollout is gone, and with it the head.")
    uid, status = rollout["metadata"].get("uid"), _status(rollout)
    head, pending = status.get("head"), status.get("unwritten")
    waiting = tuple(pending) if isinstance(pending, list) else ()
    follows = (entry.get(PREVIOUS) for entry in waiting if isinstance(entry, Mapping))
    kept = tuple(of_lineage(records, uid, (head, *follows)))
    notes = []
    if kept and all(uid_in(record) != uid for record in kept):
        notes.append(
            f"The rollout was created again with its status (uid {uid}); no record of that uid is there yet."
        )
    if others := len(records) - len(kept):
        are = "record is" if others == 1 else "records are"
        notes.append(f"{others} {are} of an earlier rollout of that name; verify them as files.")
    return Fetched(kept, head if isinstance(head, str) and head else None, waiting, " ".join(notes), uid)


def _status(rollout: Manifest | None) -> dict[str, Any]:
    """What the status says about records."""
    record = ((rollout or {}).get("status") or {}).get("record")
    return record if isinstance(record, dict) else {}
