"""Members of the model as real statuses, and real decisions as answers of the model."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from agentrollouts.api.attempt import Attempt, AttemptKind, State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import LastRollback
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, GroupStatus, HistoryEntry, Outcome, WeightsStatus
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.recovery.group.member import Member as Seen
from agentrollouts.core.recovery.group.member import member_of
from agentrollouts.core.recovery.group.rollback import due_at_rest, due_on_trial
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import AGENT, START, digest_of, service_of
from testkit.builders.observations import an_observation, settled_snapshots
from testkit.builders.releases import a_ready_release, a_record
from testkit.builders.rollouts import a_rollout
from tests.core.recovery.group.group_model import HARM, Answer, Ended, Member

GROUP: Final = "checkout"
SINCE: Final = START - timedelta(days=400)
REASONS: Final = {
    Trigger.BREACH: Reason.GATE_FAILED,
    Trigger.CAP: Reason.CAP_EXCEEDED,
    Trigger.ACTION: Reason.ROLLBACK_REQUESTED,
    Trigger.SPEC_REVERTED: Reason.SPEC_REVERTED,
    Trigger.GROUP: Reason.GROUP_ROLLBACK,
}
PLAN: Final = a_rollout(group=GROUP, historyLimit=50, rollback={"maxWalkBack": 10})


def at(time: int) -> datetime:
    """A time of the model; all of them are over at `START`."""
    return START + timedelta(minutes=time - 1000)


def named(release: str) -> str:
    """A release of the model by its real name."""
    return f"{AGENT}-{release.removeprefix('r')}.0.0"


def status_of(member: Member) -> AgentRolloutStatus:
    """The status of a rollout with that history, as the operator would have persisted it."""
    first = member.healthy[0]
    ends = [Ended(first.release, first.start, first.end, "Healthy", ""), *member.history]
    served = {first.release} | {entry.release for entry in ends if entry.outcome == "Healthy"}
    entries = [_entry(number, entry, served) for number, entry in enumerate(ends, 1)]
    stable = a_record(named(member.healthy[-1].release), healthy_time=at(member.healthy[-1].end))
    quarantined = [
        {
            "digest": entry.digest,
            "release": entry.release,
            "reason": entry.reason,
            "time": entry.end_time,
            "attempt": entry.number,
        }
        for entry in reversed(entries)
        if entry.outcome is Outcome.ROLLED_BACK and entry.trigger is not Trigger.SPEC_REVERTED
    ]
    status = AgentRolloutStatus.model_validate(
        {
            "stable": stable,
            "weights": WeightsStatus(stable=100, canary=0),
            "history": tuple(reversed(entries)),
            "quarantined": quarantined[:20],
            "group": GroupStatus(name=GROUP, since=SINCE),
        }
    )
    if member.canary:
        return _on_trial(status, *member.canary, number=len(ends) + 1)
    last = ends[-1]
    is_open = last.trigger in HARM and last.release not in served and last.end % 2 == 0
    return _verifying(status) if is_open else _at_rest(status)


def _entry(number: int, ended: Ended, served: set[str]) -> HistoryEntry:
    record, is_healthy = a_record(named(ended.release)), ended.outcome == "Healthy"
    trigger = Trigger(ended.trigger) if ended.trigger else None
    is_at_rest = not is_healthy and ended.release in served
    fields: dict[str, Any] = record.model_dump(exclude={"healthy_time"}) | {
        "number": number,
        "outcome": ended.outcome,
        "reason": Reason.HEALTHY if trigger is None else REASONS[trigger],
        "start_time": at(ended.end if is_at_rest else ended.start),
        "end_time": at(ended.end) + (timedelta() if is_healthy else timedelta(days=30)),  # it was verified
        "kind": AttemptKind.GO_BACK if is_at_rest else AttemptKind.RELEASE,
        "trigger": trigger,
        "decided_time": None if is_healthy else at(ended.end),
    }
    return HistoryEntry.model_validate(fields)


def _attempt(entry: HistoryEntry, state: State, **fields: object) -> Attempt:
    usual = {
        "number": entry.number,
        "state": state,
        "kind": entry.kind,
        "digest": entry.digest,
        "start_time": entry.start_time,
        "trigger": entry.trigger,
        "plan_hash": plan_hash(PLAN.plan),
    }
    return Attempt.model_validate(usual | fields)


def _at_rest(status: AgentRolloutStatus) -> AgentRolloutStatus:
    last = status.history[0]
    return status.replace(attempt=_attempt(last, State(last.outcome)), last_rollback=_rollback(status, last))


def _rollback(status: AgentRolloutStatus, entry: HistoryEntry) -> LastRollback | None:
    if entry.trigger is None or entry.decided_time is None or status.stable is None:
        return None
    return LastRollback(
        from_=entry.release,
        to=status.stable.release,
        trigger=entry.trigger,
        reason=entry.reason,
        message=entry.message,
        decided_time=entry.decided_time,
        routed_time=entry.decided_time,
    )


def _verifying(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """The newest rollback is decided, and its attempt is not in the history yet."""
    last, *history = status.history
    return status.replace(
        canary=last.record,
        history=tuple(history),
        attempt=_attempt(last, State.VERIFYING, clock_start_time=last.decided_time),
        last_rollback=_rollback(status, last),
    )


def _on_trial(status: AgentRolloutStatus, release: str, start: int, *, number: int) -> AgentRolloutStatus:
    phase, began = PLAN.plan.phases[0], at(start)
    attempt = Attempt(
        number=number,
        state=State.CANARY,
        digest=digest_of(named(release)),
        plan_hash=plan_hash(PLAN.plan),
        phase_name=phase.name,
        weight=phase.weight,
        start_time=began,
        phase_start_time=began,
        clock_start_time=began,
        counting_start_time=began,
    )
    weights = WeightsStatus(stable=100 - phase.weight, canary=phase.weight)
    return status.replace(canary=a_record(named(release)), attempt=attempt, weights=weights)


def seen(name: str, member: Member) -> Seen:
    """A member as its siblings see it."""
    view = member_of(name, GROUP, status_of(member))
    assert view is not None
    return view


def seen_all(siblings: Sequence[Member]) -> tuple[Seen, ...]:
    """All siblings."""
    return tuple(seen(f"sibling-{index}", sibling) for index, sibling in enumerate(siblings))


def by_rule(member: Member, siblings: Sequence[Member]) -> Answer | None:
    """The rule of the core; whether there is a target is not its business."""
    own, others = seen("own", member), seen_all(siblings)
    if due_on_trial(own, others):
        return Answer.ROLL_BACK_CANARY
    is_able = len(member.healthy) > 1
    return Answer.GO_BACK if due_at_rest(own, others) and is_able else None


def by_decisions(member: Member, siblings: Sequence[Member]) -> Answer | None:
    """Whole decisions, until one of them is not about what the rollout did before."""
    status, others = status_of(member), seen_all(siblings)
    asked = (status.canary or status.stable or a_record(named("r0"))).release
    for _ in range(3):  # from the verification of its own rollback to rest
        builder = PLAN.asking_for(asked).having(**dict(status))
        decision = decide(_observed(builder.build(), builder, others))
        after = decision.status
        attempt = after.attempt if after else None
        if after and attempt and attempt.trigger is Trigger.GROUP and attempt.state is State.ROLLING_BACK:
            is_stable = attempt.kind is AttemptKind.GO_BACK
            return Answer.GO_BACK if is_stable else Answer.ROLL_BACK_CANARY
        if after is None or after == status:
            return None
        status = after
    return None


def _observed(rollout: AgentRollout, builder: Any, others: tuple[Seen, ...]) -> Any:  # noqa: ANN401 an observation
    status = rollout.status
    records = (status.stable, status.canary, *(entry.record for entry in status.history))
    names = sorted({record.release for record in records if record})
    return an_observation(
        builder,
        siblings=others,
        release=a_ready_release(rollout.spec.release_ref.name),
        snapshots=settled_snapshots(rollout, names),
        endpoints={service_of(name): True for name in names},
    )
