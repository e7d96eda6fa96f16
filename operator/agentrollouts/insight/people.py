"""Who took part in an attempt, in what role, and whether the name is proved."""

from collections.abc import Iterator
from typing import Final

from agentrollouts.api.record.entry import RecordEntry, RecordEvent
from agentrollouts.insight.records import AttemptRecord
from agentrollouts.insight.render.document import Block, Line, Table, Words, line
from agentrollouts.insight.wording import moment

ROLES: Final = {
    RecordEvent.ATTEMPT_STARTED: "requested the release",
    RecordEvent.APPROVAL_COUNTED: "approved",
    RecordEvent.PHASE_PROMOTED: "promoted",
    RecordEvent.HELD: "held",
    RecordEvent.RESUMED: "resumed",
    RecordEvent.ACKNOWLEDGED: "acknowledged",
    RecordEvent.ROLLBACK_STARTED: "requested the rollback",
    RecordEvent.QUARANTINE_LIFTED: "retried",
    RecordEvent.ACTION_REFUSED: "was refused",
    RecordEvent.PLAN_CHANGED: "changed the plan",
    RecordEvent.FROZEN: "froze",
    RecordEvent.HOOK_WAIVED: "waived a hook",
}
"""What a person did whose name an entry has."""


def people(record: AttemptRecord) -> tuple[Block, ...]:
    """Everyone whom the record names, in the order of time."""
    rows = tuple(row for entry in record.entries for row in _rows(entry))
    head = ("Who", "Role", "When (UTC)", "Action", "Proof")
    return (Table("Who took part", head, rows),) if rows else ()


def _rows(entry: RecordEntry) -> Iterator[tuple[Line, ...]]:
    if entry.author:
        yield _row(entry, entry.author, "wrote the release", "not proved: as its source says")
    if entry.released_by:
        yield _row(entry, entry.released_by, "changed spec.releaseRef", "stamped by the API server")
    if entry.by:
        proof = "verified by the API server" if entry.proved else "not proved"
        yield _row(entry, entry.by, ROLES.get(entry.event, entry.event), proof, action=entry.action)
    for name in entry.approved_by or ():
        yield _row(entry, name, "approval counts", "as counted")


def _row(
    entry: RecordEntry, name: str, role: str, proof: str, *, action: str | None = None
) -> tuple[Line, ...]:
    phase = f" {entry.phase}" if entry.phase and entry.event is RecordEvent.APPROVAL_COUNTED else ""
    return (
        line(Words(name)),
        line(f"{role}{phase}"),
        line(moment(entry.time)),
        line(Words(action)) if action else line(""),
        line(proof),
    )
