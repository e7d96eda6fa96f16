"""Reading an answer of Prometheus: every row of it, and every row that is not there.

`tests/e2e/parts/test_counts.py` asks a real Prometheus the same; here are the answers that it rarely gives.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.gates.counts import Bound, Recent, Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import NoData, Present, Reading, TooEarly, Uncovered, Unreadable
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.queries import Term, plan_queries, tag
from agentrollouts.core.metrics.table import QueryResult, Row, to_result
from testkit.gates import CANARY, SHOP, STABLE, a_gate, read_all

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
AT = START + timedelta(seconds=600)
NOW = AT + timedelta(seconds=2)

ERRORS, _, LATENCY, COST = GATES = resolve_all(
    AgentRolloutSpec.model_validate({"agent": "a", "releaseRef": {"name": "r"}})
).gates
PLAN = plan_queries(GATES, SHOP, counting_start=START, warmup_seconds=120)
RUNS, FAILURES = (
    tag(PLAN, source, Term.INCREASE)[0] for source in (ERRORS.sources.total, ERRORS.sources.bad)
)

Rows = dict[tuple[str, str], float]
"""Values by tag and release."""

HEALTHY: Rows = {
    (f"{RUNS}.increase", CANARY): 49.5,
    (f"{RUNS}.increase", STABLE): 950.0,
    (f"{RUNS}.births", CANARY): 0.5,
    (f"{FAILURES}.increase", CANARY): 5.0,
    (f"{FAILURES}.births", CANARY): 3.0,
    (f"{FAILURES}.increase", STABLE): 11.0,
    (f"{RUNS}.covered", STABLE): 4.0,
    (f"{RUNS}.newest", CANARY): AT.timestamp() - 7,
    (f"{RUNS}.newest", STABLE): AT.timestamp() - 3,
    (f"{RUNS}.scrapes", CANARY): 12.0,
    (f"{RUNS}.scrapes", STABLE): 40.0,
}


def answer(rows: Rows, at: datetime = AT) -> QueryResult:
    """An answer with these rows."""
    return QueryResult(at, tuple(Row(src, release, None, value) for (src, release), value in rows.items()))


def without(*keys: tuple[str, str]) -> Rows:
    """The healthy answer without some rows."""
    return {key: value for key, value in HEALTHY.items() if key not in keys}


def read(given: QueryResult | Unreadable | None, *, now: datetime = NOW, stale_after: float = 120) -> Present:
    """What the error gate makes of an answer."""
    return read_all(PLAN, given, [ERRORS], now=now, stale_after_seconds=stale_after)["errors"]


def test_increase_and_births_are_added_as_floats() -> None:
    """Nothing is rounded; the time is that of the older release."""
    expected = Reading(Segment(8.0, 50.0, 11.0, 950.0), (), AT - timedelta(seconds=7), saw_bad=True)

    assert read(answer(HEALTHY)) == expected


def test_no_row_of_failures_is_zero_where_the_runs_exist() -> None:
    """A release that never failed has no child that counts failures."""
    rows = without((f"{FAILURES}.increase", STABLE))

    reading = read(answer(rows))

    assert isinstance(reading, Reading)
    assert reading.segment == Segment(8.0, 50.0, 0.0, 950.0)


def test_births_of_stable_failures_count_where_the_runs_are_covered() -> None:
    """A kind of failure that stable never had before is born by right."""
    rows = HEALTHY | {(f"{FAILURES}.births", STABLE): 2.0}

    reading = read(answer(rows))

    assert isinstance(reading, Reading)
    assert reading.segment.stable_bad == 13.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e-9, 1e16])
@pytest.mark.parametrize("key", list(HEALTHY))
def test_what_is_no_count_is_never_counted(key: tuple[str, str], value: float) -> None:
    """NaN, infinity or a negative number in any row of a gate makes its answer unreadable."""
    reading = read(answer(HEALTHY | {key: value}))

    assert isinstance(reading, Unreadable)
    assert reading.message.endswith("which is not a valid count")
    assert reading.reason is Reason.METRICS_UNAVAILABLE


def test_a_bad_row_spoils_the_gates_that_use_its_source_and_no_other() -> None:
    """A release whose failures are NaN is still judged by everything else."""
    rows = HEALTHY | {(f"{FAILURES}.increase", CANARY): math.nan}

    readings = read_all(PLAN, answer(rows), GATES, now=NOW, stale_after_seconds=120)

    assert isinstance(readings["errors"], Unreadable)
    assert isinstance(readings["completion"], Reading)


def test_a_value_that_is_given_twice_is_not_counted() -> None:
    """Two rows for one number: which of them is it?"""
    twice = answer(HEALTHY)
    twice = replace(twice, rows=(*twice.rows, twice.rows[0]))

    assert read(twice) == Unreadable(f"agent_runs_total of {CANARY} was returned twice")


@pytest.mark.parametrize(
    "row",
    [
        Row(f"{RUNS}.increase", "intruder", None, 1.0),
        Row("99.increase", CANARY, None, 1.0),
        Row("", "", None, 1.0),
    ],
)
def test_rows_that_nobody_asked_for_make_the_answer_unreadable(row: Row) -> None:
    """An answer to another question is no answer."""
    foreign = answer(HEALTHY)
    foreign = replace(foreign, rows=(*foreign.rows, row))

    reading = read(foreign)

    assert reading == Unreadable(
        f"Prometheus returned a row that was not queried: {row.src} of {row.release}"
    )


def test_an_empty_answer_is_no_data() -> None:
    """Nothing at all is not zero runs; after the time that silence may last it is missing."""
    assert read(answer({})) == NoData(
        f"no series agent_runs_total of release {CANARY} or {STABLE}; "
        "does the agent export it, with its labels?",
        is_stale=False,
    )
    assert read(answer({}), stale_after=600) == TooEarly(
        f"no agent_runs_total of release {CANARY} or {STABLE} in the first 600 s of counting"
    )


def test_failures_without_runs_are_no_reading() -> None:
    """A numerator alone proves that something is wrong with the metrics, not with the release."""
    rows = without((f"{RUNS}.increase", CANARY), (f"{RUNS}.births", CANARY))

    reading = read(answer(rows))

    assert isinstance(reading, NoData)
    assert CANARY in reading.message


def test_nothing_is_read_before_four_scrapes() -> None:
    """Counts over so short a window are mostly extrapolation, so they wait; the busier release decides."""
    short = HEALTHY | {(f"{RUNS}.scrapes", STABLE): 3.0, (f"{RUNS}.scrapes", CANARY): 1.0}

    assert read(answer(short)) == TooEarly("3 of 4 scrapes since the counting start")
    assert isinstance(read(answer(short | {(f"{RUNS}.scrapes", STABLE): 4.0})), Reading)


@pytest.mark.parametrize(
    ("scrape_seconds", "stale_after", "age", "is_stale"),
    [
        (15, 120, 119, False),
        (15, 120, 125, True),
        (60, 120, 150, False),  # two scrapes missed of 60 s are no news
        (60, 120, 300, True),
        (1, 5, 4, False),
        (1, 5, 8, True),
    ],
)
def test_samples_are_stale_after_three_scrapes_or_the_users_time(
    scrape_seconds: float,
    stale_after: float,
    age: float,
    is_stale: bool,  # noqa: FBT001 a column of the table
) -> None:
    """The longer of the two counts, and the age is taken at the time of the decision."""
    newest = AT - timedelta(seconds=1)
    rows = HEALTHY | {
        (f"{RUNS}.newest", CANARY): newest.timestamp(),
        (f"{RUNS}.newest", STABLE): newest.timestamp(),
        (f"{RUNS}.scrapes", STABLE): 600 / scrape_seconds,
        (f"{RUNS}.scrapes", CANARY): 4.0,  # born lately: few samples are no long interval
    }

    reading = read(answer(rows), now=newest + timedelta(seconds=age), stale_after=stale_after)

    assert isinstance(reading, NoData if is_stale else Reading)
    assert not isinstance(reading, NoData) or (reading.is_stale, reading.last_sample_time) == (True, newest)


@pytest.mark.parametrize("release", [CANARY, STABLE])
def test_a_release_without_a_newest_sample_is_stale(release: str) -> None:
    """What it did earlier in the window is still counted by Prometheus, and not believed."""
    reading = read(answer(without((f"{RUNS}.newest", release))))

    assert reading == NoData(f"{release} stopped reporting agent_runs_total", is_stale=True)


def test_a_sample_from_the_future_is_unreadable() -> None:
    """It would stay fresh for ever."""
    rows = HEALTHY | {(f"{RUNS}.newest", CANARY): AT.timestamp() + 1}

    assert read(answer(rows)) == Unreadable(
        f"Prometheus has a sample of {CANARY} from the future; check the clocks"
    )


def test_a_hole_at_the_counting_start_starts_counting_anew() -> None:
    """Stable's series look new-born, so its lifetime would be counted."""
    rows = without((f"{RUNS}.covered", STABLE)) | {(f"{RUNS}.births", STABLE): 100_410.0}

    assert read(answer(rows)) == Uncovered(
        f"Prometheus has no sample of {STABLE} at 10:00:00 UTC; counting restarts"
    )


