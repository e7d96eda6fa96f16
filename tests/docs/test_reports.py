"""`docs/reports.md`: what it shows is what the commands print."""

import io
import json
from pathlib import Path

from agentrollouts.cli.judge import answer_lines
from agentrollouts.insight.figures import figures
from agentrollouts.insight.records import attempts
from agentrollouts.insight.render.markdown import to_markdown
from tests.docs.pages import blocks, page
from tests.insight import incident

PAGE = page("reports.md")
GOLDEN = (Path(incident.__file__).parent / "golden" / "report.md").read_text()


def test_the_example_is_part_of_a_report() -> None:
    """Each paragraph of the example is in the report of the incident that tests check."""
    [example] = blocks(PAGE, "markdown")

    assert [part for part in example.strip().split("\n\n") if part not in GOLDEN] == []


def test_every_section_is_described() -> None:
    """The table of sections has each heading of a report, in its order."""
    rows = [line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("| ")]
    headings = [line.removeprefix("## ") for line in GOLDEN.splitlines() if line.startswith("## ")]

    assert [row for row in rows if row in {"Gaps in the record", *headings}] == [
        "Gaps in the record",
        *headings,
    ]


def test_the_verdict_is_that_of_the_command() -> None:
    """The answer that the page shows is the one that the line of the report gets."""
    [line] = [line for line in GOLDEN.splitlines() if line.startswith('{"gate"')]
    out = io.StringIO()
    answer_lines([line], out)
    [shown] = [each for each in PAGE.splitlines() if each.startswith('{"verdict"')]

    assert out.getvalue().startswith(shown.removesuffix(" ..."))
    assert json.loads(out.getvalue())["verdict"] == "Fail"


def test_the_figures_are_those_of_the_incident() -> None:
    """Each line of the figures on the page is printed for the records of the incident."""
    [block] = [each for each in blocks(PAGE, "console") if "Change failure rate" in each]
    printed = to_markdown(figures(attempts(incident.incident().objects), "Rollouts")).splitlines()

    assert [line for line in block.splitlines()[1:] if line not in {"...", *printed}] == []
