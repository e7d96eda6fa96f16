"""What to say about an object whose spec cannot be read: one condition, everything else as it was.

In the place of `decide` where parsing fails, which the schema in the API server normally prevents: an
object that was stored under an older schema, say. What serves goes on serving; nothing else can be decided.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agentrollouts.api.meta import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import READY, condition, set_condition

_CONDITIONS = TypeAdapter(tuple[Condition, ...])


def invalid_status(
    manifest: Mapping[str, Any], error: ValidationError, now: datetime
) -> dict[str, Any] | None:
    """The status with `Ready` False and each problem by its field; None where it says so already."""
    status = dict(manifest.get("status") or {})
    told = _conditions(status.get("conditions"))
    ready = condition(
        READY,
        ConditionStatus.FALSE,
        Reason.INVALID_SPEC,
        "; ".join(
            f"{'.'.join(map(str, part['loc']))}: {part['msg']}"
            for part in error.errors(include_url=False)[:8]
        ),
        generation=manifest["metadata"].get("generation", 0),
        now=now,
    )
    after = set_condition(told, ready)
    return status | {"conditions": [found.to_json() for found in after]} if after != told else None


def _conditions(found: object) -> tuple[Condition, ...]:
    try:
        return _CONDITIONS.validate_python(found or ())
    except ValidationError:
        return ()