def test_only_the_first_segment_may_see_the_canary_born() -> None:
    """In a later one its series were there before, and births would count its earlier runs again."""
    later = replace(PLAN, counted=frozenset({ERRORS.sources.total}))

    reading = read_all(later, answer(HEALTHY), [ERRORS], now=NOW, stale_after_seconds=120)["errors"]
    covered = answer(HEALTHY | {(f"{RUNS}.covered", CANARY): 1.0})
    again = read_all(later, covered, [ERRORS], now=NOW, stale_after_seconds=120)["errors"]

    assert isinstance(reading, Uncovered)
    assert CANARY in reading.message
    assert isinstance(again, Reading)


def test_warm_gates_wait_for_the_end_of_the_warm_up() -> None:
    """Latency and cost say from when on they count."""
    early = answer(HEALTHY, at=START + timedelta(seconds=100))

    readings = read_all(PLAN, early, [LATENCY, COST], now=NOW, stale_after_seconds=120)

    expected = TooEarly("counting from 10:02:00 UTC", is_warm_up=True)
    assert readings == {"latency": expected, "cost": expected}


def test_without_an_answer_there_is_nothing_to_read() -> None:
    """Before the first answer nothing is wrong; a failed query is what it is."""
    failed = Unreadable("Prometheus did not answer within 10 s")

    assert read(None) == TooEarly("waits for the first result of Prometheus")
    assert read(failed) == failed


