"""When drills are due: once an interval, each rollout at its own place in it."""

from datetime import timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.recovery.drill import Drill, DrillOutcome, LastDrill
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.recovery.drill.plan import ON_REQUEST, is_due, next_time, place, plan_of
from testkit.builders.names import OLD, OLDEST, START, digest_of
from testkit.builders.rollouts import RolloutBuilder, a_rollout

DAY: Final = 86_400
MONTH: Final = 30 * DAY


def drilled(**drill: object) -> RolloutBuilder:
    """A rollout at rest with these fields of `spec.drill`."""
    return a_rollout(drill={"everySeconds": MONTH} | drill).asking_for(OLD).serving(OLD)


def of_uid(rollout: AgentRollout, uid: str) -> AgentRollout:
    """The same rollout under another identity."""
    return rollout.replace(metadata=rollout.metadata.replace(uid=uid))


A_DRILL: Final = LastDrill(time=START, target=OLDEST, digest=digest_of(OLDEST), outcome=DrillOutcome.PASSED)


@given(uid=st.uuids())
def test_the_first_drill_is_within_one_interval(uid: object) -> None:
    """It never comes at once for all rollouts that get `spec.drill` by one commit."""
    rollout = of_uid(drilled().build(), str(uid))
    due = next_time(rollout, rollout.status, START)

    assert due is not None
    assert START <= due <= START + timedelta(seconds=MONTH)
    assert due == (START + timedelta(seconds=MONTH) * place(str(uid))).replace(microsecond=0)


def test_ten_thousand_rollouts_are_spread_over_the_interval() -> None:
    """No tenth of the month has less than 900 or more than 1,100 of them."""
    tenths = [int(10 * place(f"uid-{index}")) for index in range(10_000)]
    counts = [tenths.count(tenth) for tenth in range(10)]

    assert (min(counts) > 900, max(counts) < 1_100, sum(counts)) == (True, True, 10_000), counts


@given(seconds=st.integers(0, 10 * MONTH), every=st.integers(600, MONTH))
def test_a_known_time_stays_until_a_drill_moves_it(seconds: int, every: int) -> None:
    """A decision that changes nothing writes nothing, however late a drill is; a shorter interval counts."""
    planned = START + timedelta(seconds=MONTH)
    rollout = drilled(everySeconds=every).having(next_drill_time=planned).build()
    now = START + timedelta(seconds=seconds)

    first = next_time(rollout, rollout.status, now)
    again = rollout.status.copy_with(next_drill_time=first)

    assert first == min(planned, now + timedelta(seconds=every))
    assert next_time(rollout, again, now + timedelta(seconds=60)) == first


def test_a_drill_moves_the_next_one_by_an_interval() -> None:
    """Also one that was requested long before it was due."""
    rollout = drilled().having(next_drill_time=START + timedelta(days=20)).build()
    after = rollout.status.copy_with(last_drill=A_DRILL)

    assert next_time(rollout, after, START) == START + timedelta(seconds=MONTH)


def test_without_a_plan_nothing_is_due() -> None:
    """A drill on request then has 1% for two minutes."""
    rollout = a_rollout().serving(OLD).having(next_drill_time=START).build()

    assert next_time(rollout, rollout.status, START) is None
    assert is_due(rollout.spec, rollout.status, START) is False
    assert plan_of(rollout.spec) == ON_REQUEST
    assert (ON_REQUEST.weight, ON_REQUEST.duration_seconds) == (1, 120)
    assert plan_of(drilled(weight=3).plan) == Drill(every_seconds=MONTH, weight=3)
