"""The end of a decision: a move becomes the next status, its conditions, the writes and what to ask next.

After the chain. A status is written only if it says something new, so that a rollout at rest writes nothing
and one under way does not write at every answer of Prometheus.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.meta import FIELD_MANAGER, Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import Action
from agentrollouts.api.status import AgentRolloutStatus, Attempt, LastRollback, Outcome, State, Verdict
from agentrollouts.core import moves, route_patch, traffic
from agentrollouts.core.advance import advance
from agentrollouts.core.conditions import (
    READY,
    RECONCILING,
    STALLED,
    condition,
    find_condition,
    set_condition,
)
from agentrollouts.core.foreign_writes import restorations
from agentrollouts.core.judging import query_plan
from agentrollouts.core.memory import is_measured
from agentrollouts.core.observation import Asking, Decision, Deletion, Effect, Event, Observation, Write
from agentrollouts.core.progress import Progress
from agentrollouts.core.situation import METRICS_CONDITION, Situation, is_shown
from agentrollouts.core.snapshot import is_owned, owner_write
from agentrollouts.core.stages import gates_at
from agentrollouts.core.states import is_under_way
from agentrollouts.core.traffic import Manifest, covers, is_latched, key_of, render, unwanted_route

NEEDS_A_PERSON: Final = frozenset(
    {
        Reason.AGENT_MISMATCH,
        Reason.CAP_EXCEEDED,
        Reason.GATE_FAILED,
        Reason.INCONCLUSIVE,
        Reason.INVALID_GATE,
        Reason.NO_HEALTHY_TARGET,
        Reason.QUARANTINED,
        Reason.ROUTE_NOT_FOUND,
        Reason.ROUTE_UNEXPECTED,
        Reason.RULE_TAKEN,
        Reason.SERVICE_MISSING,
        Reason.SERVICE_SHARED,
        Reason.SHARED_CAUSE,
        Reason.SOURCE_UNKNOWN,
        Reason.UNSUPPORTED,
    }
)
"""Reasons that waiting does not cure: `Stalled` is True with them."""

TRAFFIC_APPLIED: Final = "TrafficApplied"

NUMBERS_TICKS: Final = 4
"""Numbers alone are written at every fourth tick: 500 attempts at 30 s then write 4.2 statuses a second."""


def conclude(s: Situation, move: moves.Move) -> Decision:
    """Turn the move into a decision."""
    progress = advance(Progress(s.spec, s.status, s.now), move)
    status, conditions = progress.status, progress.status.conditions
    for found in _conditions(s, status, move):
        conditions = set_condition(conditions, found)
    generation = s.obs.rollout.metadata.generation
    status = status.model_copy(update={"observed_generation": generation, "conditions": conditions})
    is_news = _is_news(s, status)
    return Decision(
        writes=(*_traffic_writes(s, status), *_owner_writes(s.obs, status)),
        status=status if is_news or _are_numbers_due(s.obs, status) else None,
        is_news=is_news,
        events=(*progress.events, *_warnings(s, status), *restorations(s)),
        asking=_asking(s, status),
        wake_at=getattr(move, "until", None),
    )


def _warnings(s: Situation, status: AgentRolloutStatus) -> Iterator[Event]:
    """What was not found at the last visit, and stops nothing: told once, then it stands in the status."""
    failed = {gate.name for gate in s.obs.status.gates if gate.verdict is Verdict.FAIL}
    for judgement in s.judgements:
        if judgement.warns and judgement.name not in failed:
            yield Event(Reason.GATE_WARNED, f"{judgement.name}: {judgement.message}", is_warning=True)
    known = {cap.name for cap in s.obs.status.caps if cap.exceeded}
    for reading in s.exceeded(Action.WARN):
        if reading.cap.name not in known:
            yield Event(Reason.CAP_EXCEEDED, f"{reading.cap.name}: {reading.message}", is_warning=True)
    applied, before = (find_condition(where.conditions, TRAFFIC_APPLIED) for where in (status, s.obs.status))
    if applied and applied.reason == Reason.ROLLBACK_LATE and (not before or before.reason != applied.reason):
        yield Event(Reason.ROLLBACK_LATE, applied.message, is_warning=True)


def _traffic_writes(s: Situation, status: AgentRolloutStatus) -> Iterator[Effect]:
    """What the traffic objects do not show yet: of the persisted status forward, of the new one back.

    Forward only on the version that was seen, as what is known may be old; the way back asks for no version.
    """
    obs, latched = s.obs, is_latched(status)
    basis = status if latched else obs.status
    if latched or not s.shown:
        yield from route_patch.patches(obs, basis)
        for wanted in render(obs.rollout, basis, obs.traffic):
            seen = obs.traffic.get(key_of(wanted))
            if not covers(seen, wanted):
                yield Write(wanted if latched or seen is None else _on_version(seen, wanted), FIELD_MANAGER)
    left = unwanted_route(obs.rollout, obs.traffic)
    if left and not obs.status.canary and not status.canary and is_shown(obs, status):
        yield Deletion(left)  # what is wanted in its place has taken over, and there is no split to keep


def _on_version(seen: Manifest, wanted: Manifest) -> Manifest:
    """The same, to be refused by the API server where the object is not as it was seen any more."""
    version = seen["metadata"].get("resourceVersion")
    return {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version}} if version else wanted


def _owner_writes(obs: Observation, status: AgentRolloutStatus) -> Iterator[Write]:
    """A snapshot that this rollout may have to serve (again) must outlive its release."""
    serving = [record.snapshot for record in (status.stable, status.canary) if record]
    healthy = [entry.snapshot for entry in status.history if entry.outcome is Outcome.HEALTHY]
    for name in dict.fromkeys([*serving, *healthy]):
        snapshot = obs.snapshots.get(name)
        if snapshot and not is_owned(snapshot, obs.rollout):
            yield owner_write(snapshot, obs.rollout)


def _asking(s: Situation, status: AgentRolloutStatus) -> Asking | None:
    """What to ask Prometheus from now on."""
    plan = query_plan(s.obs, status, s.gates, s.caps)
    if plan is None or status.attempt is None:
        return None
    past = {gate.name: gate for gate in status.gates}
    is_known = all(gate.name in past and is_measured(gate, past[gate.name]) for gate in s.gates)
    is_over = plan.past_end is not None
    return Asking(
        plan=plan,
        source=s.spec.metrics.source,
        interval_seconds=s.spec.analysis.interval_seconds,
        history_before=None if is_known or is_over else status.attempt.start_time,
    )


# --- conditions ---------------------------------------------------------------------------------------------


_Word = tuple[bool | None, Reason, str]
"""Whether a condition holds, why in one word, and in a sentence."""

_STATUSES: Final = {True: ConditionStatus.TRUE, False: ConditionStatus.FALSE, None: ConditionStatus.UNKNOWN}


def _conditions(s: Situation, status: AgentRolloutStatus, move: moves.Move) -> Iterator[Condition]:
    """The whole set, at every visit; of a hold or a rest, the reason says what would release it."""
    reason, message = _headline(status, move)
    ready, applied = _ready(s, status, reason, message), _traffic(s, status)
    held = status.attempt.hold.reason if status.attempt and status.attempt.hold else None
    stuck = next((word for word in (ready, applied) if word[1] in NEEDS_A_PERSON), None)
    stuck = ready if stuck is None and held in NEEDS_A_PERSON else stuck
    waiting = not ready[0] and stuck is None
    rows: tuple[tuple[str, _Word], ...] = (
        (READY, ready),
        (RECONCILING, (True, Reason.PROGRESSING, ready[2]) if waiting else (False, Reason.SETTLED, "")),
        (STALLED, (True, *stuck[1:]) if stuck else (False, Reason.NOT_STALLED, "")),
        (TRAFFIC_APPLIED, applied),
        (METRICS_CONDITION, _metrics(s, status)),
    )
    for kind, (holds, why, text) in rows:
        generation = s.obs.rollout.metadata.generation
        yield condition(kind, _STATUSES[holds], why, text, generation=generation, now=s.now)


def _ready(s: Situation, status: AgentRolloutStatus, reason: Reason, message: str) -> _Word:
    """Healthy only once the traffic says so too."""
    if reason is not Reason.HEALTHY or is_under_way(status):
        return False, reason, message
    problem = route_patch.unexpected(s.obs, status)
    if problem:
        return False, problem.reason, problem.message
    return (True, reason, message) if is_shown(s.obs, status) else (False, Reason.APPLYING, message)


def _headline(status: AgentRolloutStatus, move: moves.Move) -> tuple[Reason, str]:
    """The word and the sentence of the summary: the state of what is under way, or why nothing is."""
    if isinstance(move, moves.Rest | moves.Queue):
        return move.reason, move.message
    if status.attempt is None:
        return Reason.PENDING, ""
    reason = Reason.of(status.attempt.state)
    return reason, _sentence(status, status.attempt, move) or reason.sentence


def _sentence(status: AgentRolloutStatus, attempt: Attempt, move: moves.Move) -> str:
    """Where the attempt is, with its numbers; empty where there are none."""
    subject = status.canary.release if status.canary else ""
    back = status.last_rollback
    match attempt.state:
        case State.PENDING:
            return getattr(move, "message", "")
        case State.HELD if attempt.hold:
            since = f"{attempt.hold.since:%H:%M:%S} UTC"
            return f"{subject} is held at {attempt.weight} % since {since}: {attempt.hold.message}"
        case State.CANARY | State.AWAITING_APPROVAL:
            outlook = f"; {attempt.outlook}" if attempt.outlook else ""
            return f"{subject} has {attempt.weight} % in phase {attempt.phase_name}{outlook}"
        case State.INITIAL | State.BAKING:
            return f"{subject} has {attempt.weight} % and is watched"
        case _ if back and is_latched(status):
            return _way_back(attempt, back, move)
        case _:
            return ""


def _way_back(attempt: Attempt, back: LastRollback, move: moves.Move) -> str:
    """From where to where and why; once the traffic is there, whether that helped stands first."""
    verified = back.verification or (getattr(move, "message", "") if attempt.state is State.VERIFYING else "")
    if not verified:
        return f"{back.from_} goes back to {back.to}: {back.message}"
    return f"{back.from_} went back to {back.to}. {verified} It was taken back for this: {back.message}"


def _traffic(s: Situation, status: AgentRolloutStatus) -> _Word:
    if traffic.asked_weights(status) is None:
        return None, Reason.PENDING, "No release serves yet"
    if late := _late(s, status):
        return False, Reason.ROLLBACK_LATE, late
    if problem := route_patch.unexpected(s.obs, status) or s.obs.traffic_problem:
        return False, problem.reason, problem.message
    refused = traffic.refused_by_gateway(s.obs.traffic.values())
    if refused:
        return False, Reason.NOT_ACCEPTED, refused
    if not is_shown(s.obs, status):
        return False, Reason.APPLYING, Reason.APPLYING.sentence
    return True, Reason.APPLIED, ""


def _late(s: Situation, status: AgentRolloutStatus) -> str | None:
    """What to say of a rollback that has spent its budget and is not on the route yet."""
    back, budget = status.last_rollback, s.spec.rollback.budget_seconds
    rolling = status.attempt is not None and status.attempt.state is State.ROLLING_BACK
    if not rolling or back is None or s.now < back.decided_time + timedelta(seconds=budget):
        return None
    cause = s.obs.traffic_problem.message if s.obs.traffic_problem else "the route does not show it yet"
    return f"The rollback decided at {back.decided_time:%H:%M:%S} UTC is over its {budget} s: {cause}"


def _metrics(s: Situation, status: AgentRolloutStatus) -> _Word:
    """Of the gates; a cap without a metric stops nothing, but must not look like one that is kept."""
    unseen = "; ".join(f"{found.cap.name}: {found.message}" for found in s.cap_readings if not found.is_seen)
    if not gates_at(s.spec, status, s.gates):
        return None, Reason.METRICS_NOT_NEEDED, unseen
    if s.silence:
        return False, s.silence.reason, s.silence.message
    if s.judgements:
        return True, Reason.METRICS_AVAILABLE, unseen
    known = find_condition(status.conditions, METRICS_CONDITION)
    if known and known.status is not ConditionStatus.UNKNOWN:
        return known.status is ConditionStatus.TRUE, _word(known.reason), known.message
    return None, Reason.METRICS_UNKNOWN, ""


def _word(text: str) -> Reason:
    """A persisted word; another version of the operator may have written one that we do not know."""
    return Reason.of(text) if text in set(Reason) else Reason.METRICS_UNKNOWN


# --- is it worth a write? -----------------------------------------------------------------------------------


def _is_news(s: Situation, status: AgentRolloutStatus) -> bool:
    """Whether the status differs by more than numbers."""
    old = s.obs.status
    if old == status:
        return False
    has_numbers = status.caps or gates_at(s.spec, status, s.gates)
    return _without_numbers(old) != _without_numbers(status) or not has_numbers


def _are_numbers_due(obs: Observation, status: AgentRolloutStatus) -> bool:
    """Whether the status differs, and its numbers are due to be shown again."""
    old = obs.status
    if old == status:
        return False
    pause = timedelta(seconds=NUMBERS_TICKS * obs.rollout.spec.analysis.interval_seconds)
    shown, known = _newest_sample(old), _newest_sample(status)
    return known is not None and (shown is None or known - shown >= pause)


def _newest_sample(status: AgentRolloutStatus) -> datetime | None:
    times = [gate.last_sample_time for gate in status.gates] + [cap.time for cap in status.caps]
    return max((time for time in times if time), default=None)


def _without_numbers(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """The status without what changes at every answer of Prometheus."""
    blank: dict[str, object] = {
        "message": "",
        "canary": None,
        "stable": None,
        "evidence": None,
        "ratio": None,
    }
    gates = tuple(
        gate.model_copy(update=blank | {"present": None, "last_sample_time": None}) for gate in status.gates
    )
    caps = tuple(cap.model_copy(update={"value": 0.0, "message": "", "time": None}) for cap in status.caps)
    attempt = status.attempt
    if attempt and attempt.hold:
        attempt = attempt.model_copy(update={"hold": attempt.hold.model_copy(update={"message": ""})})
    conditions = tuple(found.model_copy(update={"message": ""}) for found in status.conditions)
    told = {"gates": gates, "caps": caps, "query": None, "attempt": attempt, "conditions": conditions}
    return status.model_copy(update=told)
