"""`agentrollouts judge`: the playbooks' own numbers, the reference values, and lines that cannot be read."""

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.cli.arguments import JUDGE_HELP
from agentrollouts.cli.judge import answer_lines
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import judge
from testkit.gates import a_gate

ERRORS = {"name": "errors", "template": "error-rate"}
COMPLETION = {"name": "completion", "template": "task-completion"}
RESOLVED = a_gate(**COMPLETION)


def ask(*questions: object) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the answers to JSON values, or to text as it is."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in questions]
    out = io.StringIO()
    code = answer_lines(lines, out)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def phase(x_c: float, n_c: float, x_s: float, n_s: float, **groups: object) -> dict[str, Any]:
    """Counts of one phase."""
    return {"canary": {"bad": x_c, "total": n_c}, "stable": {"bad": x_s, "total": n_s}, **groups}


def question(gate: object, *phases: dict[str, Any], **others: object) -> dict[str, Any]:
    """A question as a line asks it."""
    return {"gate": gate, "phases": phases, **others}


def slower(times: float) -> list[dict[str, float]]:
    """Runs above each bound, of 1,000 of a canary that many times slower and of 3,000 of stable."""
    sigma = math.log(19 / 6) / NormalDist().inv_cdf(0.95)

    def above(le: float) -> float:
        return NormalDist().cdf(math.log(6 / le) / sigma)

    bounds = [0.1 * 2**power for power in range(13)]
    return [{"le": le, "canary": 1000 * above(le / times), "stable": 3000 * above(le)} for le in bounds]


def template(name: str) -> dict[str, str]:
    """A built-in gate with nothing changed."""
    return {"name": "asked", "template": name}


PLAYBOOK = {
    "errors 1.2 to 8.4%": (question(ERRORS, phase(84, 1000, 36, 3000)), "Fail"),
    "completion 84 to 71%": (question(COMPLETION, phase(290, 1000, 480, 3000)), "Fail"),
    "accuracy 95 to 90%": (question(template("accuracy"), phase(100, 1000, 150, 3000)), "Fail"),
    "cost x 3": (question(template("cost-per-run"), phase(30, 300, 30, 900)), "Fail"),
    "p99 x 1.5": (question(template("latency"), phase(0, 1000, 0, 3000, bounds=slower(1.5))), "Fail"),
    "p99 as ever": (question(template("latency"), phase(0, 1000, 0, 3000, bounds=slower(1.0))), "Pass"),
    "approvals 45 to 52%": (
        question(
            template("decision-mix"),
            phase(
                0,
                2000,
                0,
                6000,
                mix=[
                    {"value": "approve", "canary": 1040, "stable": 2700},
                    {"value": "reject", "canary": 960, "stable": 3300},
                ],
            ),
        ),
        "Fail",
    ),
    "15% for two minutes": (
        question(ERRORS, phase(12, 50, 3, 100), recent=phase(12, 40, 1, 60)),
        "Fail",
    ),
    "both bad for ten minutes": (
        question(
            ERRORS,
            phase(9, 40, 190, 800),
            recent=phase(12, 40, 180, 760),
            before={"bad": 48, "total": 4000},
        ),
        "SharedCause",
    ),
    "the 25-run example": (question(COMPLETION, phase(7, 25, 76, 475), plannedPhases=3), "Inconclusive"),
    "the same, by its errors": (question(ERRORS, phase(2, 25, 6, 475), plannedPhases=3), "Inconclusive"),
    "the same, with time left": (
        question(COMPLETION, phase(7, 25, 76, 475), plannedPhases=3, timeOver=False),
        "Inconclusive",
    ),
}


@pytest.mark.parametrize(("entry", "verdict"), PLAYBOOK.values(), ids=list(PLAYBOOK))
def test_the_playbooks_own_numbers(entry: dict[str, Any], verdict: str) -> None:
    """What the playbooks call a regression is one, and their 25 runs are not enough to say so."""
    code, [answer] = ask(entry)

    assert (code, answer["verdict"]) == (0, verdict)


