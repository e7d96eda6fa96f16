"""The first half of a decision: what takes traffic away is known before the rest is decided."""

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Problem
from agentrollouts.core.rollout.decide import decide, moved
from agentrollouts.core.states import TRANSITIONS
from agentrollouts.core.traffic.manifests import key_of
from testkit.builders.names import OLD
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import ROUTE

SERVING = (State.CANARY, State.HELD, State.AWAITING_APPROVAL, State.BAKING)
REFUSED = Problem(Reason.WRITE_REFUSED, "denied by a policy")


@pytest.mark.parametrize("state", SERVING)
def test_the_writes_of_a_rollback_are_first(state: State) -> None:
    """All of what the whole decision writes, and the route before all else."""
    canary = a_rollout().in_state(state)
    obs = an_observation(canary.asking_for(OLD), traffic=shown(canary.build()))

    first = moved(obs).first

    assert first == decide(obs).writes
    assert key_of(first[0].manifest) == ROUTE


@pytest.mark.parametrize("state", TRANSITIONS)
def test_only_what_takes_traffic_away_is_first(state: State) -> None:
    """What is lost is written in every state; what gives a canary traffic waits for the whole decision."""
    obs = an_observation(a_rollout().in_state(state), traffic={})

    assert decide(obs).writes
    assert bool(moved(obs).first) == (state in {State.ROLLING_BACK, State.VERIFYING})


def test_a_rollback_that_was_refused_waits_for_what_the_status_says_about_it() -> None:
    """Both are written at the same time then, as the write may hang again."""
    canary = a_rollout().in_state(State.CANARY)
    back = canary.having(**dict(decide(an_observation(canary.asking_for(OLD))).status or ())).asking_for(OLD)
    seen = shown(canary.build())

    assert moved(an_observation(back, traffic=seen)).first
    refused = an_observation(back, traffic=seen, traffic_problem=REFUSED)
    assert (moved(refused).first, decide(refused).is_blocked) == ((), True)
