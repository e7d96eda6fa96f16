"""`kubectl agentrollout check`: whether everything that a rollout needs is there and fits."""

import re
from typing import Final

import click

from agentrollouts.plugin.loading import load
from agentrollouts.plugin.lost import hinting
from agentrollouts.plugin.options import ROLLOUT, Session, Verb, output

HELP = """\
Check the wiring of the installation, and of a rollout: rights, releases, Services, the route, hooks, and
whether the agent is counted. What you may not read is printed as ?, and is not a problem. With --probe, each
release that serves gets one GET, and its answer must name the release.

\b
Examples:
  kubectl agentrollout check
  kubectl agentrollout check support-agent -n support --probe /healthz

The exit code is 1 if there is a problem."""
HOME = "agentrollouts"
PROBLEM = 1
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~:@+=-]{1,253}){0,8}/?")


class ProbePath(click.ParamType[str]):
    """A path of the agent. It cannot lead to anything else below the proxy of the API server."""

    name = "path"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The same path."""
        if not value.startswith("/") or not _PATH.fullmatch(value):
            self.fail(
                f"{value}: is not a path of an agent; write it as /healthz, with letters, digits "
                "and -._~:@+= between slashes, without a query and without . or .. as a part",
                param,
                ctx,
            )
        return value


@click.command(cls=Verb, help=HELP, short_help="Check the wiring of a rollout, and say what to do.")
@click.argument("name", type=ROLLOUT, required=False)
@click.option(
    "--operator-namespace",
    default=HOME,
    metavar="NAME",
    help="Namespace of the operator. Defaults to agentrollouts.",
)
@click.option(
    "--probe",
    type=ProbePath(),
    metavar="PATH",
    help="Path of the agent. Send one GET to each release that serves, through the API server.",
)
@output("json", "yaml")
def command(*, name: str | None, operator_namespace: str, probe: str | None, output: str | None) -> None:
    """Run it."""
    if probe and not name:
        raise click.UsageError("name the rollout whose releases get the request of --probe")
    kubectl = click.get_current_context().ensure_object(Session).kubectl
    load("agentrollouts.plugin.checking.wiring", "agentrollouts.plugin.screens.checked")()
    from agentrollouts.insight.check.check import check, problems  # noqa: PLC0415 only this command
    from agentrollouts.plugin.checking.wiring import wiring  # noqa: PLC0415 the same
    from agentrollouts.plugin.screens.checked import print_check  # noqa: PLC0415 the same

    with hinting(kubectl, name or ""):
        seen = wiring(kubectl, name, operator_namespace)
    if probe:
        from agentrollouts.plugin.checking.probe import probed  # noqa: PLC0415 the same

        seen = probed(kubectl, seen, probe)
    sections = check(seen)
    print_check(sections, output)
    if problems(sections):
        raise click.exceptions.Exit(PROBLEM)
