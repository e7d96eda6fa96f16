"""Inputs: looks at an attempt, one after the other. Outputs: the course that the status keeps of them."""

import math
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.record.course import MAX_COURSE, Look
from agentrollouts.api.verdict import GateStatus, Severity, Verdict
from agentrollouts.core.attempt.course import Course, changes_of_weight, joined, tenths, with_look
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, NEXT, OLD, START
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.properties import usually
from testkit.world import Behavior, a_world

RISING = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from([0, 0, 0, 1, 7]), st.integers(-99, 60)), max_size=500
)
"""Looks as seconds since the one before, rise of the weight, and evidence."""


def course_of(steps: list[tuple[int, int, int]]) -> tuple[list[Look], Course]:
    """All looks, and the course that is kept of them."""
    every, course = list[Look](), tuple[Look, ...]()
    seconds = weight = 0
    for pause, rise, evidence in steps:
        seconds, weight = seconds + pause, min(100, weight + rise)
        every.append(Look(seconds=seconds, weight=weight, evidence=(evidence,)))
        course = joined(course, every[-1])
    return every, course


@usually(200)
@given(RISING)
def test_a_course_is_bounded_in_order_and_keeps_every_change_of_the_weight(
    steps: list[tuple[int, int, int]],
) -> None:
    """However many looks there were: the newest is there, and the curve of the weight is whole."""
    every, course = course_of(steps)

    assert len(course) <= MAX_COURSE
    assert [look.seconds for look in course] == sorted(look.seconds for look in course)
    assert course[-1:] == tuple(every[-1:])
    weights = [look.weight for look in changes_of_weight(course)]
    assert weights == list(dict.fromkeys(look.weight for look in every))
    first = {look.weight: look.seconds for look in reversed(every)}
    assert [look.seconds for look in changes_of_weight(course)] == [first[weight] for weight in weights]


