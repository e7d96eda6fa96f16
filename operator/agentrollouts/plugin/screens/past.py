"""The attempts of a rollout as a table."""

from typing import Final

import click

from agentrollouts.insight.view.past import Past
from agentrollouts.insight.view.view import view
from agentrollouts.insight.view.written import as_json
from agentrollouts.plugin.kubectl import Manifest
from agentrollouts.plugin.reading import now
from agentrollouts.plugin.screens.printed import document
from agentrollouts.plugin.screens.rollout import clock
from agentrollouts.plugin.screens.terminal import console, show, table

HEADER: Final = ("#", "RELEASE", "OUTCOME", "TRIGGER", "BEGAN", "TOOK", "WHY")


def print_history(rollout: Manifest, limit: int | None, form: str | None) -> None:
    """Print the attempts, newest first."""
    past = view(rollout, {}, now()).history[:limit]
    if form in {"json", "yaml"}:
        click.echo(document({"history": [as_json(each) for each in past]}, form), nl=False)
    elif form == "name":
        click.echo("".join(f"agentrelease.agentrollouts.dev/{each.release}\n" for each in past), nl=False)
    elif past:
        rows = [_cells(each, is_wide=form == "wide") for each in past]
        show(table(HEADER, rows), console())
    else:
        click.echo("no attempt has ended yet")


def _cells(each: Past, *, is_wide: bool) -> tuple[str, ...]:
    why = each.reason if not each.sentence else each.sentence
    return (
        str(each.number),
        each.release,
        f"{each.outcome} ({each.kind})" if is_wide else each.outcome,
        each.trigger or "-",
        f"{each.start_time:%Y-%m-%d %H:%M:%S}",
        clock((each.end_time - each.start_time).total_seconds()),
        why,
    )
