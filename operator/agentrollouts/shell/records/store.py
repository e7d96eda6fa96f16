"""Records in the API server: entries are added to what is there, and nothing is written twice."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from agentrollouts.adapters.cluster.errors import ConflictError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import API_VERSION, LABEL_AGENT, LABEL_ROLLOUT
from agentrollouts.api.record.progress import RecordPart
from agentrollouts.core.record.chain import HASH, PREVIOUS, hash_of

RECORD: Final = "AgentRolloutRecord"
TRIES: Final = 5
"""How often a record that has changed is read again, before a pause."""
ENDS: Final = frozenset({"Healthy", "RolledBack", "Superseded"})
"""Entries that end an attempt; what they report is the outcome of its record."""


class Server(Protocol):
    """An API server; `adapters.cluster.replacing.ReplacingCluster` is one. All raise `ClusterError`."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none."""

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object."""

    async def replace(self, manifest: Manifest) -> Manifest:
        """Replace the very version of an object that the manifest names."""

    async def delete_version(self, manifest: Manifest) -> None:
        """Delete the very version that was seen."""


class LostError(Exception):
    """The record is gone, or has other entries: nothing can be added to it."""


class Records:
    """The records of rollouts.

    Args:
        server: Where they are.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def append(self, rollout: Manifest, part: RecordPart, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add the entries that a record does not have yet.

        Raises:
            LostError: the record is not the one that the status knows.
            ClusterError: it could not be read or written.
        """
        ref = Ref(RECORD, rollout["metadata"]["namespace"], part.name)
        outcome = next((str(entry["event"]) for entry in entries if entry["event"] in ENDS), None)
        for _ in range(TRIES):
            current = await self._server.get(ref)
            if current is None and entries[0]["sequence"] != 1:
                raise LostError(f"{ref} is gone")
            try:
                if current is None:
                    await self._server.create(_new(rollout, part, entries, outcome))
                elif changed := _grown(ref, current, entries, outcome):
                    await self._server.replace(changed)
            except ConflictError:
                continue
            return
        raise ConflictError(f"{ref} keeps changing")

    async def evidence(self, ref: Ref) -> str | None:
        """Hash of the evidence that a record has; None without any. Raises `ClusterError`."""
        current = await self._server.get(ref)
        known = (current or {}).get("spec", {}).get("evidence")
        return hash_of(known) if known else None

    async def keep(self, ref: Ref, evidence: Mapping[str, Any]) -> str:
        """Put evidence into a record that has none; the hash of what it has then.

        Raises:
            LostError: there is no such record.
            ClusterError: it could not be read or written.
        """
        for _ in range(TRIES):
            current = await self._server.get(ref)
            if current is None:
                raise LostError(f"{ref} is gone")
            if known := current["spec"].get("evidence"):
                return hash_of(known)
            try:
                await self._server.replace({**current, "spec": {**current["spec"], "evidence": evidence}})
            except ConflictError:
                continue
            return hash_of(evidence)
        raise ConflictError(f"{ref} keeps changing")

    async def is_there(self, ref: Ref) -> bool:
        """Whether there is such a record. Raises `ClusterError`."""
        return await self._server.get(ref) is not None

    async def delete(self, ref: Ref) -> bool:
        """Delete a record; False if there is none. Raises `ClusterError`."""
        current = await self._server.get(ref)
        if current is None:
            return False
        await self._server.delete_version(current)
        return True


def _new(
    rollout: Manifest, part: RecordPart, entries: Sequence[Mapping[str, Any]], outcome: str | None
) -> Manifest:
    metadata, agent = rollout["metadata"], rollout["spec"]["agent"]
    known = {"version": part.version, "outcome": outcome}
    return {
        "apiVersion": API_VERSION,
        "kind": RECORD,
        "metadata": {
            "name": part.name,
            "namespace": metadata["namespace"],
            "labels": {LABEL_ROLLOUT: metadata["name"], LABEL_AGENT: agent},
        },
        "spec": {
            "rollout": metadata["name"],
            "rolloutUid": metadata["uid"],
            "agent": agent,
            "attempt": part.attempt,
            "part": part.part,
            "release": part.release,
            "digest": part.digest,
            "previous": part.previous,
            "entries": list(entries),
            **{key: value for key, value in known.items() if value is not None},
        },
    }


def _grown(
    ref: Ref, current: Manifest, entries: Sequence[Mapping[str, Any]], outcome: str | None
) -> Manifest | None:
    """The record with what it lacks; None if it lacks nothing. Raises `LostError`."""
    spec = current["spec"]
    there = {entry["sequence"]: entry.get(HASH) for entry in spec["entries"]}
    if any(there.get(entry["sequence"], entry[HASH]) != entry[HASH] for entry in entries):
        raise LostError(f"{ref} has other entries than were written")
    missing = [entry for entry in entries if entry["sequence"] not in there]
    if missing and not _follows(missing[0], there):
        raise LostError(f"{ref} lacks the entry before those to be written")
    is_over = outcome is None or spec.get("outcome") == outcome
    if not missing and is_over:
        return None
    ended = {} if outcome is None else {"outcome": outcome}
    return {**current, "spec": {**spec, "entries": [*spec["entries"], *missing], **ended}}


def _follows(entry: Mapping[str, Any], there: Mapping[int, str | None]) -> bool:
    """Whether an entry is the next one after those that are there."""
    number = entry["sequence"]
    return bool(number == len(there) + 1 and (number == 1 or there.get(number - 1) == entry[PREVIOUS]))
