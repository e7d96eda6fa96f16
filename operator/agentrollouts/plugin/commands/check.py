"""`kubectl agentrollout check`: whether everything that a rollout needs is there and fits."""

import click

from agentrollouts.plugin.loading import load
from agentrollouts.plugin.options import ROLLOUT, Session, Verb, output

HELP = """\
Check the wiring of the installation, and of a rollout: rights, releases, Services, the route, hooks, and
whether the agent is counted. What you may not read is printed as ?, and is not a problem.

\b
Examples:
  kubectl agentrollout check
  kubectl agentrollout check support-agent -n support

The exit code is 1 if there is a problem."""
HOME = "agentrollouts"
PROBLEM = 1


@click.command(cls=Verb, help=HELP, short_help="Check the wiring of a rollout, and say what to do.")
@click.argument("name", type=ROLLOUT, required=False)
@click.option(
    "--operator-namespace",
    default=HOME,
    metavar="NAME",
    help="Namespace of the operator. Defaults to agentrollouts.",
)
@output("json", "yaml")
def command(*, name: str | None, operator_namespace: str, output: str | None) -> None:
    """Run it."""
    kubectl = click.get_current_context().ensure_object(Session).kubectl
    load("agentrollouts.plugin.wiring", "agentrollouts.plugin.screens.checked")()
    from agentrollouts.insight.check.check import check, problems  # noqa: PLC0415 only this command
    from agentrollouts.plugin.screens.checked import print_check  # noqa: PLC0415 the same
    from agentrollouts.plugin.wiring import wiring  # noqa: PLC0415 the same

    sections = check(wiring(kubectl, name, operator_namespace))
    print_check(sections, output)
    if problems(sections):
        raise click.exceptions.Exit(PROBLEM)
