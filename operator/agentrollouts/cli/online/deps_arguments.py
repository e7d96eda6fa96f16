"""The arguments of `agentrollouts deps`."""

import argparse
from typing import Final

from agentrollouts.cli.described import described

HELP: Final = """\
Print which agents of a namespace require which versions of each other, what they serve, and what a rollback
to each earlier release would break. A rollback is never refused for that.

The exit code is 0 if everything that is served fits, and 1 if something does not or the cluster cannot be
read."""


def add_deps(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = described(
        commands, "deps", "print which agents require each other, and what a rollback would break", HELP
    )
    parser.add_argument(
        "-n", "--namespace", metavar="NAME", help="namespace (default: that of the current context)"
    )
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="form of the output (default: text)"
    )
