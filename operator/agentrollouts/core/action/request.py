"""An action as someone requests it: what a command line says, completed by what the rollout shows.

From values to the manifest that is created, and from the action to its answer. Used by the commands of
`agentrollouts` that create an action, and by the plugin of kubectl.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from pydantic import ValidationError

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.people.action import OF_NO_ATTEMPT, ActionType
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import READY, RECONCILING
from agentrollouts.core.effects import Manifest
from agentrollouts.core.history import (
    earlier_healthy,
    has_failed_drill,
    is_drill,
    is_just_back,
    is_trusted,
)
from agentrollouts.core.states import current_phase, is_progressing

KIND: Final = "AgentRolloutAction"


class OpenRequestError(Exception):
    """The request leaves something open that the rollout does not show; the text says what to add."""


@dataclass(frozen=True, slots=True)
class Request:
    """What someone requests of one rollout. What is None is completed by its status."""

    type: ActionType
    rollout: str
    namespace: str
    reason: str
    attempt: int | None = None
    phase: str | None = None
    release: str | None = None
    target: str | None = None
    force: bool = False
    for_seconds: int | None = None
    percent: int | None = None
    detour: str | None = None
    hook: str | None = None
    name: str | None = None
    """Name of the action; the API server generates one if it is None."""


class Answer(NamedTuple):
    """What the operator answered."""

    text: str
    is_yes: bool
    is_final: bool
    """Whether no other answer follows."""

    @classmethod
    def of(cls, action: Manifest) -> Self | None:
        """The answer that an action has, by its conditions; None if it has none yet."""
        conditions = {each["type"]: each for each in (action.get("status") or {}).get("conditions") or ()}
        ready = conditions.get(READY)
        if ready is None:
            return None
        is_open = conditions.get(RECONCILING, {}).get("status") == "True"
        return cls(f"{ready['reason']}: {ready.get('message', '')}", ready["status"] == "True", not is_open)


def manifest_of(request: Request, rollout: Manifest, user: str) -> dict[str, Any]:
    """The action to create.

    Args:
        request: What is requested.
        rollout: The AgentRollout as it is now.
        user: Who requests it, as the API server names them.

    Raises:
        OpenRequestError: the request must say something that the rollout does not show.
    """
    spec = {
        "rollout": request.rollout,
        "type": request.type.value,
        **_subject(request, rollout),
        "target": request.target,
        "force": request.force or None,
        "forSeconds": request.for_seconds,
        "percent": request.percent,
        "hook": request.hook,
        "reason": request.reason,
        "requestedBy": user,
    }
    name = {"name": request.name} if request.name else {"generateName": f"{request.rollout}-"}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"namespace": request.namespace, **name},
        "spec": {field: value for field, value in spec.items() if value is not None},
    }


def _subject(request: Request, rollout: Manifest) -> dict[str, Any]:
    """What it is about: as requested, else as the status of the rollout shows it."""
    attempt, release, phase = request.attempt, request.release, request.phase
    if request.type is ActionType.RETRY and not (attempt and release):
        release = release or _only_quarantined(rollout)
        attempt = attempt or _quarantined_attempt(rollout, release)
    if request.type is ActionType.ROLL_BACK and not release:
        release = _release_in_use(rollout, has_target=request.target is not None)
    if request.type is ActionType.DRILL and not release:
        release = _drilled_by_default(rollout)
    if request.type in {ActionType.APPROVE, ActionType.PROMOTE} and not phase:
        phase = _phase(_attempt(rollout))
    is_on = request.type is ActionType.SWITCH_ON
    return {
        "attempt": _number(request, rollout, attempt),
        "phase": phase,
        "release": release,
        "detour": request.detour or (_detour(rollout) if is_on else None),
    }


def _number(request: Request, rollout: Manifest, attempt: int | None) -> int | None:
    return None if request.type in OF_NO_ATTEMPT else attempt or _attempt(rollout).number


def _detour(rollout: Manifest) -> str:
    detour = _status(rollout).detour
    if detour is None:
        raise OpenRequestError("the agent is not switched off")
    return detour.id


def _status(rollout: Manifest) -> AgentRolloutStatus:
    """Read only where the request leaves something open, so that a full one depends on no version."""
    try:
        return AgentRolloutStatus.model_validate(rollout.get("status") or {})
    except ValidationError:
        raise OpenRequestError(
            "the status of the rollout cannot be read: it is of another version. Set --attempt, and "
            "--release or --phase if the command has it"
        ) from None


def _attempt(rollout: Manifest) -> Attempt:
    attempt = _status(rollout).attempt
    if attempt is None:
        raise OpenRequestError("the rollout has had no attempt yet")
    return attempt


def _phase(attempt: Attempt) -> str:
    phase = current_phase(attempt)
    if phase is None:
        raise OpenRequestError(f"attempt {attempt.number} is in no phase ({attempt.state}); set --phase")
    return phase


def _release_in_use(rollout: Manifest, *, has_target: bool) -> str:
    """The canary, else stable; not what the release was rolled back to that someone may still see."""
    status = _status(rollout)
    is_canary = is_progressing(status) and not is_drill(status)  # a drill rolls its own canary back
    record = status.canary if is_canary else status.stable
    if record is None:
        raise OpenRequestError("the rollout serves no release that could be rolled back")
    if is_just_back(status) and not has_target:
        already = (
            f"{status.last_rollback.from_ if status.last_rollback else 'the canary'} is rolled back already"
        )
        raise OpenRequestError(f"{already}; to roll back {record.release} as well, set --release")
    return record.release


def _drilled_by_default(rollout: Manifest) -> str:
    """The newest release that a rollback at rest could choose, as far as the status says it."""
    status = _status(rollout)
    able = [entry for entry in earlier_healthy(status) if is_trusted(entry, status)]
    passing = (entry for entry in able if not has_failed_drill(entry.digest, status))
    newest = next(passing, next(iter(able), None))
    if newest is None:
        raise OpenRequestError("no other release has been healthy yet, so there is nothing to drill")
    return newest.release


def _only_quarantined(rollout: Manifest) -> str:
    releases = sorted({each.release for each in _status(rollout).quarantined})
    if len(releases) == 1:
        return releases[0]
    found = f"there are {', '.join(releases)}" if releases else "there is none"
    raise OpenRequestError(f"name the release, unless exactly one is in quarantine; {found}")


def _quarantined_attempt(rollout: Manifest, release: str) -> int | None:
    """The newest attempt of a release that was quarantined; None if there is none: it may rest unproved."""
    attempts = [each.attempt for each in _status(rollout).quarantined if each.release == release]
    return max(attempts, default=None)
