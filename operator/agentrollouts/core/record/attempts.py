"""Whether evidence and outcome of the records are what their entries say.

Both are fields beside the entries, so no hash covers them: an entry has the hash of the evidence, and an
event that is the outcome. Used by `verify`.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from agentrollouts.api.record.entry import RecordEvent
from agentrollouts.core.record.chain import HASH, hash_of
from agentrollouts.core.record.stored import UNHASHABLE, Break, StoredRecord, shown

ENDINGS: Final[frozenset[str]] = frozenset(
    {RecordEvent.HEALTHY, RecordEvent.ROLLED_BACK, RecordEvent.SUPERSEDED}
)
"""Events that end an attempt."""
_Told = tuple[StoredRecord, int, str]
"""A record, the number of one of its entries, and what that entry says."""


def attempt_breaks(records: Sequence[StoredRecord]) -> Iterator[Break]:
    """What does not hold of the attempts of one rollout, whose records are in order."""
    for _, group in groupby(records, key=lambda record: record.place.attempt):
        parts = list(group)
        yield from _evidence_breaks(parts)
        yield from _outcome_breaks(parts)


def _evidence_breaks(parts: Sequence[StoredRecord]) -> Iterator[Break]:
    captured = list(_captured(parts))
    stored = [part for part in parts if "evidence" in part.spec]
    for part in stored:
        is_named = _hash(part.spec["evidence"]) in {told for _, _, told in captured}
        if not is_named and not _is_early(parts) and _has_all(parts):
            yield Break(part.name, None, "spec.evidence: is not what an entry captured; it was edited")
    if captured and not stored:
        part, number, _ = captured[0]
        yield Break(part.name, number, "captured evidence, and the record does not have it; it was removed")


def early_evidence(records: Sequence[StoredRecord]) -> Iterator[str]:
    """The records whose evidence no entry names yet: it is stored a moment before its entry is made."""
    for _, group in groupby(records, key=lambda record: record.place.attempt):
        parts = list(group)
        if _is_early(parts):
            yield from (part.name for part in parts if "evidence" in part.spec)


def _is_early(parts: Sequence[StoredRecord]) -> bool:
    """Whether a rollback has begun, and no entry says what became of its evidence."""
    events = {_event(entry) for _, _, entry in _entries(parts)}
    return RecordEvent.ROLLBACK_STARTED in events and RecordEvent.EVIDENCE_CAPTURED not in events


def _outcome_breaks(parts: Sequence[StoredRecord]) -> Iterator[Break]:
    ended = list(_ended(parts))
    stored = [part for part in parts if "outcome" in part.spec]
    for part in stored:
        if part.spec["outcome"] not in {told for _, _, told in ended} and _has_all(parts):
            outcome = shown(part.spec["outcome"])
            yield Break(part.name, None, f"spec.outcome: is {outcome}, and no entry says so; it was edited")
    if ended and not stored:
        part, number, event = ended[0]
        yield Break(part.name, number, f"is {event}, and the record has no outcome; it was removed")


def _has_all(parts: Sequence[StoredRecord]) -> bool:
    """Whether no part is gone, so that what no entry says was never said."""
    return parts[0].place.part == 1


def _captured(parts: Sequence[StoredRecord]) -> Iterator[_Told]:
    for part, number, entry in _entries(parts):
        evidence = entry.get("evidence")
        if _event(entry) == RecordEvent.EVIDENCE_CAPTURED and isinstance(evidence, str) and evidence:
            yield part, number, evidence


def _ended(parts: Sequence[StoredRecord]) -> Iterator[_Told]:
    for part, number, entry in _entries(parts):
        if _event(entry) in ENDINGS:
            yield part, number, _event(entry)


def _event(entry: Mapping[str, Any]) -> str:
    event = entry.get("event")
    return event if isinstance(event, str) else ""


def _entries(parts: Sequence[StoredRecord]) -> Iterator[tuple[StoredRecord, int, Mapping[str, Any]]]:
    for part in parts:
        for number, entry in enumerate(part.entries, 1):
            yield part, number, entry


def _hash(evidence: Mapping[str, Any]) -> str | None:
    """The hash of evidence; None for what no one can have captured."""
    try:
        return None if HASH in evidence else hash_of(evidence)
    except UNHASHABLE:
        return None
