"""The end of a decision: conditions always whole, writes only where something is new, one question."""

from datetime import timedelta

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import ConditionStatus, ObjectMeta
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Problem, Write
from agentrollouts.core.gates.reading import Unreadable
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.states import ENDS
from agentrollouts.core.traffic.manifests import key_of
from testkit.builders.names import NEW, OLD, START, UID, snapshot_of
from testkit.builders.observations import an_observation, owned_snapshots
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.invariants import CONDITIONS, check

UNDER_WAY = [state for state in State if state not in ENDS]


def decided(obs: Observation) -> AgentRolloutStatus:
    """The status after a decision, written or not."""
    return decide(obs).status or obs.status


def conditions(obs: Observation) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition."""
    return {
        condition.type: (condition.status.value, condition.reason) for condition in decided(obs).conditions
    }


@pytest.mark.parametrize("state", UNDER_WAY)
def test_every_state_has_all_conditions(state: State) -> None:
    """Six of them, with words that we know, at every visit; the decision breaks no invariant."""
    obs = an_observation(a_rollout().in_state(state))
    check(obs, decide(obs))

    assert tuple(conditions(obs)) == CONDITIONS


def test_the_conditions_of_a_rollout_at_rest() -> None:
    """What `kubectl wait` and kstatus look at."""
    assert conditions(an_observation(a_rollout().asking_for(OLD).serving(OLD))) == {
        "Ready": ("True", "Healthy"),
        "Reconciling": ("False", "Settled"),
        "Stalled": ("False", "NotStalled"),
        "TrafficApplied": ("True", "Applied"),
        "MetricsAvailable": ("Unknown", "NotNeeded"),
        "RollbackReady": ("Unknown", "NothingEarlier"),
    }


def test_the_conditions_of_a_canary_whose_route_cannot_be_written() -> None:
    """The problem is named where it is."""
    problem = Problem(Reason.GATEWAY_API_MISSING, "the cluster has no HTTPRoute kind")

    assert conditions(
        an_observation(a_rollout().in_state(State.CANARY), traffic={}, traffic_problem=problem)
    ) == {
        "Ready": ("False", "Canary"),
        "Reconciling": ("True", "Progressing"),
        "Stalled": ("False", "NotStalled"),
        "TrafficApplied": ("False", "GatewayAPIMissing"),
        "MetricsAvailable": ("Unknown", "NotYetAsked"),
        "RollbackReady": ("True", "RecoveryIncomplete"),
    }


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    """Another message or reason is no transition."""
    first = a_rollout().serving(OLD).trying(NEW)
    reported = first.having(conditions=decided(an_observation(first)).conditions)
    later = START + timedelta(seconds=30)
    held = decided(an_observation(reported.planning(paused=True), now=later))

    assert {condition.type: condition.last_transition_time for condition in held.conditions} == dict.fromkeys(
        CONDITIONS, START
    )
    assert held.conditions[0].reason == "Held"


def test_a_word_of_a_newer_version_is_survived() -> None:
    """A status is read again after a downgrade."""
    builder = a_rollout().serving(OLD).trying(NEW)
    reported = decided(an_observation(builder)).conditions
    strange = reported[4].replace(status=ConditionStatus.FALSE, reason="NotInventedYet")

    assert conditions(an_observation(builder.having(conditions=(*reported[:4], strange))))[
        "MetricsAvailable"
    ] == (
        "False",
        "NotYetAsked",
    )


def settled(builder: RolloutBuilder) -> RolloutBuilder:
    """The rollout after a decision that was written."""
    return builder.having(**dict(decided(an_observation(builder))))


@pytest.mark.parametrize(
    "builder", [a_rollout().asking_for(OLD).serving(OLD), a_rollout().in_state(State.CANARY)]
)
def test_what_the_status_says_already_is_not_written(builder: RolloutBuilder) -> None:
    """A second look changes nothing."""
    assert decide(an_observation(settled(builder))).status is None


def test_a_new_generation_is_acknowledged() -> None:
    """One write, so that `observedGeneration` tells clients that the edit was seen."""
    edited = settled(a_rollout().asking_for(OLD).serving(OLD)).planning(historyLimit=3)

    assert decided(an_observation(edited)).observed_generation == edited.generation


def test_the_question_is_about_the_present_segment() -> None:
    """From the counting start on, on the plan's interval; the history is asked until the attempt began."""
    poll = decide(an_observation(a_rollout().serving(OLD).trying(NEW))).poll

    assert poll is not None
    assert (poll.plan.counting_start, poll.plan.subject.releases) == (START, (NEW, OLD))
    assert (poll.source, poll.interval_seconds, poll.history_before) == ("default", 30, START)


@pytest.mark.parametrize("state", [State.PENDING])
def test_nothing_is_asked_where_nothing_is_judged(state: State) -> None:
    """Prometheus is left alone."""
    assert decide(an_observation(a_rollout().in_state(state))).poll is None


def test_an_answer_to_another_question_is_none() -> None:
    """Counts of an earlier segment, or of another plan, judge nothing."""
    obs = an_observation(a_rollout().serving(OLD).trying(NEW))
    poll = decide(obs).poll
    assert poll is not None
    earlier = a_rollout().serving(OLD).trying(NEW).changing(counting_start_time=START - timedelta(1))
    other = decide(an_observation(earlier)).poll
    assert other is not None
    poll_result = [
        PollResult(plan=plan, result=Unreadable("Prometheus answered 503"))
        for plan in (poll.plan, other.plan)
    ]
    gates = [
        decided(an_observation(a_rollout().serving(OLD).trying(NEW), poll_result=result)).gates
        for result in poll_result
    ]

    assert [[gate.verdict.value for gate in statuses] for statuses in gates] == [["Error"], []]


def test_every_snapshot_that_may_be_served_again_gets_the_rollout_as_owner() -> None:
    """Stable, canary and what was healthy; one that is gone, or owned, needs no write."""
    builder = a_rollout().serving(OLD).trying(NEW)
    theirs = owned_snapshots([OLD, NEW], uid="uid-of-its-release")
    missing: dict[str, ObjectMeta] = {}
    owned = [
        [
            key_of(write.manifest)[1]
            for write in decide(an_observation(builder, snapshots=snapshots)).writes
            if isinstance(write, Write) and write.manager == f"agentrollouts-owner-{UID}"
        ]
        for snapshots in (theirs, owned_snapshots([OLD, NEW]), missing)
    ]

    assert owned == [[snapshot_of(OLD), snapshot_of(NEW)], [], []]


def test_the_way_back_is_in_the_same_decision_as_its_reason() -> None:
    """The route first, then the ConfigMap, then the status: nothing waits for another look."""
    obs = an_observation(a_rollout().serving(OLD).trying(NEW).asking_for(OLD))
    decision = decide(obs)

    assert [write.manifest["kind"] for write in decision.writes] == ["HTTPRoute", "ConfigMap"]
    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.state is State.ROLLING_BACK


def test_forward_the_status_is_first() -> None:
    """Beginning writes the intent; the weights follow from what is persisted."""
    decision = decide(an_observation(a_rollout().serving(OLD)))

    assert [key_of(write.manifest) for write in decision.writes] == [("ConfigMap", snapshot_of(NEW))]
    assert decision.status is not None
    assert decision.status.attempt is not None
    assert (decision.status.attempt.weight, decision.status.weights) == (
        5,
        a_rollout().serving(OLD).status.weights,
    )
