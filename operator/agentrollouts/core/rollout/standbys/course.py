"""A standby in the place of stable: when it begins, who takes over from it, and when stable serves again.

So does stable after a last resort whose fallback, another agent, cannot answer.

While what fails is not called, no metric can show that it works again, so time decides. The time doubles at
each further trip of a gate within a day.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.gates import OnFail
from agentrollouts.api.recovery.detour import Detour, DetourCause
from agentrollouts.api.recovery.standby import LONGEST, USUAL, Standby
from agentrollouts.api.rollback import LastResort
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.attempt import moves
from agentrollouts.core.containment.detour import ALL, ended, id_at, on_standby
from agentrollouts.core.containment.fallback import fallback_of, named_by, why_none
from agentrollouts.core.rollout.desired import standby_release
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.rollout.standbys.choice import find, fit, is_proven_itself
from agentrollouts.core.traffic.endpoints import is_ready, service_names
from agentrollouts.core.traffic.weights import desired_split

REMEMBERED: Final = timedelta(days=1)
"""How long after the end of a trip the next one counts as a further one."""
PRECEDENCE: Final = timedelta(seconds=60)
"""How long the second of two agents that answer for each other waits for the first one to return."""
POLL: Final = timedelta(seconds=10)
"""How often endpoints are looked at while stable should serve again and has none."""


def stands_by(s: Situation) -> moves.Divert | None:
    """A gate of stable fails at rest, and a standby that names it can serve."""
    for gate, message in _tripped(s):
        if record := find(s, gate):
            return moves.Divert(_begun(s, gate, record, message))
    return None


def ends(s: Situation) -> moves.Divert | moves.Return | None:
    """The standby has served its time, or has no ready endpoint: the next one serves, or stable."""
    detour, standby = s.status.detour, on_standby(s.status)
    if detour is None:
        return None
    if standby is None:
        return _returned(s, detour, why_none(s.spec, s.status)) if _is_unanswered(s, detour) else None
    if _is_deserted(s, standby):
        if move := _relieved(s, detour, standby):
            return move
        why = f"{_service(standby)} of {standby.release} has no ready endpoint"
    elif detour.until and s.now >= detour.until:
        why = "its time is over"
    else:
        return None
    return _returned(s, detour, why) if detour.cause is DetourCause.STANDBY else None


def _returned(s: Situation, detour: Detour, why: str) -> moves.Return | None:
    """Stable gets the traffic again, if it can answer: a bad answer is never replaced by none."""
    left = _left(s)
    if any(is_ready(s.obs, record) is False for record in left):
        return None
    last = ended(s.status, None, s.now).last_detour
    names = " and ".join(record.release for record in left) or "stable"
    message = f"Detour {detour.id} ended, since {why}; {names} gets the traffic again"
    return moves.Return(last, message) if last else None


def gone_with_stable(s: Situation, move: moves.Move) -> moves.Move:
    """The move; of a rollback of stable, with the end of a standby that is stable with less.

    It was proven by stable alone, and has the rest of what is rolled back. Any other standby serves on.
    """
    standby = on_standby(s.status)
    if not isinstance(move, moves.RollBackStable) or standby is None or is_proven_itself(s, standby):
        return move
    if s.spec.traffic.by_route and is_ready(s.obs, move.target) is False:
        return move  # a bad answer is never replaced by none
    return replace(move, ended=ended(s.status, None, s.now).last_detour)


def unsure_of(s: Situation) -> frozenset[str]:
    """Services whose endpoints decide who serves now, and that have not been read."""
    if not s.spec.traffic.by_route:
        return frozenset()
    return service_names(_in_question(s)) - s.obs.endpoints.keys()


def wake_time(s: Situation, status: AgentRolloutStatus) -> datetime | None:
    """When stable serves again; or when to look again whether it can."""
    detour = status.detour
    if detour is None:
        return None
    if detour.standby is None:
        return max(s.now + POLL, detour.since + PRECEDENCE) if _lacks_fallback(s, detour) else None
    is_due = detour.until is not None and detour.until <= s.now
    return s.now + POLL if is_due or _is_deserted(s, on_standby(status)) else detour.until


def _tripped(s: Situation) -> tuple[tuple[str, str], ...]:
    """The gates that request a standby now, each with what it says."""
    if s.status.detour or not s.analysis.watches_stable or s.is_terminating:
        return ()
    return tuple((each.name, each.message) for each in s.analysis.failing if each.action is OnFail.STANDBY)


def _begun(s: Situation, gate: str, record: ReleaseRecord, message: str) -> Detour:
    trips = _trips(s, gate)
    named = next(each for each in s.spec.standby if each.release_ref.name == record.release)
    stable = s.status.stable.release if s.status.stable else "stable"
    detour = _detour(s, DetourCause.STANDBY, record, f"{gate} of {stable}: {message}")
    return detour.copy_with(gate=gate, trips=trips, until=s.now + _duration(named, trips))


def _trips(s: Situation, gate: str) -> int:
    """Which trip of the gate it is.

    Those before the last promotion were of another release, and after a SwitchOff people have looked.
    """
    last, stable = s.status.last_detour, s.status.stable
    if last is None or last.cause is not DetourCause.STANDBY or last.gate != gate or not last.trips:
        return 1
    is_older = stable is None or (stable.healthy_time is not None and stable.healthy_time > last.end_time)
    return 1 if is_older or s.now - last.end_time > REMEMBERED else last.trips + 1


def _duration(standby: Standby, trips: int) -> timedelta:
    doublings = min(trips - 1, LONGEST.bit_length())  # more of them change nothing
    return timedelta(seconds=min((standby.return_after_seconds or USUAL) << doublings, LONGEST))


def _relieved(s: Situation, detour: Detour, standby: ReleaseRecord) -> moves.Divert | None:
    """The next standby; after the last one of a last resort, the fallback."""
    why = f"{_service(standby)} of {standby.release} has no ready endpoint. {detour.message}"
    if record := find(s, detour.gate):
        changed = _detour(s, detour.cause, record, why)
        return moves.Divert(changed.copy_with(gate=detour.gate, trips=detour.trips, until=detour.until))
    if detour.cause is DetourCause.LAST_RESORT and fallback_of(s.spec, s.status):
        return moves.Divert(_detour(s, detour.cause, None, why))
    return None


def _detour(s: Situation, cause: DetourCause, record: ReleaseRecord | None, message: str) -> Detour:
    return Detour(
        id=id_at(s.obs.rollout.metadata.uid, cause, s.now),
        cause=cause,
        percent=ALL,
        message=message,
        since=s.now,
        standby=standby_release(record) if record else None,
    )


def _is_unanswered(s: Situation, detour: Detour) -> bool:
    """Whether a last resort leads nowhere, as the other agent cannot answer: then it is Hold.

    Two agents that answer for each other can begin in one instant. Only the first by name returns at once, so
    that it answers for both.
    """
    is_first = s.obs.rollout.metadata.name < (named_by(s.spec) or "")
    return _lacks_fallback(s, detour) and (is_first or s.now >= detour.since + PRECEDENCE)


def _lacks_fallback(s: Situation, detour: Detour) -> bool:
    is_last_resort = detour.cause is DetourCause.LAST_RESORT and detour.standby is None
    is_named = s.spec.traffic.by_route and named_by(s.spec) is not None
    return is_last_resort and is_named and fallback_of(s.spec, s.status) is None


def _is_deserted(s: Situation, standby: ReleaseRecord | None) -> bool:
    return s.spec.traffic.by_route and is_ready(s.obs, standby) is False


def _left(s: Situation) -> tuple[ReleaseRecord, ...]:
    """The releases that get the traffic again."""
    split = desired_split(ended(s.status, None, s.now))
    return split.sharing if split else ()


def _in_question(s: Situation) -> tuple[ReleaseRecord, ...]:
    detour, standby = s.status.detour, on_standby(s.status)
    if detour and standby:
        is_due = detour.until is not None and s.now >= detour.until
        is_deserted = _is_deserted(s, standby)
        return (*(_left(s) if is_due or is_deserted else ()), *(fit(s, detour.gate) if is_deserted else ()))
    if detour and _lacks_fallback(s, detour):
        return _left(s)
    tripped = tuple(record for gate, _ in _tripped(s) for record in fit(s, gate))
    return tripped or (tuple(fit(s)) if _is_last_resort(s) else ())


def _is_last_resort(s: Situation) -> bool:
    """Whether a standby might serve because there is no release to roll back to."""
    is_harmful = s.analysis.watches_stable and s.analysis.failure_of_stable({OnFail.ROLL_BACK})
    return bool(is_harmful) and s.spec.rollback.last_resort is LastResort.FALLBACK


def _service(record: ReleaseRecord) -> str:
    return str(record.service or "the Service")
