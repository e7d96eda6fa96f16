"""The arguments of `agentrollouts lint`."""

import argparse
import math
from typing import Final

from agentrollouts.cli.described import described

LINT: Final = "lint"

HELP: Final = """\
Check the AgentReleases, AgentRollouts and other objects of this API group in files, without a cluster. Print
a line for each finding, with the file, the line, the object and the field:

  rollout.yaml:14 AgentRollout/support-agent spec.gates[0].maxratio unknown field; did you mean maxRatio?

The command reports what the API server would refuse, and then what the operator would refuse later, such as
a gate that cannot be evaluated. It skips objects of other kinds, so it takes the output of kustomize or helm:

  kubectl kustomize overlays/prod | agentrollouts lint -f -

A sentence that begins with `warning:` is advice. The exit code is 0 if nothing is wrong, 1 if there is a
finding that is not a warning, and 2 if the command was used wrongly. docs/lint.md has more."""


def add_lint(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = described(commands, LINT, "check files of objects without a cluster", HELP)
    parser.add_argument(
        "-f",
        "--file",
        action="extend",
        nargs="+",
        required=True,
        metavar="FILE",
        help="YAML or JSON file, a directory of such files, or - for standard input; can be repeated",
    )
    parser.add_argument(
        "--against",
        metavar="DIR",
        help="file or directory with the objects as they were before; immutable fields are compared with it",
    )
    parser.add_argument(
        "--runs-per-hour",
        type=_traffic,
        metavar="N",
        help="number of runs of both releases together; adds the advice of `agentrollouts plan`",
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "github"),
        default="text",
        help="form of the output: text, or annotations of GitHub Actions (default: text)",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="also print how many objects were checked and skipped"
    )


def _traffic(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError("must be a number above 0")
    return number
