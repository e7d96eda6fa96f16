"""The size of a status: at most 128 KiB, whatever the plan, so that no rollout slows down others.

Counts are bounded where they are made (`core.judge.folding`). What is left are texts, of which a long history
has many, what past releases required, and the distributions of shifts, which are for people: they are cut,
and nothing that a decision depends on is. At last the course keeps nothing but its weights.
"""

from typing import Final

from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import GateStatus
from agentrollouts.core.attempt.course import changes_of_weight

STATUS_BYTES: Final = 119 * 1024
"""Bytes of a status as JSON. 9 KiB are left for the query and the look that join where it is written."""
_SHORT: Final = 120
"""Characters that are left of a message that is cut."""
_SURELY: Final = 4
"""Gates below which, with a history of ordinary length, no status is too large."""
_ORDINARY: Final = 12


def bounded(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """The status with as much text as it has room for."""
    is_small = len(status.gates) + len(status.watched) <= _SURELY and len(status.history) <= _ORDINARY
    if is_small and not any(entry.requires for entry in status.history):
        return status
    if _size(status) <= STATUS_BYTES:
        return status
    history = tuple(entry.copy_with(message=_cut(entry.message), requires=()) for entry in status.history)
    quarantined = tuple(entry.copy_with(message=_cut(entry.message)) for entry in status.quarantined)
    status = status.copy_with(history=history, quarantined=quarantined)
    if _size(status) <= STATUS_BYTES:
        return status
    status = status.copy_with(gates=_plain(status.gates), watched=_plain(status.watched))
    if _size(status) <= STATUS_BYTES:
        return status
    weights = changes_of_weight(status.course)
    return status.copy_with(course=tuple(look.copy_with(evidence=()) for look in weights))


def _size(status: AgentRolloutStatus) -> int:
    return len(status.model_dump_json(by_alias=True, exclude_none=True))


def _plain(gates: tuple[GateStatus, ...]) -> tuple[GateStatus, ...]:
    return tuple(gate.copy_with(message=_cut(gate.message), mix=None) for gate in gates)


def _cut(message: str) -> str:
    return message if len(message) <= _SHORT else f"{message[: _SHORT - 3]}..."