REFERENCE = [
    # phases, planned phases, burst factor, evidence, is worse
    ([phase(4, 50, 11, 950)], 1, 1.0, 16.05, False),
    ([phase(2, 50, 0, 950)], 1, 1.0, 32.8, False),
    ([phase(3, 50, 0, 950)], 1, 1.0, 324, True),
    ([phase(3, 50, 0, 950)], 3, 1.0, 108.7, True),
    ([phase(8, 50, 11, 950)], 1, 1.0, 17_971, True),
    ([phase(8, 50, 11, 950)], 3, 1.0, 5_991, True),
    ([phase(8, 50, 11, 950)], 1, 2.0, 87.9, False),
    ([phase(0, 50, 11, 950)], 1, 1.0, 0.389, False),
    ([phase(42, 500, 114, 9500)], 1, 1.0, 2.4e16, True),
    ([phase(7, 25, 76, 475)], 3, 1.0, 0.998, False),
    ([phase(2, 50, 11, 950), phase(30, 1000, 36, 3000)], 3, 1.0, 162.6, True),
]


@pytest.mark.parametrize(("phases", "planned", "burst", "evidence", "is_worse"), REFERENCE)
def test_reference_values(
    phases: list[dict[str, Any]],
    planned: int,
    burst: float,
    evidence: float,
    is_worse: bool,  # noqa: FBT001 a column of the table
) -> None:
    """Every value of the specification's table comes out of the command."""
    _, [answer] = ask(question(ERRORS, *phases, plannedPhases=planned, burstFactor=burst))

    assert answer["evidence"] == pytest.approx(evidence, rel=4e-3)
    assert (answer["verdict"] == "Fail") == is_worse


def test_an_answer_says_all_of_it() -> None:
    """Verdict, reason, numbers and the sentence, in one object."""
    _, [answer] = ask(question(ERRORS, phase(8, 50, 11, 950), plannedPhases=3, burstFactor=1.0))

    assert answer == {
        "verdict": "Fail",
        "reason": "GateFailed",
        "evidence": pytest.approx(5991, rel=1e-3),
        "ratio": pytest.approx(13.818, rel=1e-3),
        "message": "canary served 5.0% of 1,000 runs but had 8 of 19 failures (42%); rate 16% vs 1.2% = "
        "13.8x, limit 1.1x; evidence 6,000:1, needed 100:1",
    }


def test_what_no_json_can_hold_is_null() -> None:
    """An infinite ratio is null, and so is what a gate does not compare."""
    _, [infinite, counted] = ask(
        question(ERRORS, phase(3, 50, 0, 950)), question(template("violations"), phase(1, 500, 0, 950))
    )

    assert (infinite["verdict"], infinite["ratio"]) == ("Fail", None)
    assert (counted["verdict"], counted["ratio"], counted["evidence"]) == ("Fail", None, None)


def test_what_is_left_out_is_as_in_the_operator() -> None:
    """The plan is the phases given, the time is over, and nothing was measured of bursts."""
    counts = phase(8, 200, 50, 3800)

    _, [short, long] = ask(
        question(ERRORS, counts), question(ERRORS, counts, plannedPhases=1, burstFactor=1, timeOver=True)
    )

    assert short == long


