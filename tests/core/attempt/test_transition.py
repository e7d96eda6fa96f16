"""The bookkeeping of moves: what is remembered, bounded and told, move by move."""

from datetime import timedelta

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import AffectedWindow, VerifyOutcome
from agentrollouts.api.status import Outcome
from agentrollouts.api.verdict import Counts, GateStatus, SegmentStatus, Severity, Verdict
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.rollback import QUARANTINE_LIMIT
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.attempt.status_draft import Progress
from agentrollouts.core.attempt.transition import advance
from agentrollouts.core.effects import Event
from agentrollouts.core.states import IllegalMoveError
from testkit.builders.names import AGENT, NEW, NEXT, OLD, OLDEST, START, digest_of
from testkit.builders.releases import a_record
from testkit.builders.rollouts import RolloutBuilder, a_rollout

LATER = START + timedelta(seconds=90)
TRYING = a_rollout().serving(OLD).trying(NEW)
BREACH = moves.RollBack(Trigger.BREACH, Reason.GATE_FAILED, "It failed.")

SEGMENT = SegmentStatus(phase_index=0, canary=Counts(bad=1, total=50), stable=Counts(bad=20, total=950))
GATE = GateStatus(
    name="errors", verdict=Verdict.PASS, reason=Reason.PASSED, severity=Severity.HIGH, present=SEGMENT
)


def after(builder: RolloutBuilder, move: moves.Move) -> Progress:
    """The progress that one move makes, 90 s after `START`."""
    return advance(Progress(builder.plan, builder.status, LATER), move)


def test_what_stays_equal_stays_the_same_value() -> None:
    """A hold that lasts, or a clock that stands, is no reason to work out traffic and queries again."""
    for move in (moves.Hold(Reason.METRIC_MISSING, "No series."), moves.StopClock("No series.")):
        begun = after(TRYING, move)
        assert advance(begun, move).attempt is begun.attempt


def test_a_beginning_gives_the_next_number_and_the_first_weight() -> None:
    """Nothing is left of the attempt before; clocks start when the weight is seen on the route."""
    before = TRYING.rolling_back(State.ROLLED_BACK).having(canary=None, gates=(GATE,))
    attempt = after(before, moves.Begin(a_record(NEXT), State.CANARY)).attempt

    assert (attempt.number, attempt.state, attempt.digest, attempt.weight) == (
        3,
        State.CANARY,
        digest_of(NEXT),
        5,
    )
    assert attempt.start_time == LATER
    assert (attempt.phase_start_time, attempt.clock_start_time, attempt.counting_start_time) == (
        None,
        None,
        None,
    )
    assert after(before, moves.Begin(a_record(NEXT), State.CANARY)).status.gates == ()


def test_what_stood_in_line_keeps_its_number_and_gets_the_present_plan() -> None:
    """It is the same attempt, and it is judged by the plan under which it takes traffic."""
    waiting = a_rollout().in_state(State.PENDING).planning(bake={"durationSeconds": 1})
    attempt = after(waiting, moves.Begin(a_record(NEW), State.CANARY)).attempt

    assert (attempt.number, attempt.start_time, attempt.plan_hash) == (2, LATER, plan_hash(waiting.plan))


@pytest.mark.parametrize("move", [moves.EnterPhase(1), moves.Rise(25)])
def test_a_new_weight_freezes_the_counts_of_the_old_one(move: moves.Move) -> None:
    """What was counted at one weight is never mixed with another."""
    progress = after(TRYING.having(gates=(GATE,)), move)

    assert [(gate.segments, gate.present) for gate in progress.status.gates] == [((SEGMENT,), None)]
    assert (progress.attempt.weight, progress.attempt.counting_start_time) == (25, None)


def test_a_ramp_step_keeps_the_clock_of_its_phase() -> None:
    """The steps are due on one clock."""
    ramping = TRYING.in_phase(2)
    attempt = after(ramping, moves.Rise(39)).attempt

    assert (attempt.step, attempt.weight, attempt.clock_start_time, attempt.phase_start_time) == (
        1,
        39,
        START,
        START,
    )


def test_a_hold_stops_the_clock_and_resuming_starts_it() -> None:
    """What was consumed is kept in whole seconds."""
    held = after(TRYING, moves.Hold(Reason.PAUSED, "paused"))
    attempt = held.attempt
    assert (attempt.state, attempt.elapsed_seconds, attempt.clock_start_time) == (State.HELD, 90, None)
    assert attempt.hold is not None
    assert (attempt.hold.since, attempt.hold.resumes) == (LATER, State.CANARY)

    resumed = advance(held, moves.Resume())
    assert (resumed.attempt.state, resumed.attempt.hold) == (State.CANARY, None)
    assert (resumed.attempt.elapsed_seconds, resumed.attempt.clock_start_time) == (90, LATER)
    assert [event.reason for event in resumed.events] == [Reason.PAUSED, Reason.HOLD_ENDED]


def test_a_hold_for_the_same_reason_is_told_once() -> None:
    """Its sentence is kept up to date, however long it is; since when, and what it resumes, stays."""
    held = TRYING.held_for(Reason.GATE_FAILED)
    progress = after(held, moves.Hold(Reason.GATE_FAILED, "x" * 5000))

    assert progress.attempt.hold is not None
    assert (progress.events, progress.attempt.hold.since, len(progress.attempt.hold.message)) == (
        (),
        START,
        1024,
    )


