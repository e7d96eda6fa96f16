"""What people read of a detour: the condition SwitchedOff, the summary, and the Events of its two ends."""

from collections.abc import Iterator

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import SWITCHED_OFF, condition
from agentrollouts.core.containment.detour import where
from agentrollouts.core.effects import Event
from agentrollouts.core.rollout.situation import Situation


def sentence(rollout: AgentRollout, status: AgentRolloutStatus) -> str:
    """Where the traffic goes, since when, why, and how to end that; empty without a detour."""
    detour, metadata = status.detour, rollout.metadata
    if detour is None:
        return ""
    what = where(rollout, detour.percent)
    return (
        f"{what[0].upper()}{what[1:]} since {detour.since:%Y-%m-%d %H:%M:%S} UTC; to end this, run "
        f"agentrollouts switch-on {metadata.name} --namespace={metadata.namespace} --detour={detour.id} "
        f"--reason=.... {detour.message}"
    )


def switched_off(s: Situation, status: AgentRolloutStatus) -> Condition | None:
    """The condition; None without a detour."""
    text, generation = sentence(s.obs.rollout, status), s.obs.rollout.metadata.generation
    if not text:
        return None
    kind, why = SWITCHED_OFF, Reason.SWITCHED_OFF
    return condition(kind, ConditionStatus.TRUE, why, text, generation=generation, now=s.now)


def detour_events(before: AgentRolloutStatus, after: AgentRolloutStatus) -> Iterator[Event]:
    """That a detour began, or ended. One that replaces another only begins."""
    old, new = before.detour, after.detour
    if new and (old is None or old.id != new.id):
        cause = f"{new.cause} {new.gate}" if new.gate else new.cause.value
        message = (
            f"{cause}: {new.percent}% of the traffic goes to no release (detour {new.id}). {new.message}"
        )
        yield Event(Reason.DETOUR_STARTED, message, is_warning=True)
    if old and new is None:
        by = after.last_detour.by if after.last_detour else "someone"
        yield Event(Reason.DETOUR_ENDED, f"{by} ended detour {old.id}; the releases get the traffic again")
