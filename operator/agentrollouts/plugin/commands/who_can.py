"""`kubectl agentrollout who-can`: the bindings that allow a verb on a rollout, and who is in them."""

from typing import Final

import click

from agentrollouts.plugin.commands.act import VERBS
from agentrollouts.plugin.kubectl import KubectlError, Manifest, Started
from agentrollouts.plugin.loading import load
from agentrollouts.plugin.options import ROLLOUT, Session, Verb, output

HELP: Final = """\
List the bindings that allow a verb on a rollout. What you may not read is printed as ?, and the exit code is
then 1, since the list may be incomplete.

\b
Examples:
  kubectl agentrollout who-can rollback support-agent -n support
  kubectl agentrollout who-can switch-off support-agent -n support -o json"""
ROLES: Final = ("roles", "clusterroles")
BINDINGS: Final = ("rolebindings", "clusterrolebindings")
OF_SPEC: Final = ("release", "plan")
"""Verbs of those who write rollouts; the others are the types of actions in lower case."""
KNOWN: Final = (*OF_SPEC, *(each.type.lower() for each in VERBS.values()))
INCOMPLETE: Final = 1


class OwnVerb(click.ParamType[str]):
    """A verb as in RBAC, or the command of the plugin that needs it."""

    name = "verb"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As in RBAC."""
        verb = value.replace("-", "").lower()
        if verb not in KNOWN:
            self.fail(f"{value}: is not a verb on rollouts; use one of {', '.join(KNOWN)}", param, ctx)
        return verb


@click.command(cls=Verb, help=HELP, short_help="List who may use a verb on a rollout.")
@click.argument("verb", type=OwnVerb())
@click.argument("name", type=ROLLOUT)
@output("json", "yaml")
def command(*, verb: str, name: str, output: str | None) -> None:
    """Run it."""
    kubectl = click.get_current_context().ensure_object(Session).kubectl
    started = {each: kubectl.start("get", each, "--output=json") for each in (*ROLES, *BINDINGS)}
    loaded = load("agentrollouts.plugin.screens.grants", "agentrollouts.insight.who_can")
    problems = list[str]()
    found = {each: _items(one, problems) for each, one in started.items()}
    loaded()
    from agentrollouts.insight.who_can import who_can  # noqa: PLC0415 while kubectl runs
    from agentrollouts.plugin.screens.grants import print_grants  # noqa: PLC0415 the same

    roles, bindings = ([one for each in kinds for one in found[each]] for kinds in (ROLES, BINDINGS))
    print_grants(f"{verb} agentrollout {name}", who_can(verb, name, roles, bindings), problems, output)
    if problems:
        raise click.exceptions.Exit(INCOMPLETE)


def _items(started: Started, problems: list[str]) -> list[Manifest]:
    """The objects of a list; without the right to read it none, and a problem."""
    try:
        return list(started.json()["items"])
    except KubectlError as error:
        problems.append(str(error))
        return []