BAD = {
    "no JSON": ("{", "the line is not valid JSON"),
    "no object": ([1], "the line must be a JSON object"),
    "nothing in it": ({}, "gate: Field required"),
    "no phases": (question(ERRORS), "phases: needs the counts of at least one phase"),
    "no total": (
        question(ERRORS, {"canary": {"bad": 1}, "stable": {"bad": 1, "total": 2}}),
        "phases[0].canary.total: Field required",
    ),
    "a negative count": (question(ERRORS, phase(1, 2, 3, 4), phase(1, 2, -3, 4)), "phases[1].stable.bad:"),
    "a count that is NaN": (question(ERRORS, phase(math.nan, 2, 3, 4)), "phases[0].canary.bad:"),
    "a count beyond all counts": (question(ERRORS, phase(1, 1e16, 3, 4)), "phases[0].canary.total:"),
    "a count that is true": (
        question(ERRORS, phase(x_c=True, n_c=2, x_s=3, n_s=4)),
        "phases[0].canary.bad: must be a number",
    ),
    "more bad than all": (question(ERRORS, phase(3, 2, 3, 4)), "phases[0].canary.bad: must be at most"),
    "a field that does not exist": (question(ERRORS, phase(1, 2, 3, 4), burst=1), "burst: Extra inputs"),
    "one in a gate": (question({**ERRORS, "limits": {}}, phase(1, 2, 3, 4)), "gate.limits: Extra inputs"),
    "a gate without a name": (question({"template": "error-rate"}, phase(1, 2, 3, 4)), "gate.name:"),
    "a gate of nothing": (question({"name": "a"}, phase(1, 2, 3, 4)), "gate: must have exactly one of"),
    "an unknown template": (question(template("mood"), phase(1, 2, 3, 4)), "gate.template: there is no"),
    "a margin out of range": (
        question({**ERRORS, "maxRatio": "0.9"}, phase(1, 2, 3, 4)),
        "gate.maxRatio: must be a decimal between 1 and 1000",
    ),
    "a margin of the other direction": (
        question({**ERRORS, "minRatio": "0.9"}, phase(1, 2, 3, 4)),
        "gate.minRatio:",
    ),
    "a selector that is a query": (
        question({"name": "a", "source": {"bad": "sum(x)", "total": "y"}}, phase(1, 2, 3, 4)),
        "gate.source.bad:",
    ),
    "a plan that is over": (
        question(ERRORS, phase(1, 2, 3, 4), phase(1, 2, 3, 4), plannedPhases=1),
        "plannedPhases: must be at least 2",
    ),
    "half a phase": (question(ERRORS, phase(1, 2, 3, 4), plannedPhases=1.5), "plannedPhases:"),
    "bursts of nothing": (question(ERRORS, phase(1, 2, 3, 4), burstFactor=0), "burstFactor:"),
    "a word for a time": (question(ERRORS, phase(1, 2, 3, 4), timeOver="no"), "timeOver:"),
    "a histogram without bounds": (
        question(template("latency"), phase(0, 50, 0, 950)),
        "phases[0].bounds: must be given",
    ),
    "bounds without a histogram": (
        question(ERRORS, phase(0, 50, 0, 950, bounds=[{"le": 1, "canary": 1, "stable": 1}])),
        "phases[0].bounds: must not be given",
    ),
    "more slow than all": (
        question(template("latency"), phase(0, 50, 0, 950, bounds=[{"le": 1, "canary": 51, "stable": 1}])),
        "phases[0].bounds: `canary` must be at most",
    ),
    "a key that clears the screen": (
        question(ERRORS | {"\x1b[2J\x9b31m\u202e": 1}, phase(8, 50, 11, 950)),
        "gate.\\x1b[2J\\x9b31m\\u202e: Extra inputs",
    ),
    "a window with more bad than all": (
        question(ERRORS, phase(1, 2, 3, 4), recent=phase(1, 2, 5, 4)),
        "recent.stable.bad: must be at most",
    ),
}


@pytest.mark.parametrize(("entry", "error"), BAD.values(), ids=list(BAD))
def test_a_bad_line_is_answered_by_its_field(entry: object, error: str) -> None:
    """A bad line names its number and the field that is wrong; the lines around it are answered."""
    good = question(ERRORS, phase(8, 50, 11, 950))

    code, [before, answer, after] = ask(good, entry, good)

    assert code == 1
    assert answer["error"].startswith(error)
    assert (set(answer), answer["line"]) == ({"error", "line"}, 2)
    assert before == after
    assert before["verdict"] == "Fail"


def test_empty_lines_ask_nothing() -> None:
    """A trailing line break is no question, and the numbers of the lines stay."""
    code, answers = ask("", question(ERRORS, phase(8, 50, 11, 950)), "  ", "{")

    assert code == 1
    assert [answer.get("line") for answer in answers] == [None, 4]


def test_each_line_is_answered_before_the_next_is_read() -> None:
    """The command can be talked with over a pipe."""
    out = io.StringIO()
    answered = []

    def lines() -> Iterator[str]:
        for _ in range(3):
            answered.append(out.getvalue().count("\n"))
            yield json.dumps(question(ERRORS, phase(8, 50, 11, 950)))

    answer_lines(lines(), out)

    assert answered == [0, 1, 2]


