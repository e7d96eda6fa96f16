"""First values of new series: believed where the weight explains them, and left out where it does not."""

from dataclasses import replace

import pytest

from agentrollouts.api.verdict import GateStatus, SegmentStatus, Side, Verdict
from agentrollouts.core.attempt.segments import freeze
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.births import Explains
from agentrollouts.core.metrics.promql import for_namespace, render
from agentrollouts.core.metrics.queries import Term, plan_queries, tag
from agentrollouts.core.metrics.table import QueryResult, Row
from testkit.gates import CANARY, SHOP, STABLE, a_gate, read_all
from tests.core.metrics.test_reader import AT, NOW, START

ERRORS = a_gate(template="error-rate")
COST = a_gate(template="cost-per-run", name="cost")
LATENCY = a_gate(template="latency", name="latency")
VIOLATIONS = a_gate(template="violations", name="violations")
GATES = (ERRORS, COST, LATENCY, VIOLATIONS)
PLAN = plan_queries(GATES, SHOP, counting_start=START, warmup_seconds=0)
FIVE = Explains(weight=0.05)

Cells = dict[tuple[Source, Term, str, str | None], float]


def cells() -> Cells:
    """Ten minutes of stable's 1,900 runs and the canary's 100, all scraped, nothing born."""
    runs, costs, slow = ERRORS.sources.total, COST.sources.total, LATENCY.sources.total
    counts: Cells = {}
    for release, n in ((CANARY, 100.0), (STABLE, 1900.0)):
        for source in (runs, costs):
            counts[source, Term.INCREASE, release, None] = n
        counts[COST.sources.bad, Term.INCREASE, release, None] = 0.1 * n
        counts[ERRORS.sources.bad, Term.INCREASE, release, None] = 0.05 * n
        for le, part in (("1.0", 0.5), ("+Inf", 1.0)):
            counts[slow, Term.INCREASE, release, le] = part * n
        for source in (runs, costs, slow):
            counts[source, Term.NEWEST, release, None] = AT.timestamp() - 3
            counts[source, Term.SCRAPES, release, None] = 40.0
            counts[source, Term.COVERED, release, None] = 4.0
    return counts


def read(changed: Cells, gate: str = "g", explains: Explains = FIVE) -> Reading:
    """The counts of one gate."""
    rows = tuple(
        Row(tag(PLAN, source, term), release, group, value)
        for (source, term, release, group), value in (cells() | changed).items()
    )
    reading = read_all(
        PLAN, QueryResult(AT, rows), GATES, now=NOW, stale_after_seconds=120, explains=explains
    )[gate]
    assert isinstance(reading, Reading), reading
    return reading


def born(release: str, runs: float, bad: float = 0.0) -> Cells:
    """New series of an error gate."""
    return {
        (ERRORS.sources.total, Term.BIRTHS, release, None): runs,
        (ERRORS.sources.bad, Term.BIRTHS, release, None): bad,
    }


@pytest.mark.parametrize(
    ("runs", "counted"),
    [(20.0, 120.0), (410.0, 510.0), (411.0, 100.0), (95_186.0, 100.0)],
)
def test_a_first_value_counts_as_far_as_the_weight_explains_it(runs: float, counted: float) -> None:
    """At 5% beside 1,900 runs of stable the canary has 100: four times that and ten more are believed."""
    reading = read(born(CANARY, runs, bad=runs / 10))

    assert reading.segment.canary_total == counted
    assert reading.segment.canary_bad == 5 + (runs / 10 if counted > 100 else 0)


def test_failures_of_a_smoke_test_are_no_failures_of_the_traffic() -> None:
    """At much traffic the weight explains the runs, but one in two failed before and one in twenty since."""
    reading = read(born(CANARY, 200.0, bad=100.0))

    assert (reading.segment.canary_bad, reading.segment.canary_total) == (5.0, 300.0)
    assert read(born(CANARY, 200.0, bad=30.0)).segment.canary_bad == 35.0


def test_what_is_left_out_is_said() -> None:
    """The reading names the release, what its series began with, and why that does not count."""
    reading = read(born(CANARY, 95_186.0))

    assert reading.ignored == {Side.CANARY}
    assert reading.note == (
        "the first values of new series of canary (95,186) are not counted, as its weight explains 100"
    )


def test_a_first_value_that_was_not_believed_is_not_believed_later() -> None:
    """What the weight explains grows with time, and would at last cover any past of a counter."""
    later = Explains(weight=0.05, ignored={"g": frozenset({Side.CANARY})})

    assert read(born(CANARY, 200.0)).segment.canary_total == 300.0
    assert read(born(CANARY, 200.0), explains=later).segment.canary_total == 100.0


