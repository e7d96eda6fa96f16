"""`agentrollouts evals` on recorded files, and what `agentrollouts judge --exit-code` makes of its line."""

import io
import json
from pathlib import Path
from typing import Final

import pytest

from agentrollouts.cli.arguments import parse
from agentrollouts.cli.evals.evals import run_evals
from agentrollouts.cli.evals.format import Cases, Format, Scoring
from agentrollouts.cli.evals.formats import read_cases
from agentrollouts.cli.judge import answer_lines
from agentrollouts.cli.mistakes import WrongUseError

RECORDED: Final = Path(__file__).parent / "recorded"


def run(*arguments: str) -> int:
    """The command with these arguments."""
    _, options = parse(["evals", *arguments])
    return run_evals(options)


def a_report(folder: Path, name: str, failed: int, total: int) -> str:
    """A file of promptfoo with so many cases."""
    stats = {"successes": total - failed, "failures": failed, "errors": 0}
    path = folder / name
    path.write_text(json.dumps({"results": {"stats": stats}}))
    return str(path)


def judged(line: str) -> tuple[str, int]:
    """The verdict on a line, and the exit code of the judge."""
    out = io.StringIO()
    code = answer_lines([line], out, by_verdict=True)
    return json.loads(out.getvalue())["verdict"], code


@pytest.mark.parametrize(
    ("kind", "name", "cases"),
    [
        (Format.PROMPTFOO, "promptfoo-stable.json", Cases(1, 50)),
        (Format.PROMPTFOO, "promptfoo-canary.json", Cases(3, 50, 1)),
        (Format.INSPECT, "inspect-log.json", Cases(3, 5, 1)),
        (Format.JUNIT, "junit.xml", Cases(2, 4, 1)),
    ],
)
def test_each_format_is_counted(kind: Format, name: str, cases: Cases) -> None:
    """An error is a case that failed; a skipped one is no case."""
    assert read_cases(kind, str(RECORDED / name), Scoring()) == cases


def test_a_smaller_score_can_pass() -> None:
    """A partial answer of Inspect counts 0.5."""
    assert read_cases(Format.INSPECT, str(RECORDED / "inspect-log.json"), Scoring(pass_at=0.5)) == Cases(
        2, 5, 1
    )


def test_three_of_fifty_against_one_is_undecided(capsys: pytest.CaptureFixture[str]) -> None:
    """The notes say how little so few cases show, and how many are needed."""
    stable, canary = (str(RECORDED / f"promptfoo-{side}.json") for side in ("stable", "canary"))
    assert run("promptfoo", stable, canary) == 0
    output = capsys.readouterr()

    assert json.loads(output.out) == {
        "gate": {"name": "evals", "template": "accuracy", "burstFactor": "1", "minSamples": 100},
        "phases": [{"canary": {"bad": 3, "total": 50}, "stable": {"bad": 1, "total": 50}}],
    }
    assert judged(output.out) == ("Inconclusive", 2)
    first, second, sight, needed = output.err.splitlines()
    assert first == "stable: 1 of 50 cases failed"
    assert second == "canary: 3 of 50 cases failed, 1 of them with an error"
    assert sight.startswith("50 cases show a regression of the share that passes from 98% to ")
    assert float(sight.split(" to ")[1].split("%")[0]) < 90
    assert needed == "To pass, 100 cases are needed (--min-cases)"


@pytest.mark.parametrize(
    ("stable", "canary", "verdict", "code"),
    [((10, 200), (10, 200), "Pass", 0), ((10, 200), (80, 200), "Fail", 1), ((1, 50), (40, 50), "Fail", 1)],
)
def test_the_exit_code_is_the_verdict(
    stable: tuple[int, int],
    canary: tuple[int, int],
    verdict: str,
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """0 lets a hook go on, 1 and 2 do not."""
    files = [a_report(tmp_path, "s.json", *stable), a_report(tmp_path, "c.json", *canary)]
    assert run("promptfoo", *files) == 0
    assert judged(capsys.readouterr().out) == (verdict, code)


def test_nothing_and_what_cannot_be_read_are_undecided() -> None:
    """A pipe whose first command failed lets nothing pass; a Fail among other lines is a Fail."""
    assert answer_lines([], io.StringIO(), by_verdict=True) == 2
    assert answer_lines(["x"], io.StringIO(), by_verdict=True) == 2
    counts = {"canary": {"bad": 80, "total": 200}, "stable": {"bad": 10, "total": 200}}
    failing = json.dumps({"gate": {"name": "evals", "template": "accuracy"}, "phases": [counts]})
    assert answer_lines(["x", failing], io.StringIO(), by_verdict=True) == 1


BOMB: Final = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    "<testsuite><testcase name='&b;'/></testsuite>"
)
LOG: Final = json.loads((RECORDED / "inspect-log.json").read_text())
TWO: Final = {"a": {"value": 1}, "b": {"value": 0}}


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        ("promptfoo", "", "is not JSON"),
        ("promptfoo", "[" * 100_000, "is not JSON"),
        ("promptfoo", "[]", "must be a JSON object"),
        ("promptfoo", '{"results": []}', "results.stats: is missing; name a file of that format"),
        (
            "promptfoo",
            '{"results": {"stats": {"successes": -1}}}',
            "results.stats.successes: must be a number",
        ),
        (
            "promptfoo",
            '{"results": {"stats": {"successes": true}}}',
            "results.stats.successes: must be a number",
        ),
        ("promptfoo", '{"results": {"stats": {}}}', "has no case that was run; run the evals first"),
        ("inspect", json.dumps(LOG | {"status": "cancelled"}), "status is cancelled, not success"),
        ("inspect", json.dumps(LOG | {"samples": None}), "samples: must be a list"),
        ("inspect", json.dumps(LOG | {"samples": [1]}), "samples[0]: must be an object"),
        (
            "inspect",
            json.dumps(LOG | {"samples": [{"scores": TWO}]}),
            "samples[0].scores: has a, b; name one",
        ),
        ("inspect", json.dumps(LOG | {"samples": [{"scores": {}}]}), "samples[0].scores: is missing"),
        (
            "inspect",
            json.dumps(LOG | {"samples": [{"scores": {"m": {"value": "maybe"}}}]}),
            "samples[0].scores.m.value: must be a number or one of C, I, P and N",
        ),
        ("junit", "", "is not XML"),
        ("junit", "<a/>", "the root is not testsuites or testsuite"),
        ("junit", "<testsuite><testcase></testsuite>", "is not XML"),
        ("junit", BOMB, "has a document type, which JUnit XML does not need; remove it"),
        ("junit", '<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "has a document type"),
        ("junit", "<testsuite/>", "has no case that was run"),
    ],
)
def test_a_malformed_file_gives_a_sentence(
    kind: str, text: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file and the field, no traceback, nothing on standard output, and exit code 2."""
    path = tmp_path / "odd"
    path.write_text(text)
    assert run(kind, str(path), str(path)) == 2
    output = capsys.readouterr()
    assert (output.out, output.err.startswith(f"{path}: {problem}")) == ("", True), output.err


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """As any other mistake."""
    with pytest.raises(WrongUseError, match="cannot be read: No such file"):
        read_cases(Format.JUNIT, str(tmp_path / "none"), Scoring())
