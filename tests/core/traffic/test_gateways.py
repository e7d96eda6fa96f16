"""Inputs: a route with what gateways report of it. Outputs: whether its weights are in effect, or why not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Manifest
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.rollback_target import begun_target
from agentrollouts.core.rollout.situation import assess
from agentrollouts.core.traffic.gateways import SILENCE, follow, names, read
from agentrollouts.simulation.cluster import accepted
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, ROUTE, THEIRS

TRYING: Final = a_rollout().serving(OLD).trying(NEW)
PARENT: Final = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}
STATUSLESS: Final = {"httpRoute": {"parentRefs": [{"name": "public"}], "statusless": True}}


def says(kind: str, status: str = "True", generation: int | None = 1, message: str = "") -> dict[str, Any]:
    """A condition of a parent."""
    said = {"type": kind, "status": status, "reason": "Because", "message": message}
    return said if generation is None else said | {"observedGeneration": generation}


GOOD: Final = (says("Accepted"), says("ResolvedRefs"))


def of(*conditions: Mapping[str, Any], **parent: object) -> dict[str, Any]:
    """What one controller reports on a parent."""
    return {"parentRef": PARENT | parent, "controllerName": "example.com/a", "conditions": list(conditions)}


def reported(*parents: Mapping[str, Any], builder: RolloutBuilder = TRYING) -> Observation:
    """A canary whose route has these reports."""
    traffic = shown(builder.build())
    key = THEIRS if builder.plan.traffic.route_patch else ROUTE
    route = {**traffic[key], "status": {"parents": list(parents)}}
    return an_observation(builder, traffic={**traffic, key: route})


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        ([of(*GOOD)], None),
        ([of(*GOOD, namespace="support")], None),
        ([of(*GOOD), of(says("Accepted", "False"), name="gone")], None),
        ([of(*GOOD), of(says("Ready", "False"))], None),
        ([of(*GOOD), of(says("Accepted", "False", 0))], None),
        ([of(*GOOD, says("PartiallyInvalid", "False"))], None),
        ([of(says("Accepted", "False"))], Reason.NOT_ACCEPTED),
        ([of(*GOOD), of(says("Accepted", "False"))], Reason.NOT_ACCEPTED),
        ([of(says("Accepted"), says("ResolvedRefs", "False"))], Reason.REFS_NOT_RESOLVED),
        ([of(*GOOD, says("PartiallyInvalid"))], Reason.PARTIALLY_INVALID),
        ([of(says("Accepted"))], Reason.APPLYING),
        ([of(says("ResolvedRefs"))], Reason.APPLYING),
        ([of(says("Accepted", "Unknown"), says("ResolvedRefs"))], Reason.APPLYING),
        ([of(says("Accepted", generation=0), says("ResolvedRefs"))], Reason.APPLYING),
        ([of(says("Accepted", generation=None), says("ResolvedRefs"))], Reason.APPLYING),
        ([of(says("Accepted", generation=2), says("ResolvedRefs", generation=2))], Reason.APPLYING),
        ([of(*GOOD, namespace="gateways")], Reason.APPLYING),
        ([of(*GOOD, sectionName="web")], Reason.APPLYING),
        ([of(*GOOD, port=443)], Reason.APPLYING),
        ([of(*GOOD, kind="Service", group="")], Reason.APPLYING),
        ([], Reason.APPLYING),
    ],
)
def test_each_parent_of_the_present_spec_counts_by_its_present_generation(
    parents: list[Mapping[str, Any]], expected: Reason | None
) -> None:
    """Stale parents, other controllers' conditions and reports on generation 0 say nothing."""
    problem = read(reported(*parents)).problem

    assert (problem and problem.reason) == expected


