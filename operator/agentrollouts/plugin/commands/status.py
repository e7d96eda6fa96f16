"""`kubectl agentrollout status`: one rollout on one screen, now, as it changes, or until it is decided."""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import chain
from typing import Any, Final

import click

from agentrollouts.plugin.following import NoAnswerError, follow
from agentrollouts.plugin.kubectl import Kubectl
from agentrollouts.plugin.loading import load
from agentrollouts.plugin.lost import hinting
from agentrollouts.plugin.options import DURATION, Session, Verb, name_of, one_rollout, output
from agentrollouts.plugin.reading import Releases

HELP: Final = """\
Show what is running, why, what happens next, and what you can do.

\b
Examples:
  kubectl agentrollout status support-agent -n support
  kubectl agentrollout status support-agent -n support --wait --timeout 8h

With --wait, the exit code is 0 once the desired release is healthy, 3 if it is rolled back or in quarantine,
4 if a person has to act, and 5 after the timeout. Without it, the exit code is 0."""
TIMEOUT: Final = 8 * 3600
TIMED_OUT: Final = 5
VIEW: Final = "agentrollouts.insight.view.view"


@click.command(cls=Verb, help=HELP, short_help="Show one rollout: what runs, why, and what happens next.")
@one_rollout
@click.option("--watch", "-w", is_flag=True, help="Follow it until Ctrl-C.")
@click.option("--wait", is_flag=True, help="Return when the attempt ends or needs a person.")
@click.option(
    "--timeout", type=DURATION, default=TIMEOUT, help="How long --wait waits. Defaults to 8h.", metavar="TIME"
)
@output("wide", "json", "yaml", "name")
def command(**options: Any) -> None:  # noqa: ANN401 those of the decorators
    """Run it."""
    kubectl = click.get_current_context().ensure_object(Session).kubectl
    if options["watch"] and options["wait"]:
        raise click.UsageError("give --watch or --wait, not both")
    if options["watch"] or options["wait"]:
        loaded = load("agentrollouts.plugin.shown", VIEW, "rich.live")
        name = name_of(kubectl, options["name"], options["agent"])
        with hinting(kubectl, name):
            code = _follow(kubectl, name, options, loaded)
        raise click.exceptions.Exit(code)
    loaded = load("agentrollouts.plugin.shown", VIEW)
    name = name_of(kubectl, options["name"], options["agent"])
    with hinting(kubectl, name):
        rollout = kubectl.json("get", "agentrollout", name)
    with closing(Releases(kubectl)) as releases:
        if options["output"] != "name":
            releases.begin(rollout)
        loaded()
        from agentrollouts.plugin.shown import once  # noqa: PLC0415 while kubectl runs

        once(releases, rollout, options["output"])


def _follow(kubectl: Kubectl, name: str, options: dict[str, Any], loaded: Callable[[], None]) -> int:
    """Show it for as long as someone looks, or with `--wait` until it is decided."""
    began, seconds = time.monotonic(), options["timeout"] if options["wait"] else None
    with closing(follow(kubectl, name, seconds=seconds)) as looks, ExitStack() as stack:
        try:
            first = next(looks)
        except NoAnswerError:
            return TIMED_OUT
        releases = stack.enter_context(closing(Releases(kubectl)))
        releases.begin(first.rollout)
        loaded()
        from agentrollouts.plugin.shown import Shown, decided  # noqa: PLC0415 while kubectl runs

        shown = stack.enter_context(Shown(releases, options["output"]))
        for look in chain([first], looks):
            code = decided(shown.look(look))
            if options["wait"] and code is not None:
                return code
            if options["wait"] and time.monotonic() - began > options["timeout"]:
                return TIMED_OUT
    return 0
