"""Conditions and one Event for an object that cannot be parsed; everything else stays as it was.

The schema in the API server normally prevents that. An exception is an object that was stored under an older
schema. What serves continues to serve; nothing else can be decided.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.people.freeze import ACTIVE, AgentFreeze
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import (
    READY,
    RECONCILING,
    STALLED,
    condition,
    find_condition,
    set_condition,
)
from agentrollouts.core.effects import Event

_CONDITIONS = TypeAdapter(tuple[Condition, ...])


def invalid_status(
    manifest: Mapping[str, Any], error: ValidationError, now: datetime
) -> dict[str, Any] | None:
    """The status with `Ready` False and `Stalled` True, each problem by its field; None if it says so."""
    status = dict(manifest.get("status") or {})
    before = after = _conditions(status.get("conditions"))
    generation, message = manifest["metadata"].get("generation", 0), problems(error)
    said = [
        (READY, ConditionStatus.FALSE, Reason.INVALID_SPEC, message),
        (RECONCILING, ConditionStatus.FALSE, Reason.SETTLED, ""),
        (STALLED, ConditionStatus.TRUE, Reason.INVALID_SPEC, message),
    ]
    if manifest.get("kind") == AgentFreeze.resource.kind:  # one that cannot be read counts as active
        said.append((ACTIVE, ConditionStatus.UNKNOWN, Reason.INVALID_SPEC, f"Counts as active: {message}"))
        status.pop("activeUntil", None)
    for kind, holds, reason, text in said:
        after = set_condition(after, condition(kind, holds, reason, text, generation=generation, now=now))
    seen = status.get("observedGeneration") == generation
    if after == before and seen:
        return None
    return status | {
        "observedGeneration": generation,
        "conditions": [each.to_json() for each in after],
    }


def invalid_events(manifest: Mapping[str, Any], error: ValidationError) -> tuple[Event, ...]:
    """One warning for each change of what is wrong; none while the status says it already."""
    ready = find_condition(_conditions((manifest.get("status") or {}).get("conditions")), READY)
    message = problems(error)
    if ready is not None and (ready.reason, ready.message) == (Reason.INVALID_SPEC, message):
        return ()
    return (Event(Reason.INVALID_SPEC, message, is_warning=True),)


def problems(error: ValidationError) -> str:
    """What is wrong, each problem by its field; the first eight."""
    return "; ".join(
        f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors(include_url=False)[:8]
    )


def _conditions(conditions: object) -> tuple[Condition, ...]:
    try:
        return _CONDITIONS.validate_python(conditions or ())
    except ValidationError:
        return ()
