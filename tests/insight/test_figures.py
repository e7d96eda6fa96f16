"""Figures over many attempts, beside the same figures counted directly from the entries."""

from statistics import median
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.insight.figures import failure_rate, figures, quantile
from agentrollouts.insight.records import AttemptRecord, attempts
from agentrollouts.insight.render.document import Document, Table
from agentrollouts.insight.render.markdown import to_markdown
from agentrollouts.insight.timing import timing
from testkit.records import Told, chained, some_records
from tests.insight import incident

SEEDS: Final = range(12)


def many() -> tuple[AttemptRecord, ...]:
    """Attempts of twelve rollouts."""
    objects = [
        each for seed in SEEDS for each in some_records(seed, attempts=6, uid=f"{seed:08}-0000").objects
    ]
    return attempts(reversed(objects))


def rows(document: Document, caption: str) -> dict[str, list[str]]:
    """The rows of a table, as text."""
    tables = [b for s in document.sections for b in s.blocks if isinstance(b, Table)]
    [table] = [table for table in tables if table.caption.startswith(caption)]
    texts = [["".join(map(str, cell)) for cell in row] for row in table.rows]
    return {row[0]: row[1:] for row in texts}


def events(record: AttemptRecord) -> dict[str, Any]:
    """The last entry of each event."""
    return {entry.event.value: entry for entry in record.entries}


def test_attempts_and_rollbacks_are_counted() -> None:
    """Numbers of attempts by their end are those of the entries that end them."""
    records = many()
    ends = [
        name for each in records for name in ("Healthy", "RolledBack", "Superseded") if name in events(each)
    ]
    shown = rows(figures(records, "all"), "From")

    assert int(shown["Attempts"][0]) == len(records) == 6 * len(SEEDS)
    assert int(shown["Ended healthy"][0]) == ends.count("Healthy")
    assert int(shown["Rolled back"][0]) == ends.count("RolledBack")
    assert int(shown["Superseded"][0]) == ends.count("Superseded")


def test_the_times_of_the_steps_are_those_of_the_entries() -> None:
    """The median time from decision to route is that of the differences between the two entries."""
    records = many()
    back = [events(each) for each in records if "RollbackStarted" in events(each)]
    routed = sorted((e["Routed"].routed_time - e["RollbackStarted"].time).total_seconds() for e in back)
    verified = sorted((e["RolledBack"].time - e["RollbackStarted"].time).total_seconds() for e in back)
    shown = rows(figures(records, "all"), "Time of each step")

    for step, values in (("Route", routed), ("Verify", verified)):
        [row] = [cells for name, cells in shown.items() if name.startswith(step)]
        numbers = [float(cell.removesuffix(" s").replace(",", "")) for cell in row[1:]]
        assert int(row[0]) == len(values)
        assert values[(len(values) - 1) // 2] <= numbers[0] + 0.06 <= median(values) + 0.12
        assert numbers[-1] == pytest.approx(values[-1], abs=0.06)


def test_a_release_counts_once_for_the_failure_rate() -> None:
    """A retry of the same digest is not another change, and a superseded attempt is none at all."""
    records = many()
    tried = {(each.uid, each.digest) for each in records if {"Healthy", "RolledBack"} & events(each).keys()}
    bad = {(each.uid, each.digest) for each in records if "RollbackStarted" in events(each)}

    assert failure_rate(records) == (len(bad), len(tried))
    assert failure_rate([*records, *records]) == (len(bad), len(tried))


def test_a_retry_is_not_another_release() -> None:
    """A release that was rolled back and then passed is one release, and it failed."""
    back = (
        {"time": incident.at(1), "event": "RollbackStarted"},
        {"time": incident.at(2), "event": "RolledBack"},
    )
    passed = ({"time": incident.at(3), "event": "Healthy"},)
    told = [
        Told(1, incident.BAD, (back,)),
        Told(2, incident.BAD, (passed,)),
        Told(3, incident.STABLE, (passed,)),
    ]

    assert failure_rate(attempts(chained(told).objects)) == (1, 2)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_occurred(values: list[float], share: float) -> None:
    """At least that share of the values do not exceed it, and no smaller value has that property."""
    found = quantile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    smaller = [value for value in values if value < found]
    assert not smaller or sum(value <= max(smaller) for value in values) < share * len(values) + 1e-9


def test_missing_attempts_are_named() -> None:
    """An attempt between two others that has no record is a gap, as its rollback would not be counted."""
    objects = some_records(3, attempts=5).objects
    kept = [each for each in objects if each["spec"]["attempt"] != 3]
    text = to_markdown(figures(attempts(kept), "some"))

    assert "attempts between 1 and 5 without a record: 1" in text
    assert text.index("Gaps in the records") < text.index("How often")


def test_figures_of_nothing_say_so() -> None:
    """Without records there is a sentence, and no table."""
    assert "There are no records." in to_markdown(figures((), "none"))


def test_the_steps_of_the_incident() -> None:
    """Detection, decision, route and verification are the differences of the recorded times."""
    [record] = attempts(incident.incident().objects)
    found, at = timing(record), incident.SECONDS

    assert found.detect == pytest.approx(at["decided"])
    assert found.decide == pytest.approx(at["decided"] - 2000)
    assert found.route == pytest.approx(at["routed"] - at["decided"])
    assert found.verify == pytest.approx(at["verified"] - at["decided"])
