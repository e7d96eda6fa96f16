"""The list of rollouts: who needs a person, what is in progress, and how many are at rest."""

from collections.abc import Iterator, Sequence
from typing import Final

import click
from rich.text import Text

from agentrollouts.api.reasons import Reason
from agentrollouts.insight.view.shape import View
from agentrollouts.insight.view.view import view
from agentrollouts.insight.view.words import Needs
from agentrollouts.plugin.kubectl import Manifest
from agentrollouts.plugin.reading import now
from agentrollouts.plugin.screens.printed import document
from agentrollouts.plugin.screens.rollout import age, traffic
from agentrollouts.plugin.screens.terminal import Row, console, plain, show, table

HEADER: Final = ("NAMESPACE", "ROLLOUT", "STATE", "TRAFFIC", "SINCE", "WHAT")


def views_of(rollouts: Sequence[Manifest]) -> list[View]:
    """Their views, those that need a person first, then those in progress, then the others, each by name."""
    views = [view(each, {}, now()) for each in rollouts]
    return sorted(views, key=lambda each: (rank(each), each.namespace, each.name))


def rank(each: View) -> int:
    """0 if it needs a person, 1 in progress, 2 at rest and healthy."""
    if each.headline.needs is Needs.PERSON:
        return 0
    return 2 if each.headline.state == Reason.HEALTHY and not each.plan else 1


def print_list(views: Sequence[View], form: str | None, *, needs_you: bool, every: bool) -> None:
    """Print them, and count those that are left out."""
    most = 0 if needs_you else 2 if every or form in {"json", "yaml", "name"} else 1
    chosen = [each for each in views if rank(each) <= most]
    if form == "name":
        names = (f"agentrollout.agentrollouts.dev/{each.name}" for each in chosen)
        click.echo("".join(f"{name}\n" for name in names), nl=False)
    elif form in {"json", "yaml"}:
        click.echo(document({"views": [each.to_json() for each in chosen]}, form), nl=False)
    else:
        show(rows(views, chosen, is_wide=form == "wide"), console())


def rows(views: Sequence[View], chosen: Sequence[View], *, is_wide: bool) -> list[Row]:
    """The table and what is not in it."""
    body = [_cells(each, is_wide=is_wide) for each in chosen]
    return [*(table(HEADER, body) if body else []), Row(Text(_counted(views, chosen)))]


def _cells(each: View, *, is_wide: bool) -> tuple[Text | str, ...]:
    head = each.headline
    since = age((each.time - head.since).total_seconds()) if head.since else ""
    mark = Text("! ", "yellow") if each.late or head.needs is Needs.PERSON else Text()
    what = Text.assemble(mark, "; ".join(_what(each, is_wide=is_wide)))
    return each.namespace, each.name, head.state, traffic(each.running), since, what


def _what(each: View, *, is_wide: bool) -> Iterator[str]:
    """Why it needs a person, or else what happens next."""
    first = each.next[0] if each.next else None
    if each.late:
        yield plain(each.late.sentence)
    elif each.headline.needs is Needs.NOBODY and first and first.time:
        yield plain(f"next: {first.sentence} at {first.time:%H:%M} UTC")
    else:
        yield plain(each.headline.sentence)
    if is_wide and each.headline.why:
        yield plain(each.headline.why)


def _counted(views: Sequence[View], chosen: Sequence[View]) -> str:
    ranks = [rank(each) for each in views]
    need, trial, idle = (ranks.count(rank) for rank in (0, 1, 2))
    hidden = len(views) - len(chosen)
    hint = " (list them with --all)" if hidden and idle else ""
    return f"{need} need{'s' if need == 1 else ''} you, {trial} in progress, {idle} idle{hint}"
