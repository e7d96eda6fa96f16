"""Inputs: a rollback whose write was refused. Outputs: what the rollout says, and for how long."""

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Problem
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from testkit.builders.names import NEW, OLD
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH

REFUSED = Problem(Reason.FORBIDDEN, "Failed to apply HTTPRoute support/support-agent: denied by policy")


def said(decision: Decision) -> dict[str, tuple[str, str, str]]:
    """Status, reason and message of each condition."""
    assert decision.status is not None
    return {c.type: (c.status, c.reason, c.message) for c in decision.status.conditions}


@pytest.mark.parametrize("traffic", [{}, BY_PATCH, {"httpRoute": {"parentRefs": [{"name": "public"}]}}])
@pytest.mark.parametrize("reason", [Reason.FORBIDDEN, Reason.WRITE_REFUSED, Reason.WRITE_FAILED])
def test_a_refused_rollback_is_the_first_thing_that_is_said(
    traffic: dict[str, object], reason: Reason
) -> None:
    """Which share is where, and why; Stalled, one Warning, and counted by the metric."""
    trying = a_rollout(traffic=traffic).serving(OLD).trying(NEW).in_phase(1)
    problem = Problem(reason, REFUSED.message)
    back = trying.rolling_back()
    decision = decide(an_observation(back, traffic=shown(trying.build()), traffic_problem=problem))

    message = f"NOT ROLLED BACK: 25% still on {NEW}: {REFUSED.message}"
    conditions = said(decision)
    assert conditions["Ready"] == ("False", "NotRolledBack", message)
    assert conditions["Stalled"] == ("True", "NotRolledBack", message)
    assert conditions["Reconciling"][0] == "False"
    warnings = [event for event in decision.events if event.is_warning]
    assert [(event.reason, event.message) for event in warnings] == [(Reason.NOT_ROLLED_BACK, message)]
    assert decision.is_blocked

    assert decision.status is not None
    again = decide(
        an_observation(
            back.having(**dict(decision.status)), traffic=shown(trying.build()), traffic_problem=problem
        )
    )
    assert (again.status, again.events, again.is_blocked) == (None, (), True)
    assert again.writes != ()


@pytest.mark.parametrize(
    ("builder", "shows", "problem"),
    [
        (a_rollout().serving(OLD).trying(NEW).in_phase(1), None, REFUSED),
        (a_rollout().serving(OLD).trying(NEW).in_phase(1).rolling_back(), "canary", None),
        (a_rollout().serving(OLD).trying(NEW).in_phase(1).rolling_back(), "stable", REFUSED),
        (a_rollout().serving(OLD).trying(NEW).in_phase(1).rolling_back(State.VERIFYING), None, REFUSED),
    ],
    ids=["forward", "not refused", "rolled back", "verifying"],
)
def test_nothing_else_is_that_loud(
    builder: RolloutBuilder, shows: str | None, problem: Problem | None
) -> None:
    """A refused forward move, a rollback on its way, and one whose weights are written are not blocked."""
    forward = a_rollout().serving(OLD).trying(NEW).in_phase(1)
    seen = shown((forward if shows == "canary" else builder).build())
    assert not decide(an_observation(builder, traffic=seen, traffic_problem=problem)).is_blocked


def test_a_refused_return_is_as_loud() -> None:
    """Git went back to a healthy release, and the bad one keeps all traffic."""
    returning = a_rollout().remembering(OLD).serving(NEW).trying(OLD).baking().changing(weight=100)
    seen = shown(a_rollout().serving(NEW).build())
    conditions = said(
        decide(an_observation(returning.asking_for(OLD), traffic=seen, traffic_problem=REFUSED))
    )

    assert conditions["Ready"][1:] == (
        "NotRolledBack",
        f"NOT ROLLED BACK: 100% still on {NEW}: {REFUSED.message}",
    )
