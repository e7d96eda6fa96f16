"""The lines of `check`: a mark, a sentence, and below a problem what to do."""

from collections.abc import Iterator, Sequence
from typing import Final

import click
from rich.text import Text

from agentrollouts.insight.check.check import problems
from agentrollouts.insight.check.lines import Line, Mark, Section
from agentrollouts.insight.view.written import as_json
from agentrollouts.plugin.screens.printed import document
from agentrollouts.plugin.screens.terminal import Row, console, plain, show

MARKS: Final = {
    Mark.GOOD: ("✓", "green"),
    Mark.PROBLEM: ("✗", "red"),
    Mark.WARNING: ("!", "yellow"),
    Mark.UNKNOWN: ("?", ""),
}


def print_check(sections: Sequence[Section], form: str | None) -> None:
    """Print them."""
    if form:
        found = {"sections": [as_json(each) for each in sections], "problems": problems(sections)}
        click.echo(document(found, form), nl=False)
    else:
        show(rows(sections), console())


def rows(sections: Sequence[Section]) -> list[Row]:
    """All lines, and how many problems there are."""
    number = problems(sections)
    total = {0: "no problem", 1: "1 problem"}.get(number, f"{number} problems")
    body = [row for each in sections for row in (Row(Text(each.title, "bold")), *_lines(each.lines))]
    return [*body, Row(Text(total))]


def _lines(lines: Sequence[Line]) -> Iterator[Row]:
    for each in lines:
        mark, style = MARKS[each.mark]
        yield Row(Text(plain(each.sentence)), (Text("  "), Text(mark, style), Text(" ")))
        if each.remedy:
            yield Row(Text(plain(each.remedy)), (Text("    → "),))
