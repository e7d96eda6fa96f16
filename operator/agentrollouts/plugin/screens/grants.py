"""Who may use a verb, as a table."""

from collections.abc import Sequence
from typing import Final

import click
from rich.text import Text

from agentrollouts.insight.view.written import as_json
from agentrollouts.insight.who_can import Grant
from agentrollouts.plugin.screens.printed import document
from agentrollouts.plugin.screens.terminal import Row, console, plain, show, table

HEADER: Final = ("SUBJECT", "BINDING", "ROLE", "PHASES")


def print_grants(what: str, grants: Sequence[Grant], problems: Sequence[str], form: str | None) -> None:
    """Print them, and what could not be read."""
    if form:
        found = {"grants": [as_json(each) for each in grants], "unread": list(problems)}
        click.echo(document(found, form), nl=False)
        return
    body = [(each.subject, each.binding, each.role, ", ".join(each.phases) or "all") for each in grants]
    rows = table(HEADER, body) if body else [Row(Text(plain(f"no binding that you may read allows {what}")))]
    show([*rows, *(Row(Text(plain(each)), (Text("? "),)) for each in problems)], console())
