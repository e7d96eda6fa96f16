"""Inputs: a rollout in deletion that a finalizer keeps. Outputs: the decision about it."""

from datetime import timedelta

import pytest

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.effects import Deletion
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from testkit.builders.names import NEW, OLD, START, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, CONFIG, ROUTE

AT_REST = a_rollout().serving(OLD)
TRYING = AT_REST.trying(NEW).in_phase(1)


def ready(decision: Decision) -> tuple[str, str]:
    """Reason and message of `Ready`."""
    assert decision.status is not None
    condition = find_condition(decision.status.conditions, "Ready")
    assert condition is not None
    return condition.reason, condition.message


def attempt_of(decision: Decision) -> Attempt:
    """The attempt of the next status."""
    assert decision.status is not None
    assert decision.status.attempt is not None
    return decision.status.attempt


@pytest.mark.parametrize(
    "builder", [TRYING, TRYING.held_for(Reason.PAUSED), TRYING.baking(), TRYING.awaiting_approval()]
)
def test_the_first_visit_gives_stable_all_traffic(builder: RolloutBuilder) -> None:
    """One write, before the status; the release is not quarantined, and the condition says Terminating."""
    going = builder.in_deletion()
    decision = decide(an_observation(going, traffic=shown(builder.build())))

    route = next(write.manifest for write in decision.writes if write.manifest["kind"] == "HTTPRoute")
    weights = {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][0]["backendRefs"]}
    assert weights == {service_of(OLD): 100, service_of(NEW): 0}
    assert attempt_of(decision).state is State.ROLLING_BACK
    assert decision.status is not None
    assert decision.status.quarantined == ()
    reason, message = ready(decision)
    assert reason == "Terminating"
    assert "waits for finalizer example.com/audit" in message


def test_nothing_begins_and_nothing_is_written_at_rest() -> None:
    """A release that is desired is not tried; stable keeps all traffic."""
    going = AT_REST.asking_for(NEW).in_deletion()
    first = decide(an_observation(going))
    assert first.status is not None
    again = decide(an_observation(going.having(**dict(first.status))))

    assert (first.writes, first.status.attempt, ready(first)[0]) == ((), None, "Terminating")
    assert (again.writes, again.status) == ((), None)


def test_a_pending_attempt_ends() -> None:
    """It never had traffic."""
    going = a_rollout().in_state(State.PENDING).in_deletion()
    assert attempt_of(decide(an_observation(going))).state is State.SUPERSEDED


def test_a_rollback_on_request_is_obeyed() -> None:
    """Stable itself is rolled back though its rollout is being deleted."""
    builder = a_rollout().serving(NEW).remembering(OLD).serving(NEW).asking_for(NEW)
    ended = builder.trying(NEW).changing(state=State.HEALTHY, number=7).having(canary=None)
    going = ended.in_deletion().requesting(ActionType.ROLL_BACK, 7, release=NEW)
    decision = decide(an_observation(going, traffic=shown(ended.build())))

    assert (attempt_of(decision).state, attempt_of(decision).trigger) == (State.ROLLING_BACK, "Action")


def test_without_stable_the_first_release_is_held() -> None:
    """There is nothing to roll back to, and it is not promoted."""
    going = a_rollout().in_state(State.INITIAL).in_deletion()
    attempt = attempt_of(decide(an_observation(going)))
    assert (attempt.state, attempt.hold and attempt.hold.reason) == (State.HELD, "Terminating")


def test_a_return_to_a_healthy_release_is_not_reverted() -> None:
    """What it would roll back to is what was left on purpose."""
    back = a_rollout().remembering(NEW).serving(OLD).trying(NEW).baking().changing(weight=100)
    decision = decide(an_observation(back.in_deletion(), now=START + timedelta(seconds=1)))
    assert attempt_of(decision).state is State.BAKING
    assert attempt_of(decision).weight == 100


def test_what_the_garbage_collector_deletes_is_not_made_again() -> None:
    """In a foreground deletion, objects that are there get their weights, and those that are gone stay so."""
    going = TRYING.in_deletion("foregroundDeletion")
    seen = {key: manifest for key, manifest in shown(TRYING.build()).items() if key == CONFIG}
    decision = decide(an_observation(going, traffic=seen))

    kinds = [(write.manifest["kind"], write.manifest["metadata"]["name"]) for write in decision.writes]
    assert CONFIG in kinds
    config = next(write.manifest for write in decision.writes if write.manifest["kind"] == "ConfigMap")
    assert config["metadata"]["uid"] == seen[CONFIG]["metadata"]["uid"]
    assert ROUTE not in kinds
    assert not [write for write in decision.writes if isinstance(write, Deletion)]


def test_a_rule_is_left_to_the_rollout_that_stays() -> None:
    """At rest, nothing is written into a rule that another rollout names."""
    resting = a_rollout(traffic=BY_PATCH).serving(OLD).asking_for(OLD)
    wrong = shown(resting.trying(NEW).in_phase(1).build())
    taken = an_observation(resting.in_deletion(), traffic=wrong, rule_taken_by="successor")
    free = an_observation(resting.in_deletion(), traffic=wrong)

    patched = [[w for w in decide(obs).writes if w.manifest["kind"] == "HTTPRoute"] for obs in (taken, free)]
    assert [len(patches) for patches in patched] == [0, 1]
