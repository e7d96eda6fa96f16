"""The entries of a status that its record might not have: how many are too many, and which are written."""

import json
from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.api.record.progress import RecordPart, RecordStatus
from agentrollouts.core.record.chain import HASH

BEHIND: Final = 16
"""Entries that are not written, with which nothing goes forward."""
BEHIND_BYTES: Final = 40 * 1024
"""Bytes of them, for a plan with many gates. A status has room for the entries of a rollback beside them."""


def cleared(record: RecordStatus | None, head: str) -> RecordStatus | None:
    """The record without the entries up to that hash, which are written; the same value if there are none."""
    if record is None or not head or not record.unwritten:
        return record
    written = next((n for n, entry in enumerate(record.unwritten, 1) if entry.get(HASH) == head), 0)
    if not written:
        return record
    left = record.unwritten[written:]
    return record.copy_with(unwritten=left, earlier=record.earlier if left else ())


def is_behind(record: RecordStatus | None) -> bool:
    """Whether so many entries are not written that nothing may go forward."""
    if record is None or len(record.unwritten) < 2:  # noqa: PLR2004 the usual case
        return False
    return len(record.unwritten) >= BEHIND or sum(map(size_of, record.unwritten)) >= BEHIND_BYTES


def by_record(record: RecordStatus) -> tuple[tuple[RecordPart, tuple[Mapping[str, Any], ...]], ...]:
    """The unwritten entries with the record that each belongs to: each record numbers them from 1."""
    runs: list[list[Mapping[str, Any]]] = []
    for entry in record.unwritten:
        if not runs or entry["sequence"] == 1:
            runs.append([])
        runs[-1].append(entry)
    parts = (*record.earlier, record)[-len(runs) :] if runs else ()
    return tuple((part, tuple(run)) for part, run in zip(parts, runs, strict=True))


def size_of(entry: Mapping[str, Any]) -> int:
    """Bytes of an entry; of its canonical form, which has the same fields in another order."""
    return len(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode())
