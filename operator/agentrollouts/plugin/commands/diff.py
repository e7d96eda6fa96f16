"""`kubectl agentrollout diff`: what two releases do differently, component by component."""

import click

from agentrollouts.plugin.loading import load
from agentrollouts.plugin.options import RELEASE, Session, Verb, output

HELP = """\
Show how a release differs from another one: by default from the stable release of its agent, or if it is
stable itself, from its parent.

\b
Examples:
  kubectl agentrollout diff support-agent-4.2.0 -n support
  kubectl agentrollout diff support-agent-4.2.0 support-agent-4.0.0 --exit-code"""
DIFFERENT = 1


@click.command(cls=Verb, help=HELP, short_help="Compare two releases, component by component.")
@click.argument("release", type=RELEASE)
@click.argument("other", type=RELEASE, required=False)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if they differ, as git does.")
@output("json", "yaml")
def command(*, release: str, other: str | None, exit_code: bool, output: str | None) -> None:
    """Run it."""
    kubectl = click.get_current_context().ensure_object(Session).kubectl
    loaded = load("agentrollouts.insight.difference.compared", "agentrollouts.plugin.screens.differences")
    from agentrollouts.plugin.bundles import pair  # noqa: PLC0415 beside the others

    base, new = pair(kubectl, release, other)
    loaded()
    from agentrollouts.insight.difference.compared import compare  # noqa: PLC0415 the same
    from agentrollouts.plugin.screens import differences, printed, terminal  # noqa: PLC0415 while kubectl runs

    found = compare(base.text, new.text)
    if output:
        click.echo(printed.document(differences.as_json(base, new, found), output), nl=False)
    else:
        terminal.show(differences.rows(base, new, found), terminal.console())
    if exit_code and found.changed:
        raise click.exceptions.Exit(DIFFERENT)
