"""`kubectl agentrollout history`: the attempts of a rollout, newest first."""

from typing import Any

import click

from agentrollouts.plugin.loading import load
from agentrollouts.plugin.lost import hinting
from agentrollouts.plugin.options import Session, Verb, name_of, one_rollout, output

HELP = """\
List the attempts of a rollout, newest first.

\b
Examples:
  kubectl agentrollout history support-agent -n support
  kubectl agentrollout history support-agent -n support --limit 3 -o json"""


@click.command(cls=Verb, help=HELP, short_help="List the attempts of a rollout, newest first.")
@one_rollout
@click.option("--limit", type=click.IntRange(min=1), help="Number of attempts. Defaults to all.")
@output("wide", "json", "yaml", "name")
def command(**options: Any) -> None:  # noqa: ANN401 those of the decorators
    """Run it."""
    kubectl = click.get_current_context().ensure_object(Session).kubectl
    loaded = load("agentrollouts.plugin.screens.past")
    name = name_of(kubectl, options["name"], options["agent"])
    with hinting(kubectl, name):
        rollout = kubectl.json("get", "agentrollout", name)
    loaded()
    from agentrollouts.plugin.screens.past import print_history  # noqa: PLC0415 while kubectl runs

    print_history(rollout, options["limit"], options["output"])
