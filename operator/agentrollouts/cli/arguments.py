"""The command line of `agentrollouts`: its subcommands, their arguments and their help."""

import argparse
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from agentrollouts.cli import judge, plan, simulate


class Command(StrEnum):
    """The subcommands of `agentrollouts`."""

    OPERATOR = "operator"
    CRDS = "crds"
    GATES = "gates"
    JUDGE = "judge"
    PLAN = "plan"
    SIMULATE = "simulate"


def parse(arguments: Sequence[str] | None) -> tuple[Command, argparse.Namespace]:
    """Parse the arguments, by default those of the process. Invalid ones exit with 2 and a usage line."""
    options = parser().parse_args(arguments)
    return Command(options.command), options


def parser() -> argparse.ArgumentParser:
    """The parser of all subcommands."""
    root = argparse.ArgumentParser(
        prog="agentrollouts",
        description=(
            "Ship AI agents as immutable bundles, judge them on their real traffic, "
            "and roll them back in seconds."
        ),
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    operator = commands.add_parser(Command.OPERATOR, help="run the operator")
    operator.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="settings file (default: $AGENTROLLOUTS_SETTINGS, then /etc/agentrollouts/settings.yaml)",
    )
    crds = commands.add_parser(Command.CRDS, help="write the CustomResourceDefinitions as YAML files")
    crds.add_argument("directory", type=Path, metavar="DIRECTORY", help="directory to write to")
    gates = commands.add_parser(Command.GATES, help="list the gate templates with their defaults and series")
    gates.add_argument(
        "page", type=Path, nargs="?", metavar="PAGE", help="Markdown file whose generated part is replaced"
    )
    _described(commands, Command.JUDGE, "judge given counts by a gate, one JSON object per line", judge.HELP)
    plan.add_arguments(
        _described(
            commands,
            Command.PLAN,
            "show which regressions a rollout can detect at a given traffic, and what to change",
            plan.HELP,
        )
    )
    simulate.add_arguments(
        _described(commands, Command.SIMULATE, "simulate a rollout in virtual time", simulate.HELP)
    )
    return root


def _described(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: Command, summary: str, page: str
) -> argparse.ArgumentParser:
    """A subcommand whose help is a page of text, printed as it stands."""
    return commands.add_parser(
        name, help=summary, description=page, formatter_class=argparse.RawDescriptionHelpFormatter
    )
