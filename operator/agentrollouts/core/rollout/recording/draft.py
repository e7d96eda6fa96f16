"""An entry before it has its place in the chain, small enough for a status that must not become large."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Self

from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.record.entry import GateRecord, RecordEntry, RecordEvent
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import GateStatus, QueryStatus
from agentrollouts.core.analysis.analyze import with_query
from agentrollouts.core.record.gates import gate_record
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import current_phase, is_progressing

QUERY_LENGTH: Final = 2048
"""Characters of a query that an entry has; a longer one is left out, as half of it is of no use."""
GATE_MESSAGE: Final = 300
"""Characters of what a gate says in an entry. The entry's own message has up to 1,024."""
SHORT: Final = 120
"""The same in an entry that would be too large."""
ENTRY_BYTES: Final = 10 * 1024
"""Bytes of an entry that sheds no text."""


class Draft(RecordEntry):
    """An entry without number and hashes."""

    sequence: int = 0
    previous: str = ""
    hash: str = ""

    @classmethod
    def of(cls, event: RecordEvent, now: datetime, **facts: Any) -> Self:  # noqa: ANN401 any field
        """An entry as of now. Texts are bounded and cleaned, as they are in a status."""
        return cls.model_validate({"event": event, "time": now, **facts})

    def content(self) -> dict[str, Any]:
        """The entry as it is stored, without its place in the chain."""
        return {key: value for key, value in self.to_json().items() if key not in _PLACE}


_PLACE: Final = frozenset({"sequence", "previous", "hash"})


def gate_records(gates: Iterable[GateStatus], *, in_full: bool = False) -> tuple[GateRecord, ...] | None:
    """What the gates said, with the numbers behind it; None where there are none."""
    records = (gate_record(gate, in_full=in_full) for gate in gates)
    return tuple(each.copy_with(message=_cut(each.message, GATE_MESSAGE)) for each in records) or None


def query_record(s: Situation) -> QueryStatus | None:
    """The query behind the gate that matters most, if it is not too long."""
    query = with_query(s.analysis, s.status).query
    return query if query and len(query.text) <= QUERY_LENGTH else None


def fitted(content: dict[str, Any], size: int) -> dict[str, Any]:
    """The entry with less text where it is large; the plan is left out last, as its hash stays."""
    if size <= ENTRY_BYTES:
        return content
    gates = [gate | {"message": _cut(gate.get("message", ""), SHORT)} for gate in content.get("gates", ())]
    shorter = {key: value for key, value in content.items() if key != "query"}
    return shorter | {"gates": gates} if gates else shorter


def _cut(message: str, length: int) -> str:
    return message if len(message) <= length else f"{message[: length - 3]}..."


def now_of(s: Situation, event: RecordEvent, after: AgentRolloutStatus, **facts: object) -> Draft:
    """An entry as of now: where the attempt stands after the decision, and these facts."""
    attempt = after.attempt
    if attempt is None:
        return Draft.of(event, s.now, **facts)
    phase = current_phase(attempt) if is_progressing(after) else attempt.phase_name
    return Draft.of(event, s.now, state=attempt.state.value, phase=phase, weight=attempt.weight, **facts)


def person_of(s: Situation, order: AgentRolloutAction) -> dict[str, Any]:
    """Who, by which action and why; whether the name is proved, where that is known."""
    spec = order.spec
    return {
        "by": spec.requested_by,
        "action": order.metadata.name,
        "reason": spec.reason,
        "proved": s.obs.identity_proved,
    }