def test_all_parents_have_to_confirm() -> None:
    """One of two Gateways that knows nothing of the route keeps the weights from being in effect."""
    refs = [{"name": "public"}, {"name": "inner", "namespace": "mesh", "sectionName": "web", "port": 80}]
    both = a_rollout(traffic={"httpRoute": {"parentRefs": refs}}).serving(OLD).trying(NEW)
    inner = of(*GOOD, name="inner", namespace="mesh", sectionName="web", port=80)

    assert read(reported(of(*GOOD), inner, builder=both)).problem is None
    assert follow(both.build(), reported(of(*GOOD), inner, builder=both).traffic)
    assert read(reported(of(*GOOD), builder=both)).problem is not None
    assert not follow(both.build(), reported(of(*GOOD), builder=both).traffic)


def silent_for(seconds: float, builder: RolloutBuilder = TRYING, *parents: Mapping[str, Any]) -> Observation:
    """Weights that were written so long ago, and no report on them."""
    applying = Condition(
        type="TrafficApplied",
        status=ConditionStatus.FALSE,
        reason=Reason.APPLYING,
        message="",
        last_transition_time=START,
    )
    obs = reported(*parents, builder=builder.having(conditions=(applying,)))
    return replace(obs, now=START + timedelta(seconds=seconds))


def test_silence_is_a_missing_gateway_after_30_s() -> None:
    """The sentence names the parentRef and the namespace that is meant; somebody looks again in time."""
    early, late = silent_for(29.9), silent_for(30)

    assert (read(early).problem or late).reason is Reason.APPLYING  # type: ignore[union-attr] # a Problem
    assert decide(early).wake_at == START + SILENCE
    problem = read(late).problem
    assert problem is not None
    assert (problem.reason, read(late).until) == (Reason.NO_GATEWAY, None)
    assert problem.message == (
        "no gateway has reported on HTTPRoute support-agent, parentRef Gateway support/public; is it in "
        "namespace support (the parentRef names no namespace, so support is meant), and does it allow routes "
        "from namespace support? If it never writes the status of routes, set "
        "spec.traffic.httpRoute.statusless: true"
    )


@pytest.mark.parametrize("generation", [None, 0])
def test_reports_without_a_generation_are_named_with_the_way_out(generation: int | None) -> None:
    """They cannot confirm a weight, as one on an earlier route looks the same (linkerd/linkerd2#14964)."""
    said = (says("Accepted", generation=generation), says("ResolvedRefs", generation=generation))
    problem = read(silent_for(30, TRYING, of(*said))).problem
    assert problem is not None
    assert problem.reason is Reason.NO_GATEWAY
    assert problem.message == (
        "the gateway of HTTPRoute support-agent, Gateway support/public, reports Accepted and ResolvedRefs "
        "without observedGeneration, so its reports confirm no weights and count as if it wrote none. If it "
        "never writes the status of routes, set spec.traffic.httpRoute.statusless: true"
    )


def _conditions(status: AgentRolloutStatus) -> tuple[Condition, Condition]:
    """Ready and TrafficApplied."""
    by_type = {condition.type: condition for condition in status.conditions}
    return by_type["Ready"], by_type["TrafficApplied"]


def test_an_attempt_without_a_gateway_neither_advances_nor_claims_its_share() -> None:
    """Its clock stands, TrafficApplied is Unknown, and Ready says what it waits for."""
    decision = decide(silent_for(7200))
    assert decision.status is not None
    attempt = decision.status.attempt
    ready, traffic = _conditions(decision.status)

    assert attempt is not None
    assert (attempt.state, attempt.weight, attempt.clock_start_time) == (State.CANARY, 5, None)
    assert (traffic.status, traffic.reason) == (ConditionStatus.UNKNOWN, Reason.NO_GATEWAY)
    assert ready.message.startswith(f"{NEW} will get 5% in phase canary-5; no gateway has reported")


@pytest.mark.parametrize("parents", [[], [of(says("Accepted", "False"))], [of(says("Accepted"))]])
def test_a_rollback_does_not_wait_for_a_gateway(parents: list[Mapping[str, Any]]) -> None:
    """100/0 is written, and verified, whatever gateways say."""
    reverted = TRYING.asking_for(OLD)
    decision = decide(silent_for(7200, reverted, *parents))

    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.state is State.ROLLING_BACK
    assert {write.manifest["kind"] for write in decision.writes} == {"HTTPRoute", "ConfigMap"}
    written = decide(silent_for(7200, reverted.rolling_back(), *parents))
    assert written.status is not None
    assert written.status.attempt is not None
    assert written.status.attempt.state is State.VERIFYING


