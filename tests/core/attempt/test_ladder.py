"""Which phases count: by the history at the beginning of an attempt, and by the attempt until its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State, When
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import Outcome
from agentrollouts.core.attempt.ladder import counted, in_force, ladder_of
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.history import kept
from testkit.builders.names import NEW, NEXT, OLD
from testkit.builders.rollouts import a_rollout

WEIGHTS = st.lists(st.integers(1, 100), min_size=1, max_size=8, unique=True)
ENDS = (
    (Outcome.HEALTHY, Reason.HEALTHY),
    (Outcome.ROLLED_BACK, Reason.GATE_FAILED),
    (Outcome.ROLLED_BACK, Reason.TIMED_OUT),
    (Outcome.ROLLED_BACK, Reason.SPEC_REVERTED),
    (Outcome.ROLLED_BACK, Reason.SHARED_CAUSE),
    (Outcome.SUPERSEDED, Reason.SUPERSEDED),
)


def a_plan(weights: list[int], extra: set[int], **spec: object) -> AgentRolloutSpec:
    """A plan with these weights, those of `extra` only after a rollback."""
    phases = [
        {
            "name": f"p{weight}",
            "weight": weight,
            "durationSeconds": 60,
            "when": When.AFTER_ROLLBACK if weight in extra else When.ALWAYS,
        }
        for weight in sorted(weights)
    ]
    return a_rollout(phases=phases, **spec).plan


@given(st.lists(st.sampled_from(ENDS), max_size=8))
def test_the_last_end_that_says_something_chooses(ends: list[tuple[Outcome, Reason]]) -> None:
    """All phases count if an attempt was rolled back for harm and none has become Healthy since."""
    builder = a_rollout()
    for outcome, reason in ends:
        builder = builder.remembering(NEW, outcome, reason)
    telling = [end for end in ends if end in ENDS[:3]]
    is_after = bool(telling) and telling[-1] != ENDS[0]

    assert ladder_of(builder.status) is (When.AFTER_ROLLBACK if is_after else When.ALWAYS)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("ladder", When)
def test_an_attempt_keeps_its_ladder_until_its_end(state: State, ladder: When) -> None:
    """Whatever the history says meanwhile; after the end the history decides again."""
    builder = a_rollout().serving(OLD).remembering(NEW, Outcome.ROLLED_BACK, Reason.GATE_FAILED)
    status = builder.trying(NEXT).changing(state=state, ladder=ladder).status
    is_over = state in {State.HEALTHY, State.ROLLED_BACK, State.SUPERSEDED}

    assert ladder_of(status) is (When.AFTER_ROLLBACK if is_over else ladder)


@given(WEIGHTS, st.data())
def test_only_the_phases_that_count_are_seen_and_hashed(weights: list[int], data: st.DataObject) -> None:
    """A plan is, for everything that reads it, the plan without the phases that do not count."""
    extra = data.draw(st.sets(st.sampled_from(weights), max_size=len(weights) - 1))
    plan, usual = a_plan(weights, extra), a_plan([w for w in weights if w not in extra], set())

    assert counted(plan, When.ALWAYS) == usual
    assert counted(plan, When.AFTER_ROLLBACK) is plan
    assert plan_hash(counted(plan, When.ALWAYS)) == plan_hash(usual)
    assert plan_hash(plan) == plan_hash(a_plan(weights, set()))
    assert (plan_hash(plan) == plan_hash(usual)) is (not extra)


def test_a_plan_whose_phases_always_count_is_the_same_object() -> None:
    """So that what is kept by identity, as a resolved plan, stays."""
    rollout = a_rollout().serving(OLD).build()

    assert in_force(rollout) is rollout


@given(st.integers(1, 10), st.integers(0, 12))
def test_the_end_that_chooses_is_kept(limit: int, later: int) -> None:
    """However many attempts were superseded since the rollback."""
    builder = a_rollout(historyLimit=limit).remembering(NEW, Outcome.ROLLED_BACK, Reason.GATE_FAILED)
    for _ in range(later):
        builder = builder.remembering(NEW, Outcome.SUPERSEDED, Reason.SUPERSEDED)
    history = kept(builder.status.history, builder.plan, ())

    assert ladder_of(builder.status.replace(history=history)) is When.AFTER_ROLLBACK
