"""The entries of a rollback: what it was decided on, when the route shows it, when the traffic is gone."""

from collections.abc import Iterator

from agentrollouts.api.reasons import Reason
from agentrollouts.api.record.entry import RecordEvent, Window
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt.status_draft import next_number
from agentrollouts.core.history import is_drill, rollback_of
from agentrollouts.core.rollout.recording.draft import Draft, gate_records, now_of, person_of, query_record
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_progressing


def started_rollback(s: Situation, after: AgentRolloutStatus) -> Draft:
    """What the rollback was decided on. A mark on the route, after a crash, has no numbers."""
    rollback, order = rollback_of(after), s.requests.rollback
    number = s.attempt.number if is_progressing(s.obs.status) else next_number(s.status)
    is_recovered = s.routing.latch(number) is not None
    gates = s.status.gates if is_progressing(s.obs.status) else s.status.watched
    draft = now_of(s, RecordEvent.ROLLBACK_STARTED, after)
    if rollback is None:
        return draft
    draft = draft.copy_with(
        trigger=rollback.trigger, message=rollback.message, from_=rollback.from_, to=rollback.to
    )
    if is_recovered:
        draft = draft.copy_with(recovered=True)
    else:
        draft = draft.copy_with(gates=gate_records(gates, in_full=True), query=query_record(s))
    if order is None or rollback.reason != Reason.ROLLBACK_REQUESTED:
        return draft
    return draft.replace(**person_of(s, order))


def routed(s: Situation, after: AgentRolloutStatus) -> Draft:
    """The route shows the rollback."""
    rollback = rollback_of(after)
    return now_of(
        s,
        RecordEvent.ROUTED,
        after,
        routed_time=rollback.routed_time if rollback else None,
        window=window_of(after),
    )


def window_of(after: AgentRolloutStatus) -> Window | None:
    """The time in which the bad release had traffic; None for a drill, which has no bad one."""
    window = None if is_drill(after) else after.affected_window
    return Window(start_time=window.start_time, end_time=window.end_time) if window else None


def observed(s: Situation, after: AgentRolloutStatus) -> Iterator[Draft]:
    """The traffic has left the release that was rolled back."""
    before, rollback = rollback_of(s.obs.status), rollback_of(after)
    if is_drill(s.obs.status) != is_drill(after):
        return  # they are not about the same attempt
    if rollback is None or rollback.observed_time is None or (before and before.observed_time):
        return
    yield now_of(s, RecordEvent.OBSERVED, after, window=window_of(after))