def test_without_stable_the_canary_alone_is_read() -> None:
    """Its counts are there, and nothing beside them."""
    alone = replace(PLAN, subject=replace(PLAN.subject, stable=None))
    rows = {key: value for key, value in HEALTHY.items() if key[1] == CANARY}

    reading = read_all(alone, answer(rows), [ERRORS], now=NOW, stale_after_seconds=120)["errors"]

    assert isinstance(reading, Reading)
    assert reading.segment == Segment(8.0, 50.0, 0.0, 0.0)


def buckets(canary: Mapping[str | None, float], stable: Mapping[str | None, float]) -> Present:
    """What the latency gate makes of these buckets."""
    src = tag(PLAN, LATENCY.sources.total, Term.INCREASE)[0]
    watched = (
        Row(f"{src}.{term}", release, None, value)
        for term, value in (("covered", 1.0), ("newest", AT.timestamp()), ("scrapes", 40.0))
        for release in (CANARY, STABLE)
    )
    counted = (
        Row(f"{src}.increase", release, le, value)
        for release, cell in ((CANARY, canary), (STABLE, stable))
        for le, value in cell.items()
    )
    rows = QueryResult(AT, (*watched, *counted))
    return read_all(PLAN, rows, [LATENCY], now=NOW, stale_after_seconds=120)["latency"]


def test_buckets_become_runs_above_each_common_bound() -> None:
    """Bounds are compared as numbers, only where both releases have them; noise never goes below 0."""
    reading = buckets(
        {"10": 60.0, "+Inf": 50.0, "1": 20.0, "7": 1.0},
        {"+Inf": 950.0, "1.0": 900.0, "10.0": 940.0, "5": 930.0},
    )

    expected = Reading(Segment(0.0, 50.0, 0.0, 950.0), (Bound(1.0, 30.0, 50.0), Bound(10.0, 0.0, 10.0)), AT)
    assert reading == expected


def test_a_bound_below_zero_is_none() -> None:
    """No run takes less than nothing, and a status has no place for it."""
    odd: Mapping[str | None, float] = {"-1": 0.0, "-Inf": 0.0, "NaN": 0.0, "1": 20.0, "+Inf": 50.0}

    reading = buckets(odd, odd)

    assert reading == Reading(Segment(0.0, 50.0, 0.0, 50.0), (Bound(1.0, 30.0, 30.0),), AT)


