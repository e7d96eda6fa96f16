"""The conditions of a rollout: what is true, as one reason for machines and a sentence for people.

Exactly one of Ready, Reconciling and Stalled is True, as kstatus requires.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import LastRollback
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.clocks import ERROR_GRACE, SILENCE_GRACE
from agentrollouts.core.conditions import (
    METRICS_CONDITION,
    READY,
    RECONCILING,
    ROLLBACK_READY,
    ROUTE_CONFLICT,
    STALLED,
    TRAFFIC_APPLIED,
    condition,
    find_condition,
)
from agentrollouts.core.endings import NEEDS_A_PERSON
from agentrollouts.core.history import rollback_of
from agentrollouts.core.rollout.checks.terminating import DELETION
from agentrollouts.core.rollout.detours import reason_of
from agentrollouts.core.rollout.drilling.reporting import drill_sentence
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.reporting.blocked import not_rolled_back
from agentrollouts.core.rollout.reporting.detours import sentence as detour_sentence
from agentrollouts.core.rollout.reporting.progress import (
    WATCHING,
    findings,
    how_to_acknowledge,
    how_to_approve,
    share,
    until,
    utc,
    with_measured,
)
from agentrollouts.core.rollout.reporting.readiness import rollback_ready
from agentrollouts.core.rollout.situation import Situation, sentences
from agentrollouts.core.states import is_progressing, is_under_way
from agentrollouts.core.traffic import gateways
from agentrollouts.core.traffic.conflicts import NAMED
from agentrollouts.core.traffic.latch import is_latched
from agentrollouts.core.traffic.observed import Contest
from agentrollouts.core.traffic.state import TrafficState

_Word = tuple[bool | None, Reason, str]
"""Whether a condition holds, why in one word, and in a sentence."""

_STATUSES: Final = {True: ConditionStatus.TRUE, False: ConditionStatus.FALSE, None: ConditionStatus.UNKNOWN}


def conditions_of(
    s: Situation, status: AgentRolloutStatus, move: moves.Move, traffic: TrafficState
) -> Iterator[Condition]:
    """The whole set, at every visit; of a hold or a rest, the reason says what would release it.

    Args:
        s: What the decision rests on.
        status: The next status.
        move: What follows.
        traffic: The traffic, compared with the next status.
    """
    metrics, applied = _metrics(s, status), _traffic(s, status, traffic)
    blocked = not_rolled_back(s, traffic)
    drilled = None if blocked else drill_sentence(s, status)
    reason, message = (Reason.NOT_ROLLED_BACK, blocked) if blocked else _headline(s, status, move, applied)
    if not blocked and (off := detour_sentence(s.obs.rollout, status)):
        reason, message = reason_of(status.detour) if status.detour else reason, off
    holds, reason, message = _ready(status, reason, message, applied, traffic)
    if drilled and not isinstance(move, moves.Rest | moves.Enqueue):
        late = applied[1] is Reason.ROLLBACK_LATE
        holds, reason, message = (False, *applied[1:]) if late else (True, Reason.HEALTHY, drilled)
    holds, reason, message = _in_contest(status, (holds, reason, message), s.obs.contest)
    measured = (_missing(s, status, metrics), *findings(s.spec, status))
    ready = (holds, reason, with_measured(message, *measured))
    stuck = None if ready[0] else stalled_by(status, ready, applied)
    waiting = not ready[0] and stuck is None
    rows: tuple[tuple[str, _Word], ...] = (
        (READY, ready),
        (RECONCILING, (True, Reason.PROGRESSING, ready[2]) if waiting else (False, Reason.SETTLED, "")),
        (STALLED, (True, *stuck[1:]) if stuck else (False, Reason.NOT_STALLED, "")),
        (TRAFFIC_APPLIED, applied),
        (METRICS_CONDITION, metrics),
        (ROLLBACK_READY, rollback_ready(s, status)),
    )
    for kind, (holds, why, text) in rows:
        generation = s.obs.rollout.metadata.generation
        yield condition(kind, _STATUSES[holds], why, text, generation=generation, now=s.now)


def route_conflict(obs: Observation) -> Condition | None:
    """The warning that other routes are at the same door; None if none is."""
    if not obs.same_door:
        return None
    others = f"route {', '.join(obs.same_door)}"
    if len(obs.same_door) > NAMED:
        others = f"more than {NAMED} other routes"
    message = (
        f"The route has the same hostname and parent as {others}, so its "
        "requests may not be split by these weights; give one of them another hostname"
    )
    why, generation = Reason.HOSTNAME_SHARED, obs.rollout.metadata.generation
    return condition(ROUTE_CONFLICT, ConditionStatus.TRUE, why, message, generation=generation, now=obs.now)


def stalled_by(status: AgentRolloutStatus, ready: _Word, applied: _Word) -> _Word | None:
    """What only a person can end; the hold speaks through the summary. So does a fuse."""
    if status.attempt and status.attempt.fuse:
        return ready
    held = status.attempt.hold.reason if status.attempt and status.attempt.hold else None
    words = ((ready[1], ready), (applied[1], applied), (held, ready))
    return next((word for reason, word in words if reason in NEEDS_A_PERSON), None)


def _ready(
    status: AgentRolloutStatus, reason: Reason, message: str, applied: _Word, traffic: TrafficState
) -> _Word:
    """Healthy only once the traffic says so too."""
    if reason is not Reason.HEALTHY or is_under_way(status):
        return False, reason, message
    if problem := traffic.problem:
        return False, problem.reason, problem.message
    return (True, reason, message) if applied[0] else (False, *applied[1:])


def _in_contest(status: AgentRolloutStatus, ready: _Word, contest: Contest | None) -> _Word:
    """With who else changes the traffic; at rest that comes before why nothing new is tried."""
    _, reason, message = ready
    if contest is None or contest.problem.message in message:
        return ready
    if reason is Reason.HEALTHY or not is_under_way(status):
        reason = Reason.ROUTE_CONTESTED
    return False, reason, f"{contest.problem.message}. {message}"


def _headline(
    s: Situation, status: AgentRolloutStatus, move: moves.Move, applied: _Word
) -> tuple[Reason, str]:
    """The reason and the message of the summary: the state of the attempt, or why there is none."""
    if isinstance(move, moves.Rest | moves.Enqueue):
        return move.reason, move.message
    if status.attempt is None:
        return Reason.PENDING, ""
    reason = Reason.of(status.attempt.state)
    sentence = _sentence(s, status, status.attempt, move, applied) or reason.sentence
    if s.is_terminating:
        return Reason.TERMINATING, sentence if DELETION in sentence else f"{DELETION}. {sentence}"
    return reason, sentence


def _sentence(
    s: Situation, status: AgentRolloutStatus, attempt: Attempt, move: moves.Move, applied: _Word
) -> str:
    """Where the attempt is, with its numbers; empty if there are none.

    A share is claimed only where the gateways confirm it.
    """
    subject = status.canary.release if status.canary else ""
    rollback, ending = status.last_rollback, how_to_acknowledge(s.obs.rollout, attempt)
    match attempt.state:
        case State.HELD if attempt.hold:
            since = f"{attempt.hold.since:%H:%M:%S} UTC"
            place = f"at {attempt.weight}%" if applied[0] else f"moving to {attempt.weight}%"
            return f"{subject} is held {place} since {since}: {attempt.hold.message}{ending}"
        case State.INITIAL | State.CANARY | State.AWAITING_APPROVAL | State.BAKING:
            rollout, doubt = s.obs.rollout, "" if applied[0] else applied[2]
            return (
                f"{share(status, attempt, doubt)}{until(s.spec, attempt)}{how_to_approve(rollout, attempt)}"
                f"{ending}"
            )
        case _ if rollback and is_latched(status):
            return _rollback_sentence(attempt, rollback, move)
        case _:
            return ""


def _rollback_sentence(attempt: Attempt, rollback: LastRollback, move: moves.Move) -> str:
    """From where to where and why; once the traffic is there, whether that helped stands first."""
    verified = rollback.verification or (
        getattr(move, "message", "") if attempt.state is State.VERIFYING else ""
    )
    if not verified:
        return f"Rolling back from {rollback.from_} to {rollback.to}: {rollback.message}"
    return f"Rolled back from {rollback.from_} to {rollback.to}. {verified} Cause: {rollback.message}"


def _missing(s: Situation, status: AgentRolloutStatus, metrics: _Word) -> str:
    """What an attempt has no metrics of, and from when on it is held for that; said before it is held."""
    attempt, (available, reason, message) = status.attempt, metrics
    if attempt is None or attempt.state not in WATCHING - {State.HELD}:
        return ""
    if available is not False:
        judgments = s.analysis.judgments
        awaited = sentences(j for j in judgments if j.reason is Reason.COLLECTING and not j.present)
        return awaited if is_progressing(status) else ""
    persisted = find_condition(s.status.conditions, METRICS_CONDITION)
    since = (
        persisted.last_transition_time if persisted and persisted.status is ConditionStatus.FALSE else s.now
    )
    grace = ERROR_GRACE if reason is Reason.METRICS_UNAVAILABLE else SILENCE_GRACE
    return f"{message}; if this lasts, it is held at {utc(min(since, s.now) + grace)}"


def _traffic(s: Situation, status: AgentRolloutStatus, traffic: TrafficState) -> _Word:
    if traffic.weights is None:
        return None, Reason.PENDING, "No release serves yet"
    if late := _late(s, status):
        return False, Reason.ROLLBACK_LATE, late
    if problem := traffic.problem or s.hindrance:
        return False, problem.reason, problem.message
    return _by_gateways(s.gateways, traffic)


def _by_gateways(report: gateways.Report, traffic: TrafficState) -> _Word:
    """A rejection is reported at once; silence counts only for a split that is on the route."""
    said, is_on_route = report.problem, traffic.is_shown
    if said and (is_on_route or not report.is_silence):
        return (None if said.reason is Reason.NO_GATEWAY else False), said.reason, said.message
    return (True, Reason.APPLIED, "") if is_on_route else (False, Reason.APPLYING, Reason.APPLYING.sentence)


def _late(s: Situation, status: AgentRolloutStatus) -> str | None:
    """What to say of a rollback that has spent its budget and is not on the route yet."""
    rollback, budget = rollback_of(status), s.spec.rollback.budget_seconds
    rolling = status.attempt is not None and status.attempt.state is State.ROLLING_BACK
    if not rolling or rollback is None or s.now < rollback.decided_time + timedelta(seconds=budget):
        return None
    cause = s.hindrance.message if s.hindrance else "the route does not show it yet"
    return f"The rollback decided at {rollback.decided_time:%H:%M:%S} UTC is over its {budget} s: {cause}"


def _metrics(s: Situation, status: AgentRolloutStatus) -> _Word:
    """Of the gates; a cap without a metric stops nothing, but must not look like one that is kept."""
    unseen = sentences(reading for reading in s.analysis.cap_readings if not reading.is_seen)
    if not s.analysis.is_gated(status):
        return None, Reason.METRICS_NOT_NEEDED, unseen
    if s.silence:
        return False, s.silence.reason, s.silence.message
    if s.analysis.judgments:
        return True, Reason.METRICS_AVAILABLE, unseen
    persisted = find_condition(status.conditions, METRICS_CONDITION)
    if persisted and persisted.status is not ConditionStatus.UNKNOWN:
        return persisted.status is ConditionStatus.TRUE, _word(persisted.reason), persisted.message
    return None, Reason.METRICS_UNKNOWN, ""


def _word(text: str) -> Reason:
    """A persisted word; another version of the operator may have written one that we do not know."""
    return Reason.of(text) if text in set(Reason) else Reason.METRICS_UNKNOWN
