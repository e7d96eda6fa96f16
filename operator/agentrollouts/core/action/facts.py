"""What each type of action makes of a status: a fact, or a refusal with a sentence.

Called by `take`, once it is known that the action is about this attempt and that the person may request it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypedDict

from agentrollouts.api.attempt import MAX_APPROVALS, MAX_GIVEN, Attempt, State
from agentrollouts.api.people.action import (
    ACKNOWLEDGED_SECONDS,
    Acknowledged,
    ActionType,
    AgentRolloutAction,
    GivenApproval,
    PersonalAct,
    Promotion,
    Retried,
)
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import Detour, DetourCause
from agentrollouts.api.rollout import AgentRollout, Approval
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.people import Authority, Origin, of_phase, waivers_of, why_not
from agentrollouts.core.containment.detour import ALL, id_of, share_off
from agentrollouts.core.containment.fallback import where
from agentrollouts.core.states import LATCHED, current_phase


class Refused(Exception):  # noqa: N818 an answer, not an error
    """Why an action has no effect: the reason of the answer, and its sentence."""

    def __init__(self, message: str, reason: Reason = Reason.REFUSED) -> None:
        super().__init__(message)
        self.reason = reason


class Waits(Exception):  # noqa: N818 an answer, not an error
    """Why an action has no effect yet: it is looked at again, and answered until then."""


class Fact(NamedTuple):
    """What an action changes, and what it is answered."""

    status: AgentRolloutStatus
    message: str
    reason: Reason = Reason.DONE


class Signature(TypedDict):
    """What each fact says of its person: the fields of `PersonalAct`."""

    by: str
    action: str
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Desk:
    """What the actions of one rollout are answered by."""

    rollout: AgentRollout
    now: datetime
    origin: Origin
    """Who wrote the release of the attempt, and who shipped it."""
    is_proved: bool | None
    """Whether the API server verifies who creates actions; None if that is not known yet."""
    authority: Authority
    indivisible: str | None = None
    """Why no part of the traffic can be sent elsewhere, though all of it can; None if it can."""
    begun: str = ""
    """Sentence of the requested rollback that the route shows and the status does not, after a crash."""


def _attempt_of(status: AgentRolloutStatus) -> Attempt:
    """The attempt in progress, which is not being rolled back."""
    attempt = status.attempt
    if attempt is None:
        raise Refused("there is no attempt")
    if attempt.state in LATCHED:
        raise Refused("the attempt is being rolled back", Reason.STALE)
    return attempt


def _with_traffic(status: AgentRolloutStatus) -> Attempt:
    attempt = _attempt_of(status)
    if attempt.state is State.PENDING:
        raise Refused("no attempt is in progress: the release is pending and has no traffic")
    return attempt


def signature(action: AgentRolloutAction, now: datetime) -> Signature:
    """Who did it, by which action, why and when."""
    spec = action.spec
    return {"by": spec.requested_by, "action": action.metadata.name, "reason": spec.reason, "time": now}


def _approve(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    attempt, phase = _attempt_of(status), action.spec.phase or ""
    plan = [each for each in desk.rollout.spec.phases if each.approval is Approval.REQUIRED]
    counts = {each.name: each.approvals or 1 for each in plan}
    for approval in attempt.approvals:
        counts[approval.phase_name] = max(approval.count, counts.get(approval.phase_name, 1))
    if phase not in counts:
        names = ", ".join(counts) or "none"
        raise Refused(f"phase {phase} needs no approval; phases that do: {names}")
    if len(attempt.approved_by) >= MAX_GIVEN:
        raise Refused(f"the attempt has {MAX_GIVEN} approvals, and no room for more")
    person = action.spec.requested_by
    if any(desk.authority.is_same(person, waiver) for waiver in waivers_of(status, attempt.number)):
        raise Refused(f"{person} waived a hook of this attempt; someone else must approve it")
    if why := why_not(person, phase, attempt, desk.origin, status.retried, desk.authority):
        raise Refused(why)
    given = GivenApproval(**signature(action, desk.now), phase_name=phase)
    approved = (*attempt.approved_by, given)
    message = f"phase {phase} has {len(of_phase(approved, phase))} of {counts[phase]} approvals"
    if not (desk.origin.author or desk.origin.releaser):
        message += "; the author of the release is unknown"
    changed = status.copy_with(attempt=attempt.copy_with(approved_by=approved))
    return Fact(changed, message, Reason.COUNTED)


def _promote(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    attempt, phase = _with_traffic(status), action.spec.phase or ""
    if phase != (current := current_phase(attempt) or ""):
        raise Refused(f"the attempt is in phase {current}, not in {phase}")
    people = tuple(dict.fromkeys([action.spec.requested_by, *attempt.promoted_by]))[:MAX_APPROVALS]
    if attempt.promoted and attempt.promoted.phase_name == phase:
        noted = status.copy_with(attempt=attempt.copy_with(promoted_by=people))
        return Fact(noted, f"{attempt.promoted.by} promoted phase {phase} already", Reason.NOTHING_TO_DO)
    promotion = Promotion(**signature(action, desk.now), phase_name=phase)
    changed = attempt.copy_with(promoted=promotion, promoted_by=people)
    return Fact(status.copy_with(attempt=changed), f"phase {phase} counts as passed", Reason.WAITING)


def _hold(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    attempt = _with_traffic(status)
    if attempt.held_by:
        return Fact(status, f"{attempt.held_by.by} holds the attempt already", Reason.NOTHING_TO_DO)
    held = attempt.copy_with(held_by=PersonalAct(**signature(action, desk.now)))
    return Fact(status.copy_with(attempt=held), f"the canary keeps {attempt.weight}%")


def _resume(_: AgentRolloutAction, status: AgentRolloutStatus, __: Desk) -> Fact:
    attempt = _with_traffic(status)
    if attempt.held_by is None:
        raise Refused("no person holds the attempt")
    message = f"the hold by {attempt.held_by.by} is over"
    return Fact(status.copy_with(attempt=attempt.copy_with(held_by=None)), message)


def _retry(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    """Out of quarantine; or once more, after an attempt that was rolled back without proof."""
    attempt, spec = status.attempt, action.spec
    named = (spec.attempt, spec.release)
    digest = next((each.digest for each in status.quarantined if (each.attempt, each.release) == named), None)
    is_last = attempt is not None and attempt.number == spec.attempt
    if digest is None and is_last and attempt and attempt.state is State.ROLLED_BACK:
        digest = next((each.digest for each in status.history if (each.number, each.release) == named), None)
    if digest is None:
        listed = ", ".join(f"{each.release} (attempt {each.attempt})" for each in status.quarantined)
        raise Refused(
            f"{spec.release} of attempt {spec.attempt} is not in quarantine; {listed or 'nothing'} is"
        )
    last = attempt.number if attempt else 0
    retried = Retried(**signature(action, desk.now), digest=digest, attempt=last)
    left = tuple(each for each in status.quarantined if each.digest != digest)
    return Fact(
        status.copy_with(quarantined=left, retried=retried),
        f"{spec.release} is tried again once spec.releaseRef names it",
    )


def _acknowledge(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    attempt = _with_traffic(status)
    hold = attempt.hold
    if attempt.fuse is None and (hold is None or hold.until is None):
        raise Refused("there is no hold that ends by itself")
    until = desk.now + timedelta(seconds=action.spec.for_seconds or ACKNOWLEDGED_SECONDS)
    gates = tuple(gate.name for gate in status.gates if gate.holding_start_time)
    acknowledged = Acknowledged(**signature(action, desk.now), until=until, gates=gates)
    held = attempt.copy_with(hold=hold and hold.copy_with(until=until), acknowledged=acknowledged)
    what = f"{', '.join(gates)} may fail" if attempt.fuse and gates else "the hold lasts"
    return Fact(status.copy_with(attempt=held), f"{what} until {until:%Y-%m-%d %H:%M:%S} UTC")


def _switch_off(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    """The same detour however often it is taken: the route can be marked with it before the ledger has it."""
    spec, current = action.spec, status.detour
    percent, identity = spec.percent or ALL, id_of(action.metadata.uid)
    if current and share_off(status) >= percent and current.id != identity:
        message = f"{current.percent}% is off by detour {current.id} already"
        return Fact(status, message, Reason.NOTHING_TO_DO)
    why = desk.indivisible or ("" if status.stable else "no release is stable yet, so nothing gets the rest")
    if percent < ALL and why:
        raise Refused(f"only all traffic can be switched off: {why}; leave out percent")
    detour = Detour(
        id=identity,
        cause=DetourCause.SWITCH_OFF,
        percent=percent,
        message=f"{spec.requested_by} requested it: {spec.reason}",
        by=spec.requested_by,
        action=action.metadata.name,
        since=current.since if current and current.id == identity else desk.now,
    )
    message = f"{where(desk.rollout, status, percent)}; this is detour {identity}"
    return Fact(status.copy_with(detour=detour), message)


FACTS: Final[Mapping[ActionType, Callable[[AgentRolloutAction, AgentRolloutStatus, Desk], Fact]]] = {
    ActionType.APPROVE: _approve,
    ActionType.PROMOTE: _promote,
    ActionType.HOLD: _hold,
    ActionType.RESUME: _resume,
    ActionType.RETRY: _retry,
    ActionType.ACKNOWLEDGE: _acknowledge,
    ActionType.SWITCH_OFF: _switch_off,
}
"""What each type but RollBack and SwitchOn makes of a status. Each raises `Refused` where it
does not apply."""
