"""Checks of a detour: what starts one, what it does to an attempt, and how another release ends it."""

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.gates import OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import Detour, DetourCause
from agentrollouts.api.rollback import LastResort
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.attempt import moves
from agentrollouts.core.containment.detour import ALL, ended, id_at, is_off
from agentrollouts.core.containment.fallback import fallback_of
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import is_returning
from agentrollouts.core.rollout.desired import Desired, Standing, standby_release
from agentrollouts.core.rollout.neighbors.rivals import rival
from agentrollouts.core.rollout.situation import Situation, sentences
from agentrollouts.core.rollout.standbys import choice as standbys
from agentrollouts.core.states import is_pending, is_progressing
from agentrollouts.core.traffic.endpoints import is_ready, service_names


def switched_off(s: Situation) -> moves.Move | None:
    """A detour ends the attempt. It quarantines nothing: what is wrong is not known to be the canary."""
    detour = s.status.detour
    if detour is None:
        return None
    if s.status.stable is None:
        return moves.Supersede(in_the_way(detour))
    if s.requests.rollback or is_returning(s.status.canary, s.status):
        return None  # that person knows which release it is; and a return is a rollback itself
    return moves.RollBack(Trigger.SWITCH_OFF, Reason.SWITCHED_OFF, detour.message)


def in_the_way(detour: Detour) -> str:
    """Why nothing goes forward."""
    if detour.standby:
        return f"{detour.standby.release} serves in the place of stable. {detour.message}"
    return f"The agent is switched off. {detour.message}"


def waits_for_switch_on(s: Situation) -> moves.Move | None:
    """A return to a healthy release is judged once it has the traffic."""
    detour = s.status.detour
    return moves.StopClock(in_the_way(detour)) if detour else None


def obstacle(s: Situation, *, is_return: bool) -> Problem | None:
    """Why nothing begins. Git may still return to a healthy release, which is a rollback."""
    detour = s.status.detour
    if detour is None or is_return:
        return None
    return Problem(reason_of(detour), in_the_way(detour))


def reason_of(detour: Detour) -> Reason:
    """A standby serves for a time; anything else lasts until someone ends it."""
    return Reason.ON_STANDBY if detour.cause is DetourCause.STANDBY else Reason.SWITCHED_OFF


def harmful(s: Situation) -> moves.Divert | None:
    """A gate or a cap says that what serves alone must not serve."""
    is_alone = s.analysis.watches_stable or s.status.stable is None
    if not is_alone or is_off(s.status):
        return None
    failing = tuple(each for each in s.analysis.failing if each.action is OnFail.SWITCH_OFF)
    if failing:
        return _divert(s, DetourCause.GATE, sentences(failing), failing[0].name)
    exceeded = s.analysis.exceeded(OnFail.SWITCH_OFF)
    return _divert(s, DetourCause.CAP, sentences(exceeded), exceeded[0].name) if exceeded else None


def last_resort(s: Situation, harm: str) -> moves.Divert | None:
    """Stable fails, and there is no release to roll back to: a standby serves, or else the fallback.

    Args:
        s: A rollout at rest.
        harm: What stable does; empty for nothing that would roll it back.
    """
    if not harm or s.spec.rollback.last_resort is not LastResort.FALLBACK or is_off(s.status):
        return None
    record, message = standbys.find(s), f"{harm}; there is no release to roll back to"
    if record is None and fallback_of(s.spec, s.status) is None:
        return None  # a bad answer is not replaced by none
    move = _divert(s, DetourCause.LAST_RESORT, message)
    standby = standby_release(record) if record else None
    return moves.Divert(move.detour.copy_with(standby=standby))


def _divert(s: Situation, cause: DetourCause, message: str, gate: str | None = None) -> moves.Divert:
    identity = id_at(s.obs.rollout.metadata.uid, cause, s.now)
    detour = Detour(id=identity, cause=cause, percent=ALL, gate=gate, message=message, since=s.now)
    return moves.Divert(detour)


def shipped_instead(s: Situation) -> moves.ShipInstead | None:
    """A person ends the detour with another release."""
    order, fix = s.requests.switch_on, fix_of(s)
    if order is None or not isinstance(fix, ReleaseRecord):
        return None
    last = ended(s.status, order.spec.requested_by, s.now).last_detour
    return moves.ShipInstead(fix, last) if last else None


def fix_of(s: Situation) -> ReleaseRecord | Problem | None:
    """The release that a SwitchOn names, or why it cannot serve; None if none names any."""
    name = s.requests.switch_on.spec.release if s.requests.switch_on else None
    if name is None:
        return None
    if s.status.detour and s.status.detour.cause is DetourCause.STANDBY:
        why = "stable is not switched off; leave out release, and the attempt begins after that"
        return Problem(Reason.REFUSED, why)
    requested = s.spec.release_ref.name
    if requested != name:
        return Problem(Reason.REFUSED, f"spec.releaseRef names {requested}, not {name}; change it first")
    if not isinstance(s.desired, Desired):
        reason = Reason.WAITING if s.desired.reason is Reason.PENDING else Reason.REFUSED
        return Problem(reason, s.desired.message)
    return _unfit(s, s.desired) or s.desired.record


def _unfit(s: Situation, desired: Desired) -> Problem | None:
    record = desired.record
    if desired.standing is Standing.STABLE:
        return Problem(Reason.REFUSED, f"{record.release} is what was switched off; leave out release")
    if desired.standing in {Standing.QUARANTINED, Standing.GIVEN_UP}:
        return Problem(Reason.REFUSED, f"{record.release} was rolled back; ship another release, or retry it")
    problem = rival(s.obs) or s.unservable or s.routing.obstacle((record,), is_return=False)
    if problem:
        return Problem(Reason.REFUSED, problem.message)
    why = _waits(s, record)
    return Problem(Reason.WAITING, why) if why else None


def _waits(s: Situation, record: ReleaseRecord) -> str:
    """What has to happen before a release can serve; empty if nothing has to."""
    status = s.status
    if is_progressing(status) or (is_pending(status) and s.attempt.digest != record.digest):
        return "the attempt before is not over yet"
    if record.snapshot not in s.obs.snapshots:
        return f"ConfigMap {record.snapshot} with its bundle has not been seen"
    if s.spec.traffic.by_route and is_ready(s.obs, record) is False:
        return f"{record.service} of {record.release} has no ready endpoint"
    return ""


def unread(s: Situation) -> frozenset[str]:
    """The Services whose endpoints decide whether a SwitchOn takes effect, and that have not been read."""
    fix = fix_of(s)
    needed = service_names([fix]) if isinstance(fix, ReleaseRecord) and s.spec.traffic.by_route else set()
    return (s.requests.unread | needed) - s.obs.endpoints.keys()
