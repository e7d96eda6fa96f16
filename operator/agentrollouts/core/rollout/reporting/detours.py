"""What people read of a detour: the condition SwitchedOff, the summary, and the Events of its two ends."""

from collections.abc import Iterator

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import LastResort
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import FALLBACK_NOT_READY, SWITCHED_OFF, condition
from agentrollouts.core.containment.fallback import leads_to, named_by, why_none
from agentrollouts.core.effects import Event
from agentrollouts.core.rollout.detours import reason_of
from agentrollouts.core.rollout.situation import Situation


def sentence(rollout: AgentRollout, status: AgentRolloutStatus) -> str:
    """Where the traffic goes, since when, why, and how to end that; empty without a detour."""
    detour, metadata = status.detour, rollout.metadata
    if detour is None:
        return ""
    what = leads_to(rollout, status, detour)
    until = f" until {detour.until:%Y-%m-%d %H:%M:%S} UTC" if detour.until else ""
    when = "to end this earlier" if until else "to end this"
    return (
        f"{what[0].upper()}{what[1:]} since {detour.since:%Y-%m-%d %H:%M:%S} UTC{until}; {when}, run "
        f"agentrollouts switch-on {metadata.name} --namespace={metadata.namespace} --detour={detour.id} "
        f"--reason=.... {detour.message}"
    )


def switched_off(s: Situation, status: AgentRolloutStatus) -> Condition | None:
    """The condition; None without a detour, and while a standby serves for a time."""
    if status.detour and reason_of(status.detour) is Reason.ON_STANDBY:
        return None
    text, generation = sentence(s.obs.rollout, status), s.obs.rollout.metadata.generation
    if not text:
        return None
    kind, why = SWITCHED_OFF, Reason.SWITCHED_OFF
    return condition(kind, ConditionStatus.TRUE, why, text, generation=generation, now=s.now)


def fallback_not_ready(s: Situation, status: AgentRolloutStatus) -> Condition | None:
    """The warning that the other agent could not answer now; None if it could, or if none is named."""
    if named_by(s.spec) is None or status.fallback is None or status.fallback.service:
        return None
    message = f"{why_none(s.spec, status)}; until it serves, a detour is answered as without `spec.fallback`"
    if s.spec.rollback.last_resort is LastResort.FALLBACK:
        message += ", and `rollback.lastResort` is Hold"
    kind, why, generation = FALLBACK_NOT_READY, Reason.FALLBACK_NOT_READY, s.obs.rollout.metadata.generation
    return condition(kind, ConditionStatus.TRUE, why, message, generation=generation, now=s.now)


def detour_events(before: AgentRolloutStatus, after: AgentRolloutStatus) -> Iterator[Event]:
    """That a detour began, or ended. One that replaces another only begins."""
    old, new = before.detour, after.detour
    if new and (old is None or old.id != new.id):
        cause = f"{new.cause} {new.gate}" if new.gate else new.cause.value
        place = new.standby.release if new.standby else "no release"
        until = f" until {new.until:%H:%M:%S} UTC" if new.until else ""
        message = (
            f"{cause}: {new.percent}% of the traffic goes to {place}{until} (detour {new.id}). {new.message}"
        )
        yield Event(Reason.DETOUR_STARTED, message, is_warning=True)
    by = after.last_detour.by if after.last_detour else None
    if old and new is None and by:  # the end of a standby is the Event of its move
        yield Event(Reason.DETOUR_ENDED, f"{by} ended detour {old.id}; the releases get the traffic again")