def test_at_rest_a_release_is_healthy_only_on_a_route_that_is_served() -> None:
    """With no gateway, Ready is False and does not say that the release serves all traffic."""
    decision = decide(silent_for(60, a_rollout().asking_for(OLD).serving(OLD)))
    assert decision.status is not None
    ready, _ = _conditions(decision.status)

    assert (ready.status, ready.reason) == (ConditionStatus.FALSE, Reason.NO_GATEWAY)
    assert "serves all traffic" not in ready.message


def test_a_gateway_that_never_writes_status_is_declared() -> None:
    """The weights then count as applied once they are written; what is reported anyway is believed."""
    declared = a_rollout(traffic=STATUSLESS).serving(OLD).trying(NEW)

    assert read(silent_for(7200, declared)).problem is None
    refused = read(reported(of(says("Accepted", "False", message="no")), builder=declared)).problem
    assert refused is not None
    assert refused.message == "the gateway does not accept HTTPRoute support-agent: Because: no"


PATCHING: Final = a_rollout(traffic=BY_PATCH).serving(OLD).trying(NEW)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Service support/web not found", None),
        (f"Service support/{service_of(NEXT)} not found", None),
        (f"Service support/{service_of(NEW)} not found", Reason.REFS_NOT_RESOLVED),
        (f"support/web and support/{service_of(NEW)} not found", Reason.REFS_NOT_RESOLVED),
        ("a backend was not found", Reason.REFS_NOT_RESOLVED),
    ],
)
def test_of_a_shared_route_only_the_rule_of_the_agent_counts(message: str, expected: Reason | None) -> None:
    """A Service of another rule, or at weight 0, is not our business; what names none may be about ours."""
    obs = an_observation(PATCHING)
    generation = obs.traffic[THEIRS]["metadata"]["generation"]
    said = of(says("Accepted", "True", generation), says("ResolvedRefs", "False", generation, message))
    problem = read(reported(said, builder=PATCHING)).problem

    assert (problem and problem.reason) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Service support/a-1 not found", True),
        ("Service a-1.", True),
        ("Service a-1/b not found", False),
        ("a-1", True),
        ("Service a-10 not found", False),
        ("Service x-a-1 not found", False),
        ("Service a-1-b not found", False),
        ('backend "a-1" is missing', True),
        ("a-1.support.svc.cluster.local", False),
    ],
)
def test_a_service_is_named_as_a_whole_word(text: str, *, expected: bool) -> None:
    """`a-1` is not named by a sentence about `a-10`."""
    assert names(text, "a-1") is expected


@given(st.recursive(st.none() | st.text(max_size=3) | st.integers(), st.lists, max_leaves=3), st.text())
def test_reading_is_total(message: object, text: str) -> None:
    """Whatever a gateway writes into a message, there is an answer."""
    said = of(*GOOD, says("Accepted", "False", message=message))  # type: ignore[arg-type] # what others write

    assert read(reported(said)).problem is not None
    assert names(text, "a") in {True, False}


def test_a_rollback_that_was_begun_at_rest_ends_where_the_route_already_is() -> None:
    """A restart between the two writes never moves the traffic on to a third release."""
    resting = a_rollout().asking_for(NEW).serving(OLDEST).remembering(OLD).remembering(NEW).serving(NEW)
    back = a_rollout().asking_for(NEW).serving(OLDEST)
    route: Manifest = accepted(shown(back.build())[ROUTE])
    obs = an_observation(resting, traffic={ROUTE: route}, endpoints={service_of(OLD): True})

    target = begun_target(assess(obs))

    assert target is not None
    assert target.release == OLDEST
