"""Inputs: a weight, a header with the bucket of the user. Outputs: which users get the canary."""

import re
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.core.states import LATCHED
from agentrollouts.core.traffic.buckets import BUCKETS, below
from agentrollouts.core.traffic.state import Routing
from testkit.builders.names import NEW, OLD, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import ROUTE
from testkit.world import Behavior, a_world

BY_BUCKET: Final[dict[str, Any]] = {
    "httpRoute": {"parentRefs": [{"name": "public"}], "bucketHeader": "x-user-bucket"}
}
AT_REST: Final = a_rollout(traffic=BY_BUCKET).serving(OLD)
STABLE, CANARY = service_of(OLD), service_of(NEW)


def chosen(weight: int) -> set[str]:
    """The buckets of the canary at a weight."""
    return {bucket for bucket in BUCKETS if re.search(below(weight), bucket)}


@given(st.integers(1, 98), st.data())
def test_a_larger_weight_adds_users_and_takes_none_away(weight: int, data: st.DataObject) -> None:
    """Exactly as many buckets as the weight says, and each set inside the next."""
    larger = data.draw(st.integers(weight + 1, 99))

    assert len(chosen(weight)) == weight
    assert len(chosen(larger)) == larger
    assert chosen(weight) < chosen(larger)


@pytest.mark.parametrize("value", ["", "5", "003", "0 3", "x03", "03x", "-3", "03,04"])
def test_what_is_not_a_bucket_gets_stable(value: str) -> None:
    """Only two digits name a bucket, also for a gateway that searches in the value."""
    assert re.search(below(99), value) is None


def rules(builder: RolloutBuilder) -> list[Any]:
    """Headers and weights of each rule of the route."""
    return [
        (
            [header for match in rule["matches"] for header in match.get("headers", ())],
            {ref["name"]: ref["weight"] for ref in rule["backendRefs"]},
        )
        for rule in shown(builder.build())[ROUTE]["spec"]["rules"]
    ]


def test_the_share_of_the_canary_is_a_rule_of_its_own() -> None:
    """Its buckets get the canary whatever the load; all others get stable."""
    header = {"type": "RegularExpression", "name": "x-user-bucket", "value": "^([0-1][0-9]|2[0-4])$"}

    assert rules(AT_REST.trying(NEW).in_phase(1)) == [
        ([header], {CANARY: 100}),
        ([], {STABLE: 100, CANARY: 0}),
    ]


@pytest.mark.parametrize(
    "builder",
    [
        AT_REST,
        AT_REST.trying(NEW).changing(state=State.BAKING, weight=100),
        *map(AT_REST.in_state, sorted(LATCHED)),
    ],
    ids=["at rest", "at 100%", *sorted(LATCHED)],
)
def test_without_two_shares_there_are_no_buckets(builder: RolloutBuilder) -> None:
    """After a rollback the rule is gone, and with it everything that a user could stick to."""
    [(headers, weights)] = rules(builder)

    assert (headers, sorted(weights.values())) in [([], [100]), ([], [0, 100])]


@pytest.mark.parametrize("index", [0, 1])
def test_the_share_is_the_number_of_buckets(index: int) -> None:
    """As a message about a refused rollback says it."""
    builder = AT_REST.trying(NEW).in_phase(index)
    attempt, canary = builder.status.attempt, builder.status.canary

    assert attempt is not None
    assert canary is not None
    assert Routing(an_observation(builder)).share(canary) == attempt.weight


@pytest.mark.parametrize(("failed", "end"), [(0.02, State.HEALTHY), (0.5, State.ROLLED_BACK)])
def test_a_whole_rollout_by_buckets(failed: float, end: State) -> None:
    """It ends as by weights, with one rule left."""
    world = a_world(AT_REST, OLD, NEW)
    world.agents[NEW] = Behavior(failed=failed)
    world.run_until(end)
    world.settle()

    assert world.route_weights[:1] == [5]
    assert world.shares() == {NEW if end is State.HEALTHY else OLD: 100}
    assert len(world.traffic[ROUTE]["spec"]["rules"]) == 1