@pytest.mark.parametrize(
    ("canary", "stable", "message"),
    [
        ({None: 5.0}, {None: 9.0}, "these are not histogram buckets up to +Inf; use a `_bucket` metric"),
        ({"1": 5.0}, {"1": 9.0}, "these are not histogram buckets up to +Inf; use a `_bucket` metric"),
        ({"x": 5.0}, {"+Inf": 9.0}, "these are not histogram buckets up to +Inf; use a `_bucket` metric"),
        (
            {"1": 5.0, "+Inf": 6.0},
            {"2": 5.0, "+Inf": 6.0},
            "the releases have no bucket bound in common; use the same buckets",
        ),
        (
            {str(le): 1.0 for le in range(65)} | {"+Inf": 2.0},
            {str(le): 1.0 for le in range(65)} | {"+Inf": 2.0},
            "the histogram has 65 bounds, more than 64; use fewer buckets",
        ),
    ],
)
def test_buckets_that_cannot_be_compared_are_a_final_error(
    canary: Mapping[str | None, float], stable: Mapping[str | None, float], message: str
) -> None:
    """Asking again cannot help: the gate or the agent's metrics must change."""
    assert buckets(canary, stable) == Unreadable(message, Reason.INVALID_GATE)


def test_rows_are_named_by_the_users_label() -> None:
    """The release stands under the label that the rollout names, the group under that of its source."""
    buckets = tag(PLAN, LATENCY.sources.bad, Term.INCREASE)
    rows = [
        ({"src": "0.increase", "release": CANARY, "le": "1"}, 2.0),
        ({"src": buckets, "release": CANARY, "le": "1"}, 3.0),
        ({}, 1.0),
    ]

    assert to_result(PLAN, AT, rows).rows == (
        Row("0.increase", CANARY, None, 2.0),
        Row(buckets, CANARY, "1", 3.0),
        Row("", "", None, 1.0),
    )


tags = st.sampled_from([tag(PLAN, source, term) for source in PLAN.sources for term in Term])
values = st.floats() | st.floats(0, 1e12) | st.floats(AT.timestamp() - 500, AT.timestamp())
any_row = st.builds(
    Row, tags, st.sampled_from([CANARY, STABLE]), st.sampled_from([None, "1", "+Inf", "x"]), values
)


@given(st.lists(any_row, max_size=60, unique_by=lambda row: (row.src, row.release, row.group)))
def test_no_answer_makes_reading_fail(rows: list[Row]) -> None:
    """Whatever stands in an answer, each gate is told something, and what is counted is a count."""
    readings = read_all(PLAN, QueryResult(AT, tuple(rows)), GATES, now=NOW, stale_after_seconds=120)

    counted = [present.segment for present in readings.values() if isinstance(present, Reading)]
    assert readings.keys() == {"errors", "completion", "latency", "cost"}
    assert all(
        0 <= value < math.inf
        for s in counted
        for value in (s.canary_bad, s.canary_total, s.stable_bad, s.stable_total)
    )


def read_rows(gate: ResolvedGate, values: Mapping[tuple[Source, Term, str, str | None], float]) -> Present:
    """What a gate makes of these values by source, term, release and group."""
    plan = plan_queries([gate], SHOP, counting_start=START, warmup_seconds=0)
    rows = [
        Row(tag(plan, source, term), release, group, value)
        for (source, term, release, group), value in values.items()
    ]
    return read_all(plan, QueryResult(AT, tuple(rows)), [gate], now=NOW, stale_after_seconds=120)["g"]


def test_a_violation_is_read_before_anything_else_is_known() -> None:
    """The first sample of the canary, no runs yet, stable silent: it has happened."""
    gate = a_gate(template="violations")

    reading = read_rows(gate, {(gate.sources.bad, Term.BIRTHS, CANARY, None): 1.0})

    assert isinstance(reading, Reading)
    assert reading.segment == Segment(1.0, 0.0, 0.0, 0.0)
    assert isinstance(read_rows(gate, {}), NoData)
    assert isinstance(
        read_rows(
            a_gate(template="violations", maxCount=1), {(gate.sources.bad, Term.BIRTHS, CANARY, None): 1.0}
        ),
        NoData,
    )


def test_a_time_that_no_calendar_has_is_unreadable() -> None:
    """A sample of the year 33 million, also where a violation is read before anything else."""
    gate = a_gate(template="violations")
    newest = (gate.sources.total, Term.NEWEST, CANARY, None)

    reading = read_rows(gate, {(gate.sources.bad, Term.BIRTHS, CANARY, None): 1.0, newest: 1e15})

    assert isinstance(reading, Unreadable)


Values = dict[tuple[Source, Term, str, str | None], float]


