"""Shared causes of histograms without a limit: stable's last minutes beside its own hours before the attempt.

Input: shares of runs above each bound, as history, segment and last minutes. Not faked: plan, reading, judge.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Baseline, Verdict
from agentrollouts.core.analysis.baseline import baselines
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.judge.facts import GateMemory, PlanPosition
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.metrics.queries import Term, plan_queries, tag
from agentrollouts.core.metrics.table import to_result
from agentrollouts.simulation.agents import Agent
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.gates import CANARY, SHOP, STABLE, a_gate, read_all
from testkit.world import World, a_world

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
AT = START + timedelta(seconds=3600)
OVER = PlanPosition(0, 1, time_over=True)
BUCKETS: dict[str, Any] = {"name": "slow", "source": {"buckets": "agent_run_duration_seconds_bucket"}}
BUCKETS |= {"type": "Histogram", "burstFactor": "1"}


LOOP = a_gate(name="loop", template="loop", burstFactor="1")
PLAN = plan_queries([LOOP], SHOP, counting_start=START, warmup_seconds=120)
RECENT = next(iter(LOOP.sources.recent))

BOUNDS = ("1", "2", "4", "8", "16", "32")
Shares = Sequence[float]
"""Of the runs above each bound."""

USUAL = (0.97, 0.6, 0.2, 0.05, 0.01, 0.0)
"""The bounds from 4 steps on count, above which 6.5% of the runs are on average."""
TWICE_AS_LONG = (1.0, 0.97, 0.6, 0.2, 0.05, 0.01)
"""Three times as many are above them."""


def buckets(shares: Shares, runs: float) -> dict[str, float]:
    """Runs up to each bound."""
    return {le: runs * (1 - share) for le, share in zip(BOUNDS, shares, strict=True)} | {"+Inf": runs}


def history(shares: Shares, runs: float) -> Baseline | None:
    """What is measured on stable before the attempt, in 240 minutes."""
    src = tag(PLAN, LOOP.sources.bad, Term.INCREASE)
    times = [START - timedelta(minutes=minute) for minute in range(240, 0, -1)]
    series = [
        ({"src": src, "le": le}, [(time, count / len(times)) for time in times])
        for le, count in buckets(shares, runs).items()
    ]
    return baselines(PLAN, [LOOP], series).get("loop")


def rows(source: Source, release: str, shares: Shares, runs: float) -> list[Any]:
    """What Prometheus answers about a source of buckets."""
    src = tag(PLAN, source, Term.INCREASE)
    return [({"src": src, "release": release, "le": le}, n) for le, n in buckets(shares, runs).items()]


def read(canary: Shares, stable: Shares, recently: Shares, runs: float = 5000) -> Reading:
    """Both releases in the segment, and stable in its last quarter of an hour."""
    total, answered = LOOP.sources.total, []
    for release, shares, share in ((CANARY, canary, 0.05), (STABLE, stable, 0.95)):
        answered += rows(total, release, shares, runs * share)
        answered += rows(RECENT, release, recently if release == STABLE else canary, runs * share / 4)
        watched = ((Term.COVERED, 1.0), (Term.NEWEST, AT.timestamp() - 3), (Term.SCRAPES, 40.0))
        answered += [({"src": tag(PLAN, total, term), "release": release}, value) for term, value in watched]
    answer = to_result(PLAN, AT, answered)
    (reading,) = read_all(PLAN, answer, [LOOP], now=AT, stale_after_seconds=120).values()
    assert isinstance(reading, Reading), reading
    return reading


def judged(reading: Reading, baseline: Baseline | None) -> Judgment:
    """At the end of the phase."""
    return judge(LOOP, reading, OVER, memory=GateMemory(baseline=baseline))


def mean(shares: Shares, of: Shares) -> float:
    """Share of the runs above a bound, on average over those that are above the ordinary run of `of`."""
    above = [share for share, usual in zip(shares, of, strict=True) if usual < 0.5]
    return sum(above) / max(1, len(above))


def near(number: float) -> object:
    """Up to what adding 240 minutes leaves."""
    return pytest.approx(number, rel=1e-6)


def test_stable_much_slower_than_before_is_a_shared_cause() -> None:
    """It is told of the lowest bound that counts, with the share now and before."""
    before = history(USUAL, 4000)

    judgment = judged(read(TWICE_AS_LONG, TWICE_AS_LONG, TWICE_AS_LONG), before)

    assert before is not None
    assert (before.bad, before.total, before.bound) == (near(260), near(4000), 4)
    assert (judgment.verdict, judgment.reason) == (Verdict.SHARED_CAUSE, Reason.SHARED_CAUSE)
    assert judgment.message == (
        "stable itself has 255.3 runs of more than 4 steps, averaged over this bound and the higher ones, in "
        "1,188 runs of the last 900 s (21%) and had 6.5% before the attempt, so the cause is not the canary"
    )


def test_a_canary_slower_than_a_slow_stable_is_rolled_back() -> None:
    """With a word about stable, since going back may not be enough."""
    slower = (1.0, 1.0, 0.97, 0.6, 0.2, 0.05)

    judgment = judged(read(slower, TWICE_AS_LONG, TWICE_AS_LONG), history(USUAL, 4000))

    assert judgment.verdict is Verdict.FAIL
    assert judgment.note == (
        "stable itself has 22% and had 6.5% before the attempt, so a rollback might not be enough"
    )


@pytest.mark.parametrize(
    ("recently", "runs", "before"),
    [
        (USUAL, 5000.0, 4000.0),
        (TWICE_AS_LONG, 5000.0, 0.0),  # no history
        (TWICE_AS_LONG, 5000.0, 10.0),  # too little of it
        (TWICE_AS_LONG, 60.0, 4000.0),  # three of fourteen runs
        (TWICE_AS_LONG, 300.0, 4000.0),  # surely more than before, and not surely twice as much
        ((1.0, 0.75, 0.32, 0.1, 0.03, 0.01), 500_000.0, 400_000.0),  # 1.8 times, beyond all doubt: the hour
        ((1.0, 0.99, 0.25, 0.06, 0.01, 0.0), 500_000.0, 400_000.0),  # nearly all above an ordinary bound
    ],
)
def test_what_is_no_shared_cause(recently: Shares, runs: float, before: float) -> None:
    """As before, or nothing to hold it against, or by chance, or by the time of day."""
    judgment = judged(read(USUAL, USUAL, recently, runs), history(USUAL, before))

    assert judgment.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE}


def test_a_histogram_below_its_bounds_is_settled_and_says_nothing() -> None:
    """Where every bound is below the ordinary run, none tells a slow run from another."""
    slow = (1.0, 1.0, 1.0, 0.9, 0.9, 0.8)
    before = history(slow, 4000)

    assert before is not None
    assert (before.bad, before.total, before.bound) == (0, near(4000), None)
    assert judged(read(slow, slow, (1.0,) * 6), before).verdict is Verdict.PASS


shares = st.lists(st.floats(0, 1), min_size=6, max_size=6).map(lambda drawn: tuple(sorted(drawn)[::-1]))


@given(shares, shares, shares, st.floats(1, 1e6), st.floats(1, 1e6))
def test_no_stable_that_at_most_doubled_is_a_shared_cause(
    canary: Shares, usual: Shares, recently: Shares, runs: float, before: float
) -> None:
    """Whatever the distributions, and however slow the canary is."""
    judgment = judged(read(canary, usual, recently, runs), history(usual, before))

    is_more = mean(recently, usual) > 2 * mean(usual, usual)
    assert is_more or judgment.verdict is not Verdict.SHARED_CAUSE


@given(shares, shares, st.floats(1, 1e6))
def test_without_history_it_is_judged_as_by_the_comparison_alone(
    canary: Shares, stable: Shares, runs: float
) -> None:
    """What stable was before is not guessed."""
    reading = read(canary, stable, stable, runs)
    alone = replace(reading, recent=None)

    assert replace(judged(reading, None), reading=alone) == judged(alone, None)


def slow(seconds: float) -> Agent:
    """Agents whose runs take so long in the median."""
    return Agent({}, seconds=seconds, spread=0.7)


def an_attempt() -> World:
    """`OLD` has served for hours, and `NEW`, which is as fast, has had 5% for some minutes."""
    world = a_world(a_rollout(gates=[BUCKETS]).asking_for(OLD).serving(OLD), OLD)
    world.remembers = True
    world.agents[OLD] = slow(4)
    world.run(5 * 3600)
    world.ship(NEW, slow(4))
    world.run(300)
    return world


def test_a_provider_that_slows_both_holds_and_rolls_nobody_back() -> None:
    """Neither forward nor back, and on by itself when stable has been as it was for long enough."""
    world = an_attempt()
    world.agents |= {OLD: slow(16), NEW: slow(16)}
    world.run_until(State.HELD, within=900)

    assert (len(world.told(Reason.SHARED_CAUSE)), world.route_weights) == (1, [5])
    assert "so the cause is not the canary" in world.status.gates[0].message
    world.run(7200)
    assert (world.state, world.route_weights) == (State.HELD, [5])
    world.agents |= {OLD: slow(4), NEW: slow(4)}
    world.run_until(State.HEALTHY)


def test_a_canary_that_is_slow_by_itself_is_taken_back() -> None:
    """Stable is as it was, so there is somewhere to go back to."""
    world = an_attempt()
    world.agents[NEW] = slow(16)
    world.run_until(State.ROLLED_BACK)

    assert world.route_weights == [5, 0]
    assert not world.told(Reason.SHARED_CAUSE)


def test_a_stable_that_is_as_it_was_holds_nobody() -> None:
    """What was measured before the attempt is frozen, and asked for no more."""
    world = an_attempt()
    baseline = world.status.gates[0].baseline
    assert world.current_poll is not None
    assert world.current_poll.history_before is None
    world.run_until(State.HEALTHY)

    assert not world.told(Reason.SHARED_CAUSE)
    assert baseline is not None
    assert baseline.bound == 5
    assert [gate.baseline for gate in world.status.gates] == [baseline]
