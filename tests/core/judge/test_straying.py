"""Runs that do not follow the weight: lost, hung or routed another way, by whatever is counted by release."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.gates import NoDataPolicy
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.analysis.gate_status import memory_of, to_status
from agentrollouts.core.gates.counts import Expected, Segment, Started
from agentrollouts.core.gates.reading import Absence, NoData, Reading
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.judge.straying import stray
from agentrollouts.core.metrics.absences import run_seconds
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.metrics.queries import Term, plan_queries, tag
from agentrollouts.core.metrics.table import QueryResult, Row, Table
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from testkit.gates import CANARY, SHOP, STABLE, a_gate
from tests.core.analysis.test_canary import RUNS, START, after, observed, rollout, state_of

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
BEGUN = "agent_runs_started_total"
ERRORS, CALLS = a_gate(template="error-rate"), a_gate(template="tool-errors")
OWN = a_gate(source={"bad": "jobs_lost_total", "total": "jobs_total"})
AT_5 = PlanPosition(0, 3, time_over=True, weight=5)
STRAY = GateMemory(since=Streaks(stray=NOW - timedelta(seconds=120)))
MISMATCH, UNDECIDED = Verdict.TRAFFIC_MISMATCH, Verdict.INCONCLUSIVE


def explain_traffic(counts: Segment, expected: Expected, **fields: Any) -> str:  # noqa: ANN401 arguments of `stray`
    """What is said of the traffic of a gate that counts runs."""
    mismatch = stray(fields.get("gate", ERRORS), counts, expected, is_only=True)
    return mismatch.message if mismatch else ""


@pytest.mark.parametrize(
    ("canary", "stable", "others_count", "expected"),
    [
        (0, 2000, False, True),  # 100 were to be expected
        (8, 2000, False, True),  # a tenth of it
        (50, 2000, False, False),  # half as many may be a habit of the release
        (0, 2000, True, False),  # runs are counted elsewhere, and follow the weight
        (0, 40, False, False),  # two were to be expected
        (1500, 2000, False, True),  # nine times its share
    ],
)
@pytest.mark.parametrize("gate", [OWN, CALLS])
def test_what_need_not_be_runs_tells_of_traffic_only_in_the_extreme(
    gate: Any,  # noqa: ANN401 a resolved gate
    canary: float,
    stable: float,
    others_count: bool,  # noqa: FBT001 a parameter of the test
    expected: bool,  # noqa: FBT001 likewise
) -> None:
    """Where nothing counts runs, a fifth of the share or five times as much is no habit of the release."""
    counted = Reading(Segment(0, canary, 5, stable), (), NOW)
    course = replace(AT_5, counts_runs=others_count)

    verdict = judge(gate, counted, course, memory=STRAY).verdict

    assert (verdict is MISMATCH) is expected


def test_all_traffic_for_the_canary_is_a_mismatch_at_any_weight() -> None:
    """At 40% it cannot have three times its share, but stable has far less than its own."""
    assert explain_traffic(Segment(0, 4000, 0, 0), Expected(weight=40)) == (
        "canary finished 4,000 of 4,000 runs (100%) at a weight of 40%; is there a second way to it?"
    )
    assert explain_traffic(Segment(0, 2000, 0, 2000), Expected(weight=40)) == ""


def test_runs_that_begin_and_never_end_are_told_apart_from_lost_ones() -> None:
    """Where agents count the runs that begin, it is known which of the two it is."""
    hung = Expected(5, Started(100, 1900))
    lost = Expected(5, Started(2, 1998))

    assert explain_traffic(Segment(0, 3, 10, 1900), hung) == (
        "canary began 100 of 2,000 runs but has 3 of the 1,903 runs that ended; do its runs end?"
    )
    assert explain_traffic(Segment(0, 2, 10, 1900), lost) == (
        "canary began 2 of 2,000 runs (0.1%) at a weight of 5%; do requests reach it?"
    )


def test_a_hung_canary_is_found_by_an_own_source_too() -> None:
    """Also where it calls half as many tools as stable, none at all is too few for the runs that began."""
    began = Expected(5, Started(100, 1900))

    assert explain_traffic(Segment(0, 0, 10, 1900), began, gate=OWN).startswith(
        "canary began 100 of 2,000 runs but has 0"
    )
    assert explain_traffic(Segment(0, 40, 10, 1900), began, gate=OWN) == ""


def test_slow_runs_are_not_hung_ones() -> None:
    """Within three times the mean duration of a run, few can have ended; then that is no excuse."""
    early, late = (replace(AT_5, run_seconds=900, counted_seconds=seconds) for seconds in (2600, 2800))
    few = Reading(Segment(0, 20, 20, 4000), (), NOW)

    verdicts = [judge(ERRORS, few, course, memory=STRAY).verdict for course in (early, late)]

    assert verdicts == [UNDECIDED, MISMATCH]


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({"1": 40, "10": 90, "+Inf": 100}, (40 * 1 + 50 * 10 + 10 * 20) / 100),
        ({"1": 0, "10": 0, "+Inf": 0}, 0),
        ({"1": 40, "10": 90}, 0),  # these are no buckets
        ({"fast": 40, "+Inf": 100}, 0),
        ({}, 0),
    ],
)
def test_the_mean_duration_errs_on_the_long_side(buckets: dict[str, float], expected: float) -> None:
    """A run counts with the bound above it; one above all bounds twice as long as the last."""
    latency = a_gate(template="latency")
    plan = plan_queries([latency], SHOP, counting_start=NOW, warmup_seconds=0)
    label = tag(plan, latency.sources.total, Term.INCREASE)
    rows = [Row(label, STABLE, le, value) for le, value in buckets.items()]
    rows += [Row(label, CANARY, "1", 7.0)]

    table = Table.of(plan, QueryResult(NOW, tuple(rows)))

    assert isinstance(table, Table)
    assert run_seconds(table, [latency]) == pytest.approx(expected)
    assert run_seconds(table, [ERRORS]) == 0


def test_runs_that_take_long_delay_the_word_of_their_absence() -> None:
    """Too much traffic for the canary is told at once, however long runs take."""
    slow = replace(AT_5, run_seconds=900, counted_seconds=400)
    few, many = (Reading(Segment(0, n, 20, 4000 - n), (), NOW) for n in (20, 2000))

    verdicts = [judge(ERRORS, counted, slow, memory=STRAY).verdict for counted in (few, many)]

    assert verdicts == [UNDECIDED, MISMATCH]
    assert judge(ERRORS, absent(is_scraped=True), slow, memory=STRAY).verdict is Verdict.NO_DATA


def absent(*, is_scraped: bool, seconds: float = 0) -> NoData:
    """No series of the canary beside 2,000 runs of stable, some seconds after `NOW`."""
    counts, time = Segment(0, 0, 0, 2000), NOW + timedelta(seconds=seconds)
    return NoData("no series", is_stale=False, absence=Absence(counts, time, is_scraped))


def test_a_canary_without_series_whose_metrics_arrive_has_lost_its_traffic() -> None:
    """First a missing metric, as labels may be wrong; after two minutes it is the traffic."""
    first = judge(ERRORS, absent(is_scraped=True), AT_5)
    later = judge(ERRORS, absent(is_scraped=True, seconds=120), AT_5, memory=memory_of(to_status(first)))

    assert (first.verdict, first.reason) == (Verdict.NO_DATA, Reason.METRIC_MISSING)
    assert (later.verdict, later.reason) == (MISMATCH, Reason.TRAFFIC_MISMATCH)
    assert later.message == (
        "canary finished 0 of 2,000 runs (0%) at a weight of 5%; do requests reach it, "
        "and do its runs end? no series"
    )


def test_a_canary_of_which_nothing_arrives_may_lack_its_labels() -> None:
    """Then it stays a missing metric, with the same question in its sentence."""
    later = judge(ERRORS, absent(is_scraped=False, seconds=500), AT_5, memory=STRAY)

    assert (later.verdict, later.reason) == (Verdict.NO_DATA, Reason.METRIC_MISSING)
    assert "0 of 2,000 runs" in later.message


@pytest.mark.parametrize(
    ("gate", "policy", "expected"),
    [
        (OWN, NoDataPolicy.IGNORE, Verdict.NO_DATA),  # it is optional, and need not be runs
        (ERRORS, NoDataPolicy.IGNORE, MISMATCH),
        (ERRORS, NoDataPolicy.FAIL, Verdict.FAIL),
    ],
)
def test_what_is_optional_may_be_absent(gate: Any, policy: NoDataPolicy, expected: Verdict) -> None:  # noqa: ANN401
    """A count of runs is never optional where stable has many."""
    with_policy = replace(gate, no_data=policy)

    assert judge(with_policy, absent(is_scraped=True), AT_5, memory=STRAY).verdict is expected


Counted = Mapping[str, tuple[float | None, float | None]]
"""What canary and stable counted by metric; None if a release has no such series."""


def heard(world: Any, counted: Counted, at: datetime) -> PollResult:  # noqa: ANN401 a rollout
    """The answer of Prometheus to what the rollout asks."""
    poll = decide(replace(observed(world), now=at)).poll
    assert poll is not None
    plan, rows = poll.plan, []
    for source in plan.sources:
        pair = counted.get(str(source.selector), (None, None))
        for release, value in zip((CANARY, STABLE), pair, strict=True):
            terms = {
                Term.INCREASE: value,
                Term.COVERED: 1.0 if release == STABLE else None,
                Term.NEWEST: at.timestamp() - 1,
                Term.SCRAPES: 40.0,
            }
            rows += [
                Row(tag(plan, source, term), release, None, number)
                for term, number in terms.items()
                if value is not None and number is not None and term in plan.terms(source)
            ]
    return PollResult(plan=plan, result=QueryResult(at, tuple(rows)))


def decided(counted: Counted, *ats: float, **spec: Any) -> Decision:  # noqa: ANN401 fields of a spec
    """What follows from the same counts at several instants, in seconds after the attempt began."""
    world = rollout(**spec)
    for seconds in ats:
        at = START + timedelta(seconds=seconds)
        decision = decide(replace(observed(world, heard(world, counted, at)), now=at))
        world = after(world, decision)
    return decision


def gate_of(decision: Decision) -> tuple[Verdict, str]:
    """What the only gate says."""
    assert decision.status is not None
    (gate,) = decision.status.gates
    return gate.verdict, gate.message


def test_the_first_failures_of_an_equal_canary_roll_nobody_back() -> None:
    """Three failures of three finished runs beside 4.5% of stable: at 5% that is what is to be expected."""
    first = {RUNS: (3, 997), f'{RUNS}{{outcome="failed"}}': (3, 45)}

    for seconds in (100, 230, 360):
        assert state_of(decided(first, seconds)) == (State.CANARY, None)
    assert state_of(decided({**first, f'{RUNS}{{outcome="failed"}}': (3, 0)}, 100))[0] is State.ROLLING_BACK


@pytest.mark.parametrize(
    "gate", [{"template": "error-rate"}, {"source": {"bad": "jobs_lost_total", "total": "jobs_total"}}]
)
def test_a_canary_whose_runs_never_end_is_held(gate: dict[str, Any]) -> None:
    """It begins its runs, so requests reach it, and no series of finished ones is ever born."""
    ended: Counted = {RUNS: (None, 2000), "jobs_total": (None, 2000), BEGUN: (105, 2000)}

    decision = decided(ended, 400, 530, gates=[{"name": "g", **gate}])

    assert state_of(decision) == (State.HELD, "TrafficMismatch")
    assert gate_of(decision)[1].startswith("canary began 105 of 2,105 runs but has 0 of the 2,000 ")


def test_runs_that_began_are_used_instead_of_the_weight() -> None:
    """Sixty of a thousand began at a weight of 5%; of 40 that ended, 6 failed."""
    counted: Counted = {
        RUNS: (40, 960),
        f'{RUNS}{{outcome="failed"}}': (6, 48),
        BEGUN: (60, 940),
    }

    verdict, message = gate_of(decided(counted, 400))

    assert verdict is UNDECIDED
    assert message.startswith(
        "canary finished 40 of 1,000 runs, was assigned 6.0% of them (60), but had 6 of 54 "
    )


def test_a_counter_of_begun_runs_that_only_one_release_has_says_nothing() -> None:
    """A new release may be the first one that counts them; then the weight is used."""
    counted: Counted = {RUNS: (9, 991), f'{RUNS}{{outcome="failed"}}': (6, 48), BEGUN: (60, None)}

    assert "was assigned 5.0% of them (50)," in gate_of(decided(counted, 400))[1]
