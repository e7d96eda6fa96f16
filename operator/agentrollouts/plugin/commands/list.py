"""`kubectl agentrollout list`: one line per rollout, those that need a person first."""

import click

from agentrollouts.plugin.context import namespace_of
from agentrollouts.plugin.loading import load
from agentrollouts.plugin.options import Session, Verb, output

HELP = """\
List rollouts, those that need a person first. Rollouts at rest are only counted, unless --all is given.

\b
Examples:
  kubectl agentrollout list -A
  kubectl agentrollout list -n support --needs-you"""


@click.command(cls=Verb, help=HELP, short_help="List rollouts, those that need you first.")
@click.option("--all-namespaces", "-A", is_flag=True, help="List those of all namespaces.")
@click.option("--needs-you", is_flag=True, help="List only those that need a person.")
@click.option("--all", "every", is_flag=True, help="List those at rest too.")
@output("wide", "json", "yaml", "name")
def command(*, all_namespaces: bool, needs_you: bool, every: bool, output: str | None) -> None:
    """Run it."""
    kubectl = click.get_current_context().ensure_object(Session).kubectl
    loaded = load("agentrollouts.plugin.screens.listed")
    where = ("--all-namespaces",) if all_namespaces else ()
    rollouts = kubectl.json("get", "agentrollouts", *where)["items"]
    if not (rollouts or output):
        here = "" if all_namespaces else namespace_of(kubectl)
        click.echo(
            f"no rollouts in {f'namespace {here}; list those of all with -A' if here else 'any namespace'}"
        )
        return
    loaded()
    from agentrollouts.plugin.screens.listed import print_list, views_of  # noqa: PLC0415 while kubectl runs

    print_list(views_of(rollouts), output, needs_you=needs_you, every=every)
