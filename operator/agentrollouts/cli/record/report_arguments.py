"""The arguments of `agentrollouts report`."""

import argparse
from typing import Final

from agentrollouts.cli.described import described

HELP: Final = """\
Report on one attempt of an AgentRollout: what happened, why, by whom, how fast, what it reached, what
changed, and how to find the same verdict again. Without a NAME, print figures over all attempts of the
namespace: how often releases are rolled back, by what, and how long each step takes.

Everything is from the AgentRolloutRecords of the cluster, and for the newest attempt from the status of the
AgentRollout. With --file, it is from files instead, as `kubectl get aror,aro,arel -o yaml` writes them, and
no cluster is needed. docs/reports.md describes the report.

The exit code is 0 even if the record does not hold: the report says so first. It is 1 without a record."""


def add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare `report`."""
    parser = described(commands, "report", "report on an attempt, or print figures over many", HELP)
    parser.add_argument("rollout", metavar="NAME", nargs="?", help="name of the AgentRollout")
    parser.add_argument(
        "--attempt", type=_number, metavar="N", help="number of the attempt (default: the newest)"
    )
    parser.add_argument(
        "-n",
        "--namespace",
        metavar="NAME",
        help="namespace (default: that of the current context; with --file, all in the files)",
    )
    parser.add_argument(
        "-f",
        "--file",
        dest="files",
        action="append",
        default=[],
        metavar="FILE",
        help="YAML or JSON file with the objects, or -; can be repeated",
    )
    parser.add_argument(
        "-o", "--output", choices=("md", "html"), default="md", help="format of the report (default: md)"
    )


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number, at least 1")
    return int(text)
