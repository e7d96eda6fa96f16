"""What can be said on the command line."""

import argparse
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path


class Command(StrEnum):
    """The subcommands of `agentrollouts`."""

    OPERATOR = "operator"
    CRDS = "crds"


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
    options = parser.parse_args(arguments)
    return Command(options.command), options