def buckets_of(gate: ResolvedGate) -> Values:
    """Nine of 100 canary runs and 20 of 900 stable ones above 12.8, three of them above 25.6."""
    counts: Values = {}
    for source in (gate.sources.bad, *gate.sources.recent):
        for release, runs, above, far in ((CANARY, 100.0, 9.0, 3.0), (STABLE, 900.0, 20.0, 3.0)):
            cells = {"12.8": runs - above, "25.6": runs - far, "+Inf": runs}
            counts |= {(source, Term.INCREASE, release, le): value for le, value in cells.items()}
            counts |= {
                (source, Term.COVERED, release, None): 1.0,
                (source, Term.NEWEST, release, None): AT.timestamp() - 3,
                (source, Term.SCRAPES, release, None): 40.0,
            }
    return counts


@pytest.mark.parametrize(
    ("limit", "recent"),
    [
        (10, Recent(Segment(9.0, 100.0, 20.0, 900.0), 12.8)),
        (12.8, Recent(Segment(9.0, 100.0, 20.0, 900.0), 12.8)),
        (13, Recent(Segment(3.0, 100.0, 3.0, 900.0), 25.6)),
    ],
)
def test_a_limit_counts_runs_above_the_next_bound(limit: float, recent: Recent) -> None:
    """Runs above a bound that is not below the limit are above the limit for certain."""
    gate = a_gate(template="latency", limit={"value": str(limit)})

    reading = read_rows(gate, buckets_of(gate))

    assert isinstance(reading, Reading)
    assert reading.recent == recent


def test_a_limit_above_all_bounds_is_refused_if_a_user_wrote_it() -> None:
    """It could never be reached; the template's is left alone."""
    own = a_gate(template="latency", limit={"value": "60"})
    loops = replace(own, limit_is_own=False)

    assert read_rows(own, buckets_of(own)) == Unreadable(
        "no bucket bound is at or above the limit of 60; choose a lower limit or wider buckets",
        Reason.INVALID_GATE,
    )
    reading = read_rows(loops, buckets_of(loops))
    assert isinstance(reading, Reading)
    assert reading.recent is None


def test_the_last_minutes_of_a_sum_need_no_cover() -> None:
    """Only the increase is asked for, and no hole makes that more than it was."""
    gate = a_gate(template="cost-per-run")
    recent_sources = gate.sources.recent
    assert recent_sources
    dollars, runs = recent_sources
    values: Values = {
        (dollars, Term.INCREASE, STABLE, None): 16.0,
        (runs, Term.INCREASE, STABLE, None): 200.0,
    }
    for release in (CANARY, STABLE):
        values |= {
            (gate.sources.total, Term.INCREASE, release, None): 100.0,
            (gate.sources.total, Term.COVERED, release, None): 1.0,
            (gate.sources.total, Term.NEWEST, release, None): AT.timestamp() - 3,
            (gate.sources.total, Term.SCRAPES, release, None): 40.0,
        }

    reading = read_rows(gate, values)

    assert isinstance(reading, Reading)
    assert reading.recent == Recent(Segment(0.0, 0.0, 16.0, 200.0))


def test_the_last_minutes_are_left_out_where_prometheus_did_not_look() -> None:
    """Stable's whole life would look like its last five minutes."""
    gate = a_gate(template="latency")
    values = buckets_of(gate)
    recent = set(gate.sources.recent)
    blind = {
        (source, term, release, group): value
        for (source, term, release, group), value in values.items()
        if not (source in recent and term is Term.COVERED and release == STABLE)
    }

    reading = read_rows(gate, blind)

    assert isinstance(reading, Reading)
    assert reading.recent is None


def test_runs_that_stable_still_ends_are_known_when_all_traffic_has_gone() -> None:
    """Beside the canary alone they tell how many of its runs began; at other weights they are its control."""
    leaving = []
    for subject in (SHOP, replace(SHOP, alone=True)):
        plan = plan_queries([ERRORS], subject, counting_start=START, warmup_seconds=0)
        recent = ERRORS.sources.recent
        assert recent
        rows = {
            (tag(plan, source, term), release): value
            for source in (ERRORS.sources.total, *recent)
            for release, runs in ((CANARY, 60.0), (STABLE, 940.0))
            for term, value in {
                Term.INCREASE: runs,
                Term.COVERED: 1.0,
                Term.NEWEST: AT.timestamp(),
                Term.SCRAPES: 40.0,
            }.items()
            if term in plan.terms(source)
        }
        read = read_all(plan, answer(rows), [ERRORS], now=NOW, stale_after_seconds=120)["errors"]
        assert isinstance(read, Reading)
        assert read.recent is not None
        leaving.append(read.recent.leaving)

    assert leaving == [0.0, 940.0]
