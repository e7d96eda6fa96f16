"""The report of an attempt: a golden file, whose numbers are worked out again from those of the record."""

import copy
import re
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from markdown_it import MarkdownIt

from agentrollouts.api.release import AgentRelease
from agentrollouts.core.gates.counts import Expected, Segment, Tally
from agentrollouts.core.judge.comparison import compare_counts
from agentrollouts.insight.plan import read_plan
from agentrollouts.insight.records import attempts
from agentrollouts.insight.render.document import Document
from agentrollouts.insight.render.markdown import to_markdown
from agentrollouts.insight.report import Case, report
from testkit.records import Told, chained
from tests.insight import incident
from tests.insight.incident import BAD_PER_MINUTE, COURSE, PLAN, SECONDS, SEGMENTS

GOLDEN: Final = Path(__file__).parent / "golden" / "report.md"
Rows = dict[str, list[str]]


def the_report(*records: incident.Json) -> Document:
    """The report of these records, by default of the incident, with its rollout and its release."""
    [record] = attempts(records or incident.incident().objects, [] if records else [incident.rollout()])
    return report(Case(record, releases=[AgentRelease.model_validate(incident.bad_release())]))


def tables(text: str) -> dict[str, Rows]:
    """The rows of each table by the paragraph before it, each by its first cell."""
    found: dict[str, Rows] = {}
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    caption, row, rows = "", [""], {}
    for token in tokens:
        match token.type:
            case "table_open":
                rows = found.setdefault(caption.rstrip(":"), {})
            case "thead_close":
                rows.clear()
            case "tr_open":
                row = []
            case "tr_close":
                rows[row[0]] = row[1:]
            case "inline":
                content = "".join(child.content for child in token.children or ())
                row.append(content)
                caption = content
    return found


def number(text: str) -> float:
    """The number that a cell begins with."""
    match = re.match(r"[\d,.]+", text)
    assert match, text
    return float(match.group().replace(",", ""))


def near(value: float) -> object:
    """The same to what a report shows: a tenth, or a thousandth below a minute."""
    return pytest.approx(value, abs=0.00051 if abs(value) < 60 else 0.051)


def test_the_report_is_the_golden_file() -> None:
    """The report of the incident is the file that people have read; write it anew only after reading it."""
    assert to_markdown(the_report()) == GOLDEN.read_text()


def test_the_durations_of_the_golden_file_follow_from_the_times_of_the_entries() -> None:
    """Detection and timeline have the differences of the recorded times, and nothing else."""
    found = tables(GOLDEN.read_text())
    decided, routed = SECONDS["decided"], SECONDS["routed"]
    bad = [look["seconds"] for look in COURSE if look["evidence"][0] > 0]

    fast = found["How fast"]
    assert [number(row[0]) for row in found["What happened"].values()]
    assert {step: number(row[1]) for step, row in fast.items()} == {
        "First traffic": 0,
        "First bad sample": near(bad[1]),  # the first one was refuted by the look after it
        "Decided": near(decided),
        "Routed": near(routed),
        "Last request": near(SECONDS["left"]),
        "Verified": near(SECONDS["verified"]),
    }
    assert {step: number(row[2]) for step, row in fast.items() if row[2]} == {
        "Routed": near(routed - decided),
        "Last request": near(SECONDS["left"] - decided),
        "Verified": near(SECONDS["verified"] - decided),
    }
    assert sum(BAD_PER_MINUTE) == SEGMENTS[1]["canary"][0]


def test_the_timeline_of_the_golden_file_is_in_the_order_of_time() -> None:
    """Each row has the time that its distance from the start gives."""
    lines = [line.split(" | ") for line in GOLDEN.read_text().splitlines() if line.startswith("| 2026")]
    rows = [row for row in lines if row[1].endswith(" s")]
    times = [datetime.fromisoformat(f"{row[0].removeprefix('| ')}+00:00") for row in rows]

    assert len(rows) == len(incident.entries())
    assert all(before <= after for before, after in pairwise(times))
    for time, row in zip(times, rows, strict=True):
        assert (time - incident.START).total_seconds() == pytest.approx(number(row[1]), abs=1)


