"""The arguments of `agentrollouts evals`."""

import argparse
from typing import Final

from agentrollouts.cli.described import described
from agentrollouts.cli.evals.format import Format

EVALS: Final = "evals"
MOST: Final = 1_000_000
"""The largest number that an argument can be."""

HELP: Final = """\
Print the results of an eval tool for two releases as a line for `agentrollouts judge`, which compares them by
the statistics that the operator uses in production:

  agentrollouts evals promptfoo stable.json canary.json | agentrollouts judge --exit-code

promptfoo  the file that `promptfoo eval --output` writes; an error counts as a failed case
inspect    a log of Inspect as JSON (`inspect log dump`); a sample passes with a score of 1 or C
junit      JUnit XML, as pytest, DeepEval and many others write it; skipped cases do not count

What so few cases can and cannot show is printed to standard error. The exit code is 2 if a file cannot be
read."""


def add_evals(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = described(
        commands, EVALS, "turn the results of an eval tool into counts for `agentrollouts judge`", HELP
    )
    parser.add_argument(
        "format", choices=[str(each) for each in Format], metavar="FORMAT", help="promptfoo, inspect or junit"
    )
    parser.add_argument("stable", metavar="STABLE", help="file with the results of the stable release")
    parser.add_argument("canary", metavar="CANARY", help="file with the results of the new release")
    parser.add_argument(
        "--scorer", metavar="NAME", help="scorer that decides, for a log of Inspect with several"
    )
    parser.add_argument(
        "--pass-at",
        type=_score,
        default=1.0,
        metavar="SCORE",
        help="smallest score of a sample of Inspect that passes (default: 1)",
    )
    parser.add_argument(
        "--min-cases",
        type=_number,
        default=100,
        metavar="N",
        help="number of cases that the new release needs to pass (default: 100)",
    )


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {MOST}")
    return int(text)


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 < score <= MOST:
        raise argparse.ArgumentTypeError("must be a number above 0")
    return score
