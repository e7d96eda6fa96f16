"""What other agents serve, and what releases require: what waits, what is reported, what is preferred."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import Outcome
from agentrollouts.core.conditions import REQUIREMENT_UNMET, find_condition
from agentrollouts.core.effects import Manifest
from agentrollouts.core.recovery.group.requirements import (
    OVERLAP,
    Other,
    Others,
    Served,
    broken,
    misfit,
    other_of,
    unmet,
)
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from testkit.builders.names import AGENT, NEW, OLD, OLDEST, START
from testkit.builders.observations import an_observation
from testkit.builders.releases import a_record
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.requirements import BILLING, RANGE, a_requirement, billing, requiring, served

TOO_NEW = billing(served("3.0.0"))
EXCLUDING = billing(served("2.1.0", a_requirement(">=4.3.0", AGENT)))
"""The billing agent that serves works with no release of the support agent that the tests have."""
UNMET = (
    f"{NEW} requires billing-agent {RANGE}, but billing-agent-3.0.0 serves with version 3.0.0; ship a "
    f"billing-agent that {NEW} accepts, or a release whose range includes 3.0.0; {OVERLAP}"
)
NOBODY = (
    f"{NEW} requires billing-agent {RANGE}, but no AgentRollout in this namespace ships billing-agent; "
    "create one, or ship a release that does not require it"
)
BREAKS = (
    f"{NEW} has version 4.2.0, but billing-agent-2.1.0 (version 2.1.0 of billing-agent) requires {AGENT} "
    f">=4.3.0; first ship a billing-agent whose range includes 4.2.0; {OVERLAP}"
)


def ready(decision: Decision, obs: Observation) -> tuple[str, str, str]:
    """Status, reason and message of Ready."""
    found = find_condition((decision.status or obs.status).conditions, "Ready")
    assert found is not None
    return found.status, found.reason, found.message


def pending(others: Others | None, **fields: Any) -> Observation:  # noqa: ANN401 any field
    """`NEW`, which requires the billing agent, is about to replace `OLD`."""
    usual = {"release": requiring(NEW), "endpoints_ready": True, "others": others}
    return an_observation(a_rollout().serving(OLD).asking_for(NEW), **usual | fields)


@pytest.mark.parametrize(
    ("others", "reason", "message"),
    [
        (
            (),
            Reason.REQUIREMENT_UNMET,
            NOBODY,
        ),
        (TOO_NEW, Reason.REQUIREMENT_UNMET, UNMET),
        (billing(served("2.1.0"), served("3.0.0")), Reason.REQUIREMENT_UNMET, UNMET),
        (EXCLUDING, Reason.BREAKS_DEPENDENT, BREAKS),
        (
            billing(served("2.0.0"), served("2.1.0", a_requirement(">=4.3.0", AGENT), has_share=False)),
            Reason.BREAKS_DEPENDENT,
            BREAKS,
        ),
    ],
)
def test_an_attempt_that_does_not_fit_stays_pending(others: Others, reason: Reason, message: str) -> None:
    """The message names both sides, both versions and what helps, and one Warning Event has it."""
    obs = pending(others)
    decision = decide(obs)

    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.state is State.PENDING
    assert ready(decision, obs) == ("False", reason, message)
    assert [event.message for event in decision.events if event.is_warning] == [message]
    assert decision.wake_at is None


@pytest.mark.parametrize(
    "others",
    [
        BILLING,
        billing(),
        billing(served("2.1.0"), served("3.0.0", has_share=False)),
        billing(served("2.1.0", a_requirement(">=4.0.0,<5.0.0", AGENT))),
        (*BILLING, *(replace(each, agent="faq-agent", rollout="faq") for each in TOO_NEW)),
        None,
    ],
)
def test_an_attempt_that_fits_both_ways_begins(others: Others | None) -> None:
    """A canary without a share, and an agent that nothing serves yet, keep no one waiting."""
    status = decide(pending(others)).status

    assert status is not None
    assert status.canary is not None
    assert status.canary.requires == (a_requirement(),)


def test_two_agents_that_exclude_each_other_both_wait() -> None:
    """Each of two new releases requires the other: neither begins, and both messages say why."""
    obs = pending(billing(served("1.0.0")))

    assert OVERLAP in ready(decide(obs), obs)[2]


@pytest.mark.parametrize(
    ("others", "reason"), [(TOO_NEW, Reason.REQUIREMENT_UNMET), (EXCLUDING, Reason.BREAKS_DEPENDENT)]
)
def test_an_attempt_in_progress_is_held_and_resumes(others: Others, reason: Reason) -> None:
    """What another agent comes to serve holds the canary until it fits again."""
    phase = {"name": "canary-5", "weight": 5, "durationSeconds": 600, "approval": "Required"}
    trying = a_rollout(gates=[], phases=[phase]).serving(OLD).trying(NEW)
    trying = trying.having(canary=a_record(NEW, requires=(a_requirement(),)))
    held = decide(an_observation(trying, others=others)).status
    assert held is not None
    assert held.attempt is not None
    assert held.attempt.hold is not None
    assert (held.attempt.state, held.attempt.hold.reason) == (State.HELD, reason)
    assert held.attempt.hold.until is None

    again = decide(an_observation(trying.having(**dict(held)), others=BILLING)).status
    assert again is not None
    assert again.attempt is not None
    assert (again.attempt.state, again.attempt.hold) == (State.CANARY, None)


def returning() -> RolloutBuilder:
    """Git names `OLD` again, which requires the billing agent; `NEW` serves."""
    builder = a_rollout().asking_for(OLD).serving(OLD).serving(NEW)
    history = tuple(
        entry.copy_with(requires=(a_requirement(),)) if entry.release == OLD else entry
        for entry in builder.status.history
    )
    return builder.having(history=history)


@pytest.mark.parametrize("others", [(), TOO_NEW, EXCLUDING])
def test_a_return_never_waits(others: Others) -> None:
    """A Git revert to a healthy release begins, and goes on, whatever other agents serve."""
    begun = decide(an_observation(returning(), others=others, endpoints_ready=True)).status

    assert begun is not None
    assert begun.attempt is not None
    assert (begun.attempt.state, begun.attempt.weight) == (State.BAKING, 100)
    later = decide(an_observation(returning().having(**dict(begun)), others=others)).status
    assert later is None or later.attempt is None or later.attempt.state is not State.HELD


@pytest.mark.parametrize("others", [(), TOO_NEW, EXCLUDING])
def test_a_rollback_of_an_attempt_never_waits(others: Others) -> None:
    """What a person rolls back is rolled back to a stable release that fits nothing."""
    trying = a_rollout().serving(OLD).trying(NEW)
    trying = trying.having(stable=a_record(OLD, requires=(a_requirement(),)))
    status = decide(
        an_observation(trying.requesting(ActionType.ROLL_BACK, 2, release=NEW), others=others)
    ).status
    assert status is not None
    assert status.attempt is not None
    assert status.attempt.state is State.ROLLING_BACK


def at_rest(others: Others, **requires: str) -> Observation:
    """Someone found `NEW` bad at rest; what it could be rolled back to requires these versions."""
    builder = a_rollout().asking_for(NEW).serving(OLDEST).serving(OLD).serving(NEW).trying(NEW)
    history = tuple(
        entry.copy_with(requires=(a_requirement(requires[entry.release]),))
        if entry.release in requires
        else entry
        for entry in builder.status.history
    )
    builder = builder.changing(state=State.HEALTHY, number=3).having(canary=None, history=history)
    return an_observation(builder.requesting(ActionType.ROLL_BACK, 3, release=NEW), others=others)


@pytest.mark.parametrize(
    ("requires", "target"),
    [
        ({}, OLD),
        ({OLD: ">=3.0.0"}, OLDEST),
        ({OLD: ">=3.0.0", OLDEST: ">=3.0.0"}, OLD),
        ({OLDEST: ">=3.0.0"}, OLD),
    ],
)
def test_stable_is_rolled_back_to_the_newest_that_fits_or_to_the_newest(
    requires: dict[str, str], target: str
) -> None:
    """A target that fits is preferred; if none fits, the newest healthy release takes over at once."""
    status = decide(at_rest(BILLING, **requires)).status

    assert status is not None
    assert status.stable is not None
    assert status.stable.release == target


def test_a_target_that_another_agent_excludes_comes_last() -> None:
    """Both directions count for the choice of a target."""
    others = billing(served("2.1.0", a_requirement("!=4.1.0", AGENT)))
    status = decide(at_rest(others)).status

    assert status is not None
    assert status.stable is not None
    assert status.stable.release == OLDEST


def test_at_rest_an_unmet_requirement_is_reported_once_and_nothing_moves() -> None:
    """Ready stays True and says so, a condition exists while it lasts, and one Warning Event is sent."""
    requires = (a_requirement(),)
    builder = a_rollout().asking_for(NEW).serving(OLD).serving(NEW)
    builder = builder.having(stable=a_record(NEW, requires=requires, healthy_time=START))
    obs = an_observation(builder, others=TOO_NEW)
    decision = decide(obs)
    assert decision.status is not None

    assert ready(decision, obs) == ("True", Reason.HEALTHY, f"{NEW} serves all traffic. {UNMET}")
    warning = find_condition(decision.status.conditions, REQUIREMENT_UNMET)
    assert warning is not None
    assert (warning.status, warning.reason, warning.message) == ("True", Reason.REQUIREMENT_UNMET, UNMET)
    assert [(event.reason, event.message) for event in decision.events] == [(Reason.REQUIREMENT_UNMET, UNMET)]
    assert [decision.status.stable, decision.status.attempt] == [obs.status.stable, obs.status.attempt]

    settled = an_observation(builder.having(**dict(decision.status)), others=TOO_NEW)
    again = decide(settled)
    assert (again.status, again.events) == (None, ())
    met = decide(replace(settled, others=BILLING))
    assert met.status is not None
    assert find_condition(met.status.conditions, REQUIREMENT_UNMET) is None


def test_the_ranges_are_in_the_history_of_what_was_healthy() -> None:
    """They outlive the AgentRelease, and a rollout that is created again finds them on the snapshot."""
    record = a_record(NEW, requires=(a_requirement(),))
    builder = a_rollout().asking_for(NEW).serving(OLD).trying(NEW).baking().having(canary=record)
    entry = builder.remembering(NEW).status.history[0].copy_with(requires=record.requires)
    assert entry.record == record
    known = builder.having(stable=record.copy_with(healthy_time=START), canary=None, history=(entry,))
    obs = an_observation(known)
    recalled = decide(an_observation(a_rollout().asking_for(NEW), snapshots=obs.snapshots)).status
    assert recalled is not None
    assert recalled.stable is not None
    assert recalled.stable.requires == record.requires
    assert [each.requires for each in recalled.history if each.outcome is Outcome.HEALTHY] == [
        record.requires
    ]


VERSIONS = st.sampled_from(["1.0.0", "2.0.0", "2.1.0", "3.0.0", "3.0.0-rc.1"])
RANGES = st.sampled_from([">=2.0.0", "<3.0.0", ">=2.0.0,<3.0.0", "*", "!=2.1.0", "banana"])
REQUIREMENTS = st.lists(
    st.builds(a_requirement, RANGES, st.sampled_from([AGENT, "billing-agent", "faq-agent"])), max_size=2
).map(tuple)
OTHERS = st.lists(
    st.builds(
        Other,
        st.sampled_from(["billing-agent", "faq-agent"]),
        st.sampled_from(["a", "b"]),
        st.lists(st.builds(Served, st.just("r"), VERSIONS, st.booleans(), REQUIREMENTS), max_size=2).map(
            tuple
        ),
    ),
    max_size=3,
).map(tuple)


@given(version=VERSIONS, requires=REQUIREMENTS, others=OTHERS)
def test_a_release_fits_exactly_if_every_pair_fits(
    version: str, requires: tuple[Any, ...], others: Others
) -> None:
    """Compared with a look at every pair; the order of the other rollouts does not matter."""
    from agentrollouts.api.model.versions import fits  # noqa: PLC0415 the oracle of this test alone

    record = a_record(NEW, version=version, requires=requires)
    mine = all(
        any(other.agent == each.agent for other in others)
        and all(
            fits(one.version, each.versions)
            for other in others
            if other.agent == each.agent
            for one in other.served
            if one.has_share
        )
        for each in requires
    )
    theirs = all(
        fits(version, each.versions)
        for other in others
        for one in other.served
        for each in one.requires
        if each.agent == AGENT
    )
    for some in (others, tuple(reversed(others))):
        assert (unmet(record, some) is None, broken(record, AGENT, some) is None) == (mine, theirs)
        problem = misfit(record, AGENT, some)
        expected = None if mine and theirs else Reason.BREAKS_DEPENDENT if mine else Reason.REQUIREMENT_UNMET
        assert (problem and problem.reason) == expected


def test_a_rollout_is_read_as_the_api_server_returns_it() -> None:
    """Stable counts, and the canary once it has a share; what cannot be read requires nothing."""
    rollout = a_rollout().serving(OLD).trying(NEW).having(canary=a_record(NEW, requires=(a_requirement(),)))
    manifest: Manifest = rollout.build().to_json()
    other = other_of(manifest)

    assert other == Other(
        AGENT,
        AGENT,
        (Served(OLD, "4.1.0", True), Served(NEW, "4.2.0", True, (a_requirement(),))),  # noqa: FBT003
    )
    manifest["status"]["attempt"]["weight"] = manifest["status"]["weights"]["canary"] = 0
    manifest["status"]["canary"]["requires"] = [{"agent": 5}]
    assert other_of(manifest).served[1] == Served(NEW, "4.2.0", False)  # noqa: FBT003
    assert other_of({"metadata": {"name": "x"}, "spec": None}) == Other("", "x")
