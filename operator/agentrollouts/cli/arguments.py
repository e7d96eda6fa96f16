"""What can be said on the command line."""

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
    """Read the arguments, by default the process's. Exits with 2 and a usage line where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="agentrollouts",
        description="Ships AI agents as immutable bundles, judges them, and takes them back in seconds.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    operator = commands.add_parser(Command.OPERATOR, help="run the controller")
    operator.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="the settings (default: $AGENTROLLOUTS_SETTINGS, then /etc/agentrollouts/settings.yaml)",
    )
    crds = commands.add_parser(Command.CRDS, help="write the CustomResourceDefinitions as YAML files")
    crds.add_argument("directory", type=Path, metavar="DIRECTORY", help="where to write them")
    gates = commands.add_parser(Command.GATES, help="list the gate templates with their defaults and series")
    gates.add_argument(
        "page", type=Path, nargs="?", metavar="PAGE", help="Markdown file whose generated part to replace"
    )
    commands.add_parser(
        Command.JUDGE,
        help="say what a gate would answer for given counts, one JSON object a line",
        description=judge.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    plan.add_arguments(
        commands.add_parser(
            Command.PLAN,
            help="say which regressions a rollout can catch at a given traffic, and what to change",
            description=plan.HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    simulate.add_arguments(
        commands.add_parser(
            Command.SIMULATE,
            help="run a rollout in virtual time: what would happen if",
            description=simulate.HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    options = parser.parse_args(arguments)
    return Command(options.command), options