def test_the_impact_of_the_golden_file_follows_from_the_counts() -> None:
    """Runs by weight, and all runs, are those of the segments; each weight lasted until the next one."""
    found = tables(GOLDEN.read_text())
    ends = (SECONDS["phase"], SECONDS["routed"])
    starts = (SECONDS["began"], SECONDS["phase"])

    shown = [(row[0], number(row[1]), number(row[2])) for row in found["Traffic by weight"].values()]
    assert shown == [
        (f"{segment['weight']}%", near(end - start), segment["canary"][1])
        for segment, start, end in zip(SEGMENTS, starts, ends, strict=True)
    ]
    assert f"{sum_of('canary', 1):,} runs until the decision" in GOLDEN.read_text()


def expected(weight: int) -> Expected:
    """What is known of the runs that began at a weight."""
    return Expected(weight, None, 0.05)


def test_the_verdict_of_the_golden_file_follows_from_the_counts() -> None:
    """Evidence and ratio are what the judge finds in the counts by weight."""
    gate = read_plan(PLAN).resolved["errors"]
    tallies = [
        Tally(
            each["phase"], Segment(*each["canary"], *each["stable"]), (), Expected(each["weight"], None, 0.05)
        )
        for each in SEGMENTS
    ]
    finding = compare_counts(gate, tallies, len(PLAN["phases"]), incident.BURST)
    row = tables(GOLDEN.read_text())["Verdicts"]["errors"]

    recorded = float(incident.EVIDENCE), float(incident.RATIO)
    assert recorded == pytest.approx((finding.evidence, finding.ratio))
    assert row[1] == f"{sum_of('canary', 0):,} in {sum_of('canary', 1):,}"
    assert row[2] == f"{sum_of('stable', 0):,} in {sum_of('stable', 1):,}"
    assert row[3] == "over 1,000,000:1"
    assert number(row[4]) == pytest.approx(finding.ratio, abs=0.005)


def test_the_looks_of_the_golden_file_are_those_of_the_course() -> None:
    """Evidence is shown as odds, to two digits or whole."""
    looks = tables(GOLDEN.read_text())["All looks, with the evidence of each gate"]

    assert len(looks) == len(COURSE)
    for (when, row), look in zip(looks.items(), COURSE, strict=True):
        assert (number(when), number(row[0])) == (look["seconds"], look["weight"])
        for shown, tenths in zip(row[1:], look["evidence"], strict=True):
            if tenths == -99:
                assert shown == "none"
            else:
                assert number(shown) == pytest.approx(10 ** (tenths / 10), rel=0.05)


def sum_of(side: str, place: int) -> int:
    """Bad outcomes (0) or runs (1) of a release in all segments."""
    return sum(each[side][place] for each in SEGMENTS)


def headings(document: Document) -> Iterable[str]:
    """The titles of the sections, in order."""
    return [section.title for section in document.sections]


def test_a_gap_comes_first() -> None:
    """A record that was edited, or lacks its newest entries, is reported before anything is said by it."""
    [record] = incident.incident().objects
    edited = copy.deepcopy(record)
    edited["spec"]["entries"][6]["message"] = "errors: nothing happened"
    [cut] = attempts([record], [incident.rollout(head="sha256:" + 64 * "0")])

    assert next(iter(headings(the_report(edited)))) == "Gaps in the record"
    assert "was edited" in to_markdown(the_report(edited))
    assert next(iter(headings(report(Case(cut))))) == "Gaps in the record"
    assert "Gaps in the record" not in headings(the_report())


def test_an_entry_of_a_newer_version_is_named_and_the_rest_is_used() -> None:
    """An event that this version does not know is a gap in the report, not the end of it."""
    told = list(incident.entries())
    told.insert(2, {"time": incident.at(1300), "event": "DetourStarted"})
    newer = chained([Told(13, incident.BAD, (tuple(told),))])
    text = to_markdown(the_report(*newer.objects))

    assert "DetourStarted" in text
    assert "was rolled back to" in text


def test_unproved_names_are_marked() -> None:
    """Whoever is named without proof is marked in the timeline and among the people."""
    rows = [line for line in GOLDEN.read_text().splitlines() if "ali@example.com" in line]

    assert len(rows) == 4
    assert all("not proved" in row for row in rows)


def test_the_entries_that_wait_in_the_status_are_part_of_the_report() -> None:
    """What is not in the record yet is in the status, and the report of a moment ago is complete."""
    whole = incident.incident()
    [record] = whole.objects
    entries = record["spec"]["entries"]
    short = {**record, "spec": {**record["spec"], "entries": entries[:-2]}}
    [found] = attempts([short], [incident.rollout(unwritten=entries[-3:])])

    assert [entry.hash for entry in found.entries] == [entry["hash"] for entry in entries]