def test_the_help_shows_questions_that_can_be_asked() -> None:
    """The examples of the help are answered as it says."""
    text = " ".join(JUDGE_HELP.split())
    first = text[text.index('{"gate"') : text.index(' {"verdict"')]
    bounds = text[text.index('{"canary": {"total": 50}') :]
    histogram = bounds[: bounds.index(' {"canary"', 1)]
    mix = bounds[len(histogram) : bounds.index(" An absolute")]

    code, [errors, latency, decisions] = ask(
        first,
        question(template("latency"), json.loads(histogram)),
        question(template("decision-mix"), json.loads(mix)),
    )

    assert code == 0
    assert errors["verdict"] == "Fail"
    assert latency["verdict"] == "Inconclusive"
    assert "decisions" in decisions["message"]


counts = st.integers(0, 10**6)
sides = st.tuples(counts, counts)  # bad and good runs


@given(sides, sides, st.integers(1, 5), st.floats(1, 10), st.booleans())
def test_it_is_the_judge_that_the_operator_runs(
    canary: tuple[int, int],
    stable: tuple[int, int],
    planned: int,
    burst: float,
    time_over: bool,  # noqa: FBT001 drawn
) -> None:
    """For any counts the command says what `core.judge.judge.judge` says."""
    segment = Segment(canary[0], sum(canary), stable[0], sum(stable))
    reading = Reading(segment, (), datetime(2026, 11, 21, tzinfo=UTC))
    ours = judge(RESOLVED, reading, PlanPosition(0, planned, time_over=time_over), burst=burst)

    code, [answer] = ask(
        question(
            COMPLETION,
            phase(segment.canary_bad, segment.canary_total, segment.stable_bad, segment.stable_total),
            plannedPhases=planned,
            burstFactor=burst,
            timeOver=time_over,
        )
    )

    assert ours.finding is not None
    assert code == 0
    assert (answer["verdict"], answer["reason"], answer["message"]) == (
        ours.verdict,
        ours.reason,
        ours.message,
    )
    assert answer["evidence"] == ours.finding.evidence


def test_the_command_itself_answers() -> None:
    """`agentrollouts judge` reads standard input to its end and exits with 1 if a line was bad."""
    lines = [json.dumps(question(ERRORS, phase(8, 50, 11, 950))), "nonsense"]

    done = subprocess.run(
        [sys.executable, "-m", "agentrollouts.main", "judge"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )

    first, second = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (1, "")
    assert first["verdict"] == "Fail"
    assert second["line"] == 2


def test_runs_that_have_not_ended_count_as_good() -> None:
    """Where a phase says its weight, or the runs that began, the first failures of a canary are no proof."""
    first = phase(8, 30, 45, 970)
    questions = [
        {**first, **extra} for extra in ({}, {"weight": 5}, {"started": {"canary": 52, "stable": 960}})
    ]

    _, answers = ask(*(question(ERRORS, counted, timeOver=False) for counted in questions))

    assert [answer["verdict"] for answer in answers] == ["Fail", "Inconclusive", "Inconclusive"]
    assert "was assigned 5.0% of them (50)," in answers[1]["message"]


def test_a_weight_of_an_earlier_phase_counts_for_that_phase() -> None:
    """Each phase says its own."""
    first, second = {**phase(9, 30, 45, 970), "weight": 5}, {**phase(0, 300, 0, 700), "weight": 25}

    _, answers = ask(question(ERRORS, first, second), question(ERRORS, phase(9, 30, 45, 970), second))

    assert [answer["verdict"] for answer in answers] == ["Pass", "Fail"]


def test_runs_that_do_not_follow_a_given_weight_are_a_mismatch() -> None:
    """As if they had not for as long as it must stand."""
    _, (answer,) = ask(question(ERRORS, {**phase(0, 20, 20, 4000), "weight": 5}))

    assert answer["verdict"] == "TrafficMismatch"


@pytest.mark.parametrize("wrong", [{"weight": 101}, {"weight": "5"}, {"started": {"canary": 5}}])
def test_a_weight_that_is_none_is_an_error(wrong: dict[str, Any]) -> None:
    """Named by its field, like any other."""
    code, (answer,) = ask(question(ERRORS, {**phase(0, 20, 20, 4000), **wrong}))

    assert (code, next(iter(wrong)) in answer["error"]) == (1, True)
