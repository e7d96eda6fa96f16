"""From a manifest, of any version and in any state, to a rollout that the rest of the view can rely on.

A view is looked at when something is wrong, so it never fails: what cannot be read is left out and named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt.clocks import status_on_time
from agentrollouts.core.attempt.ladder import in_force
from agentrollouts.core.history import rollback_of, with_rollback

NAMELESS: Final[Mapping[str, Any]] = {
    "metadata": {"name": "unknown"},
    "spec": {"agent": "unknown", "releaseRef": {"name": "unknown"}},
    "status": {},
}
"""What stands for parts that a rollout must have and that cannot be read."""
ATTEMPT: Final = "status.attempt"
MOST_PARTS: Final = 200
"""More parts than a manifest has, so that reading ends."""


@dataclass(frozen=True, slots=True)
class Read:
    """A rollout, as far as this version can read it."""

    rollout: AgentRollout
    """With the phases that count, an attempt within its plan, and no time of it in the future."""
    unread: tuple[str, ...] = ()
    """Paths of fields that this version cannot read."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a release beside the status of the rollout."""

    release: AgentRelease | Mapping[str, Any] | None = None
    """The object, if it still exists."""
    bundle: str | None = None
    """`bundle.json` of its snapshot, if that still exists."""


Releases = Mapping[str, Known]
"""By the name of the release."""


def read(rollout: AgentRollout | Mapping[str, Any], now: datetime) -> Read:
    """The rollout, whatever it contains."""
    parsed = Read(rollout) if isinstance(rollout, AgentRollout) else _parsed(rollout)
    try:
        return Read(_usable(parsed.rollout, now), parsed.unread)
    except OverflowError:  # a time at the end of the calendar, to which something is added
        status = parsed.rollout.status.copy_with(attempt=None)
        return Read(_usable(parsed.rollout.copy_with(status=status), now), (*parsed.unread, ATTEMPT))


def _parsed(manifest: Mapping[str, Any]) -> Read:
    parts, unread = {name: _parts(manifest.get(name), name) for name in NAMELESS}, list[str]()
    for _ in range(MOST_PARTS):
        try:
            return Read(AgentRollout.model_validate(parts), tuple(unread))
        except ValidationError as error:
            unread.extend(_dropped(parts, error))
    return Read(AgentRollout.model_validate(NAMELESS), tuple(NAMELESS))


def _parts(value: object, name: str) -> dict[str, Any]:
    return (
        {str(key): each for key, each in value.items()}
        if isinstance(value, Mapping)
        else dict(NAMELESS[name])
    )


def _dropped(parts: dict[str, dict[str, Any]], error: ValidationError) -> Iterator[str]:
    """Leave out each field that is wrong; one that must be there gets a name that says so."""
    for path in dict.fromkeys(tuple(each["loc"][:2]) for each in error.errors(include_url=False)):
        part, field = str(path[0]), str(path[-1])
        if part not in parts:
            continue
        parts[part].pop(field, None)
        if field in NAMELESS[part]:
            parts[part][field] = NAMELESS[part][field]
        yield f"{part}.{field}"


def _usable(rollout: AgentRollout, now: datetime) -> AgentRollout:
    status = _on_time(status_on_time(rollout.status, now), now)
    attempt = status.attempt
    counted = in_force(rollout.copy_with(status=status))
    last = len(counted.spec.phases) - 1
    if attempt and attempt.phase_index > last:  # the plan was edited a moment ago
        status = status.copy_with(attempt=attempt.copy_with(phase_index=last))
    return counted.copy_with(status=status)


def _on_time(status: AgentRolloutStatus, now: datetime) -> AgentRolloutStatus:
    """Without times in the future from which the view counts."""
    conditions = tuple(
        each if each.last_transition_time <= now else each.copy_with(last_transition_time=now)
        for each in status.conditions
    )
    rollback = rollback_of(status)
    if rollback and rollback.decided_time > now:
        status = with_rollback(status, rollback.copy_with(decided_time=now))
    return status.copy_with(conditions=conditions)
