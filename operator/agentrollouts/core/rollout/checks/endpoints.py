"""Checks on endpoints while an attempt has traffic: requests must always have a backend.

A canary without a ready endpoint is proof of harm; an unknown is not.
"""

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.attempt import moves
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import current_phase
from agentrollouts.core.traffic import endpoints


def canary_unreachable(s: Situation) -> moves.Move | None:
    """The canary's Service has had no ready endpoint for longer than the plan tolerates."""
    lost = s.attempt.endpoints_lost_time
    if lost is None or s.now < lost + endpoints.grace(s.spec):
        return None
    if s.canary_answers is not False and s.status.stable is not None:
        return None  # not known at this moment, and a rollback needs proof
    seconds = s.spec.analysis.endpoint_grace_seconds
    message = f"{_absence(s)} for {seconds} s (spec.analysis.endpointGraceSeconds)"
    if s.status.stable is None:
        return _hold(f"{message}; there is no release to roll back to")
    return moves.RollBack(Trigger.BREACH, Reason.NO_READY_ENDPOINTS, message)


def stable_unreachable(s: Situation) -> moves.Move | None:
    """Stable cannot answer: nothing goes forward by itself, and nothing is gained by rolling back to it.

    A person can promote the phase: requests that fail then reach a canary that answers.
    """
    if not endpoints.splits(s.spec, s.status) or s.stable_answers is not False:
        return None
    stable = _service(s.status.stable)
    if s.canary_answers is False:
        return _hold(f"neither {stable} nor {_service(s.status.canary)} has a ready endpoint")
    if leaves_stable(s):
        return None
    return _hold(
        f"{stable} has no ready endpoint, so its share of the requests fails, and a rollback would not help",
        _how_to_leave_it(s) if s.canary_answers else "",
    )


def leaves_stable(s: Situation) -> bool:
    """Whether a person sends requests that fail at stable to a canary that answers."""
    return bool(s.attempt.promoted and s.stable_answers is False and s.canary_answers)


def endpoints_missing(s: Situation) -> moves.Move | None:
    """The canary was seen without a ready endpoint: no time passes and nothing advances until it has one."""
    lost = s.attempt.endpoints_lost_time
    if lost is None:
        return None
    return moves.StopClock(_absence(s), lost + endpoints.grace(s.spec))


def _hold(message: str, way_out: str = "") -> moves.Hold:
    """Not given up by `spec.rollback.afterHoldSeconds`: that would replace a bad answer with none."""
    return moves.Hold(Reason.NO_READY_ENDPOINTS, f"{message}; resumes once it has one{way_out}")


def _how_to_leave_it(s: Situation) -> str:
    phase = current_phase(s.attempt) or ""
    command = create_action(s.obs.rollout, "promote", s.attempt.number, phase=phase)
    return f"; to give the canary more of them meanwhile: {command}"


def _absence(s: Situation) -> str:
    unresolved = next(endpoints.unresolved(s.obs, s.status, s.gateways), None)
    absence = f"{_service(s.status.canary)} has had no ready endpoint"
    if unresolved is None or endpoints.is_ready(s.obs, s.status.canary) is False:
        return absence
    return f"the gateway has not found {_service(s.status.canary)} ({unresolved})"


def _service(record: ReleaseRecord | None) -> str:
    service = record.service if record and record.service else "Service none"
    return f"{service} of {record.release if record else 'no release'}"