@pytest.mark.parametrize("release", [CANARY, STABLE])
def test_series_that_continue_vanished_ones_are_no_births(release: str) -> None:
    """A relabeling at half time: as many runs appear under new names as vanish under the old ones."""
    vanished = {(ERRORS.sources.total, Term.VANISHED, release, None): 50.0}
    moved = born(release, 51.0, bad=3.0)

    before, after = read(moved).segment, read(moved | vanished).segment

    assert (before.canary_total, before.stable_total) == ((151, 1900) if release == CANARY else (100, 1951))
    assert (after.canary_total, after.stable_total) == (100, 1900)
    assert (after.canary_bad, after.stable_bad) == (5.0, 95.0)


def test_a_replaced_pod_is_a_birth() -> None:
    """The old pod's runs vanish, and the new one begins with a few."""
    vanished = {(ERRORS.sources.total, Term.VANISHED, CANARY, None): 50.0}

    assert read(born(CANARY, 12.0, bad=2.0) | vanished).segment.canary_total == 112.0


def test_a_bound_that_is_spelled_anew_is_no_birth() -> None:
    """`le="1"` becomes `le="1.0"`: both halves of the bucket are added, and no lifetime is."""
    slow = LATENCY.sources.total
    reading = read(
        {
            (slow, Term.INCREASE, CANARY, "1"): 20.0,
            (slow, Term.INCREASE, CANARY, "1.0"): 30.0,
            (slow, Term.BIRTHS, CANARY, "1.0"): 4020.0,
            (slow, Term.VANISHED, CANARY, None): 4018.0,
        },
        "latency",
    )

    assert [(bound.le, bound.canary) for bound in reading.bounds] == [(1.0, 50.0)]


def test_a_sum_is_born_with_its_runs() -> None:
    """Dollars count where their runs do and cost about what runs cost; else only what they grew by."""
    dollars, runs = COST.sources.bad, COST.sources.total
    few: Cells = {(runs, Term.BIRTHS, CANARY, None): 10.0, (dollars, Term.BIRTHS, CANARY, None): 1.2}
    many = few | {(dollars, Term.BIRTHS, CANARY, None): 900.0}
    past: Cells = {(runs, Term.BIRTHS, CANARY, None): 5000.0, (dollars, Term.BIRTHS, CANARY, None): 1.2}

    assert [read(each, "cost").segment.canary_bad for each in (few, many, past)] == [11.2, 10.0, 10.0]
    assert [read(each, "cost").segment.canary_total for each in (few, many, past)] == [110, 110, 100]


def test_the_last_minutes_do_not_believe_what_the_segment_does_not() -> None:
    """The limit looks at the same new series."""
    recent = ERRORS.sources.recent
    assert recent
    births = {(source, Term.BIRTHS, CANARY, None): 3000.0 for source in recent}
    covered: Cells = {(recent[1], Term.COVERED, STABLE, None): 4.0}

    reading = read(born(CANARY, 3000.0, bad=3000.0) | births | covered)

    assert reading.recent is not None
    assert (reading.recent.segment.canary_bad, reading.recent.segment.canary_total) == (0.0, 0.0)


def test_a_violation_before_the_first_scrape_still_counts() -> None:
    """One is enough, and the weight explains ten of anything; a counter with a past is another matter."""
    one: Cells = {(VIOLATIONS.sources.bad, Term.BIRTHS, CANARY, None): 1.0}
    past = one | born(CANARY, 3000.0)

    assert read(one, "violations").segment.canary_bad == 1.0
    assert read(past, "violations").segment.canary_bad == 0.0


def test_without_stable_its_own_runs_explain_a_first_value() -> None:
    """The first release of an agent that was scraped late does not have its life counted."""
    alone = replace(SHOP, stable=None)
    plan = plan_queries([ERRORS], alone, counting_start=START, warmup_seconds=0)
    rows = tuple(
        Row(tag(plan, source, term), CANARY, group, value)
        for (source, term, release, group), value in (cells() | born(CANARY, 95_186.0)).items()
        if release == CANARY and source in plan.sources
    )

    reading = read_all(plan, QueryResult(AT, rows), [ERRORS], now=NOW, stale_after_seconds=120)["g"]

    assert isinstance(reading, Reading)
    assert reading.segment.canary_total == 100.0


def test_a_server_that_counts_births_itself_is_not_asked_for_them() -> None:
    """VictoriaMetrics' `increase` contains them; everything else is asked as ever."""
    text = render(for_namespace(PLAN, "namespace", births=False), AT) or ""

    assert "births" not in text
    assert text.count(".increase") == (render(PLAN, AT) or "").count(".increase")


def test_the_next_segment_believes_again() -> None:
    """Series that were there when it began are no births in it."""
    gate = GateStatus(
        name="g",
        verdict=Verdict.INCONCLUSIVE,
        reason="Collecting",
        severity="High",
        first_values_ignored=(Side.CANARY,),
        present=SegmentStatus(phase_index=0),
    )

    assert freeze(gate).first_values_ignored == ()
