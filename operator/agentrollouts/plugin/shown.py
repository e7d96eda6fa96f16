"""A rollout on the terminal, once or as it changes: a screen that is drawn again, else a line per change."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Final, Self

import click
from rich.text import Text

from agentrollouts.api.model.base import written_time
from agentrollouts.api.reasons import Reason
from agentrollouts.insight.view.headline import ROLLED_BACK
from agentrollouts.insight.view.shape import View
from agentrollouts.insight.view.words import Needs
from agentrollouts.plugin.following import Look
from agentrollouts.plugin.kubectl import Manifest
from agentrollouts.plugin.reading import Releases, now
from agentrollouts.plugin.screens.printed import document, line, object_as
from agentrollouts.plugin.screens.rollout import STALE, fitted, status, traffic
from agentrollouts.plugin.screens.terminal import console, drawn, is_screen, require_reader, show

HEALTHY, BACK, NEEDS_YOU = 0, 3, 4
SILENT: Final = "the operator may not run"
"""Without the time, which would make a line of every minute."""
_BACK: Final = ROLLED_BACK | {Reason.ROLLED_BACK}


def once(releases: Releases, rollout: Manifest, form: str | None) -> None:
    """Show a rollout as it is now."""
    if form == "name":
        click.echo(object_as(rollout, form), nl=False)
        return
    seen = releases.view(rollout)
    if form in {"json", "yaml"}:
        click.echo(document(seen.to_json(), form), nl=False)
        return
    show(status(seen, is_wide=form == "wide"), console())


def decided(view: View) -> int | None:
    """The exit code of `--wait`; None while nothing is decided."""
    head = view.headline
    if head.is_stale:
        return None
    if head.state == Reason.HEALTHY:
        return HEALTHY
    if head.state in _BACK:
        return BACK
    return NEEDS_YOU if head.needs is Needs.PERSON else None


class Shown:
    """A rollout that is followed.

    Args:
        releases: Those that it names.
        form: `json`, `yaml` or `name` for an object per change.
    """

    def __init__(self, releases: Releases, form: str | None) -> None:
        self._releases = releases
        self._form = form
        self._out = console()
        self._stack = ExitStack()
        self._last = ""
        self._draw: Callable[[Text], None] | None = None

    def __enter__(self) -> Self:
        if is_screen(self._out) and self._form in {None, "wide"}:
            from rich.live import Live  # noqa: PLC0415 only a terminal needs it

            live = self._stack.enter_context(Live(console=self._out, auto_refresh=False))
            self._draw = partial(live.update, refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last screen where it is."""
        self._stack.close()

    def look(self, look: Look) -> View:
        """Show what is known now. Raises `BrokenPipeError` if no one sees it."""
        require_reader()
        view = self._releases.view(look.rollout, may_read=look.is_new)
        silent = silence(look)
        if self._draw:
            rows = status(view, silent, is_wide=self._form == "wide")
            self._draw(fitted(drawn(rows, self._out), self._out.width, self._out.height))
        elif self._form in {"json", "yaml", "name"}:
            self._print_object(look, view)
        else:
            self._print_line(view, look, silent)
        return view

    def _print_object(self, look: Look, view: View) -> None:
        if look.is_new:
            form = self._form or ""
            text = object_as(look.rollout, form) if form == "name" else document(view.to_json(), form)
            click.echo(text if form != "yaml" else f"---\n{text}", nl=False)

    def _print_line(self, view: View, look: Look, silent: str) -> None:
        """One line per change; of a silence only that it began."""
        head = view.headline
        said = f"{head.state}  {traffic(view.running)}  {head.sentence}"
        said += f"; {STALE}" if head.is_stale else ""
        said += f"; {SILENT}" if view.late else ""
        text = f"no answer: {look.problem}" if silent and look.problem else said
        if text != self._last:
            self._last = text
            line(f"{written_time(now())}  {text}")


def silence(look: Look) -> str:
    """For how long the API server has not answered; empty while it does."""
    if look.silent_seconds is None or not look.problem:
        return ""
    return f"no answer for {look.silent_seconds:.0f} s: {look.problem}"