def test_another_cause_of_a_hold_resumes_the_same_state() -> None:
    """A hold within a hold does not forget where the attempt was."""
    progress = after(
        a_rollout().in_state(State.BAKING).held_for(Reason.PAUSED), moves.Hold(Reason.METRICS_STALE, "old")
    )

    assert progress.attempt.hold is not None
    assert (progress.attempt.hold.resumes, progress.attempt.hold.since) == (State.BAKING, LATER)


def test_promotion_makes_the_canary_stable_and_remembers_it() -> None:
    """Once, with everything that is needed to serve it again."""
    status = after(a_rollout().in_state(State.BAKING), moves.Promote()).status

    assert (status.stable, status.canary) == (a_record(NEW, healthy_time=LATER), None)
    assert next((entry.number, entry.release, entry.outcome) for entry in status.history) == (
        2,
        NEW,
        Outcome.HEALTHY,
    )


def test_a_rollback_from_decision_to_end() -> None:
    """Latched and quarantined first, then routed, then over; each with its time."""
    back = after(TRYING, BREACH)
    assert (back.attempt.state, back.attempt.weight, back.attempt.trigger) == (
        State.ROLLING_BACK,
        0,
        Trigger.BREACH,
    )
    assert [entry.digest for entry in back.status.quarantined] == [digest_of(NEW)]

    routed = advance(Progress(back.spec, back.status, LATER + timedelta(seconds=1)), moves.Verify())
    window = AffectedWindow(
        release=NEW,
        start_time=START,
        end_time=LATER + timedelta(seconds=1),
        attempt=back.attempt.number,
        digest=digest_of(NEW),
    )
    assert (routed.attempt.state, routed.status.affected_window) == (State.VERIFYING, window)

    done = advance(routed, moves.Conclude(VerifyOutcome.UNVERIFIED))
    rollback = done.status.last_rollback
    assert rollback is not None
    assert (rollback.decided_time, rollback.routed_time, rollback.outcome) == (
        LATER,
        routed.now,
        VerifyOutcome.UNVERIFIED,
    )
    assert done.events == (
        Event(Reason.ROLLED_BACK, f"{NEW} was rolled back to {OLD} in 1.00 s: It failed.", is_warning=True),
    )
    assert (done.status.history[0].outcome, done.status.canary) == (Outcome.ROLLED_BACK, None)


def test_the_reason_of_a_newer_version_survives_its_conclusion() -> None:
    """A word that this version does not know is kept as it is."""
    rolling = TRYING.rolling_back(State.VERIFYING)
    record = rolling.status.last_rollback
    assert record is not None
    strange = rolling.having(last_rollback=record.replace(reason="NotInventedYet"))

    progress = after(strange, moves.Conclude(VerifyOutcome.UNVERIFIED))

    assert progress.status.history[0].reason == "NotInventedYet"


def test_who_reverts_quarantines_nothing() -> None:
    """The release may be asked for again."""
    move = moves.RollBack(Trigger.SPEC_REVERTED, Reason.SPEC_REVERTED, "asked")

    assert after(TRYING, move).status.quarantined == ()


def test_the_newest_quarantined_digests_are_kept_each_once() -> None:
    """As many as the CRD can hold."""
    full = TRYING.quarantining(NEW, *(f"{AGENT}-1.{minor}.0" for minor in range(QUARANTINE_LIMIT - 1)))
    others = TRYING.quarantining(*(f"{AGENT}-1.{minor}.0" for minor in range(QUARANTINE_LIMIT)))
    quarantined = [
        [entry.release for entry in after(builder, BREACH).status.quarantined] for builder in (full, others)
    ]

    assert [len(names) for names in quarantined] == [QUARANTINE_LIMIT] * 2
    assert [(names[0], names.count(NEW)) for names in quarantined] == [(NEW, 1)] * 2


def test_a_pending_attempt_leaves_no_trace_in_the_history() -> None:
    """It never served."""
    waiting = a_rollout().in_state(State.PENDING)
    status = after(waiting, moves.Supersede("another release is requested")).status

    assert (status.history, status.canary) == (waiting.status.history, None)


def test_a_move_that_the_table_does_not_have_raises() -> None:
    """A wrong decision is a bug and is never written."""
    with pytest.raises(IllegalMoveError, match="from Verifying to Canary"):
        after(TRYING.rolling_back(State.VERIFYING), moves.EnterPhase(1))


def test_a_changed_plan_keeps_the_weight() -> None:
    """Whether the new plan would have had more or less by now."""
    plans = [{"name": "one", "weight": weight, "durationSeconds": 60} for weight in (1, 90)]
    at_25 = TRYING.in_phase(1).remembering(OLDEST)
    attempts = [after(at_25.planning(phases=[phase]), moves.Replan(0)).attempt for phase in plans]

    assert [(attempt.weight, attempt.phase_name, attempt.elapsed_seconds) for attempt in attempts] == [
        (25, "one", 0)
    ] * 2