def test_a_course_thins_its_older_half() -> None:
    """The newer half is whole, and what is old has fewer looks, not none."""
    _, course = course_of([(10, 0, 0)] * (MAX_COURSE + 1))

    pauses = [b.seconds - a.seconds for a, b in pairwise(course)]
    assert pauses[len(pauses) // 2 :] == [10] * (len(pauses) - len(pauses) // 2)
    assert set(pauses[: len(pauses) // 3]) == {20}


def test_a_course_of_nothing_but_changes_is_bounded_too() -> None:
    """The operator never writes a weight that goes up and down, and a status is bounded all the same."""
    course: Course = ()
    for index in range(300):
        course = joined(course, Look(seconds=index, weight=index % 2))

    assert len(course) == MAX_COURSE


@pytest.mark.parametrize(
    ("evidence", "shown"),
    [
        (None, -99),
        (math.nan, -99),
        (0.0, -40),
        (-1.0, -40),
        (1e-9, -40),
        (1.0, 0),
        (100.0, 20),
        (774497349.0, 60),
        (math.inf, 60),
    ],
)
def test_evidence_is_tenths_of_a_power_of_ten(evidence: float | None, shown: int) -> None:
    """100 to 1 is 20; a gate without evidence has a number of its own."""
    assert tenths(evidence) == shown


def gate(name: str, evidence: float | None) -> GateStatus:
    """A gate with that evidence."""
    return GateStatus(
        name=name,
        verdict=Verdict.INCONCLUSIVE,
        reason="Inconclusive",
        severity=Severity.HIGH,
        evidence=evidence,
    )


TWO_GATES = [{"name": name, "template": "error-rate"} for name in ("first", "second")]
TRYING = a_rollout(gates=TWO_GATES).serving(OLD).trying(NEW)


def looked(before: RolloutBuilder, after: RolloutBuilder | None = None, seconds: int = 90) -> Course:
    """The course after a look, so many seconds after `START`."""
    after = after or before
    return with_look(before.status, after.status, after.plan, START + timedelta(seconds=seconds)).course


def test_evidence_is_in_the_order_of_the_plan() -> None:
    """Whatever order the status has, and with a place for a gate that is not in it yet."""
    assert looked(TRYING.having(gates=(gate("second", 10.0),))) == (
        Look(seconds=90, weight=5, evidence=(-99, 10)),
    )
    both = TRYING.having(gates=(gate("second", 10.0), gate("first", 1.0)))
    assert looked(both)[0].evidence == (0, 10)


def test_looks_of_one_second_are_one() -> None:
    """The last of them counts, unless the weight has changed."""
    first = TRYING.having(course=(Look(seconds=90, weight=5, evidence=(-99, -99)),))
    assert looked(first.having(gates=(gate("first", 100.0),))) == (
        Look(seconds=90, weight=5, evidence=(20, -99)),
    )
    assert [look.weight for look in looked(first.in_phase(1))] == [5, 25]


def test_a_clock_that_was_set_back_does_not_turn_the_course_back() -> None:
    """Seconds never fall."""
    first = TRYING.having(course=(Look(seconds=90, weight=5, evidence=(0, 0)),))
    assert [look.seconds for look in looked(first, seconds=-5)] == [90]


def test_the_decision_to_roll_back_is_the_last_look_at_the_gates() -> None:
    """Later the canary is not judged, so only the weight is news, with the evidence of that decision."""
    decided = looked(TRYING, TRYING.having(gates=(gate("first", 1000.0),)).rolling_back())
    assert [look.evidence for look in decided] == [(30, -99)]
    latched = TRYING.rolling_back().having(course=decided)
    assert looked(latched, seconds=120) == decided
    routed = latched.rolling_back(State.VERIFYING).having(weights={"stable": 100, "canary": 0})
    assert looked(latched, routed, seconds=120) == (
        *decided,
        Look(seconds=120, weight=0, evidence=(30, -99)),
    )


@pytest.mark.parametrize("state", [State.PENDING, State.HEALTHY, State.ROLLED_BACK, State.SUPERSEDED])
def test_nothing_is_looked_at_without_traffic(state: State) -> None:
    """Before and after an attempt the course stays as it is."""
    kept = (Look(seconds=1, weight=5, evidence=(0, 0)),)
    assert looked(TRYING.changing(state=state).having(course=kept)) == kept


def test_the_course_of_a_release_that_becomes_healthy() -> None:
    """Every weight is in it while the attempt is in progress, and at rest nothing is."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.run_until(State.BAKING)
    world.settle()
    weights = [look.weight for look in changes_of_weight(world.status.course)]
    assert [weight for weight in weights if weight] == world.route_weights
    world.run_until(State.HEALTHY)
    assert world.status.course == ()


def test_the_course_of_a_rollback_stays_until_the_next_attempt() -> None:
    """People look at it when all is over; the next attempt begins with a course of its own."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW, Behavior(failed=0.9))
    world.run_until(State.ROLLED_BACK)
    world.settle()
    course = world.status.course
    assert [course[0].weight, course[-1].weight] == [0, 0]
    assert max(max(look.evidence) for look in course) >= 20
    world.ship(NEXT)
    world.settle()
    assert max(look.seconds for look in world.status.course) <= 1


def test_a_change_of_the_plan_empties_the_course() -> None:
    """Evidence is not carried over to other gates."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.run(300)
    assert len(world.status.course) > 1
    world.edit(lambda rollout: rollout.planning(gates=TWO_GATES))
    world.settle()
    assert {len(look.evidence) for look in world.status.course} == {2}


@pytest.mark.parametrize("failed", [0.02, 0.2])
def test_the_course_adds_no_write(failed: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many statuses are written, as many of them as news, as without looks."""
    writes = []
    for is_kept in (True, False):
        if not is_kept:
            monkeypatch.setattr(
                "agentrollouts.core.rollout.conclude.with_look", lambda _before, status, *_: status
            )
        world = a_world(a_rollout().serving(OLD), OLD)
        world.ship(NEW, Behavior(failed=failed))
        world.run(3600)
        assert bool(world.status.course) is (is_kept and failed > 0.1)
        writes.append((world.status_writes, world.news))
    assert writes[0] == writes[1]


def test_a_stale_course_is_no_reason_to_write() -> None:
    """A status that says everything else already is not written."""
    world = a_world(a_rollout().serving(OLD).trying(NEW))
    world.run(125)
    observed = world.observe()
    assert (decide(observed).status, decide(observed).is_news) == (None, False)
