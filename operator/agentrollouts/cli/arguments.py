"""The command line of `agentrollouts`: its subcommands, their arguments and their help.

Without the commands themselves, most of which the operator neither needs nor waits for.
"""

import argparse
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from agentrollouts.cli.described import described
from agentrollouts.cli.evals.arguments import add_evals
from agentrollouts.cli.lint.arguments import add_lint
from agentrollouts.cli.online.arguments import add_actions
from agentrollouts.cli.online.deps_arguments import add_deps
from agentrollouts.cli.online.digest import add_who_served
from agentrollouts.cli.record.arguments import EXPORT_RECORD_HELP, VERIFY_RECORD_HELP, add_records
from agentrollouts.cli.record.report_arguments import add_report
from agentrollouts.cli.release.arguments import add_derive, add_snapshot_name


class Command(StrEnum):
    """The subcommands of `agentrollouts`. Those that create an action have the name of its type."""

    OPERATOR = "operator"
    CRDS = "crds"
    DEPS = "deps"
    DERIVE = "derive"
    EVALS = "evals"
    GATES = "gates"
    JUDGE = "judge"
    LINT = "lint"
    PLAN = "plan"
    REPORT = "report"
    ROLL_BACK_ALL = "roll-back-all"
    SIMULATE = "simulate"
    SNAPSHOT_NAME = "snapshot-name"
    WHO_SERVED = "who-served"
    VERIFY_RECORD = "verify-record"
    EXPORT_RECORD = "export-record"
    APPROVE = "approve"
    PROMOTE = "promote"
    HOLD = "hold"
    RESUME = "resume"
    ROLL_BACK = "roll-back"
    RETRY = "retry"
    ACKNOWLEDGE = "acknowledge"
    SWITCH_OFF = "switch-off"
    SWITCH_ON = "switch-on"
    REDO_HOOK = "redo-hook"
    WAIVE_HOOK = "waive-hook"
    DRILL = "drill"


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
    _add_described(commands)
    add_report(commands)
    add_actions(commands)
    return root


def _add_described(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommands whose help is a page of text."""
    judge = "judge given counts by a gate, one JSON object per line"
    described(commands, Command.JUDGE, judge, JUDGE_HELP).add_argument(
        "--exit-code", action="store_true", help="exit with 0 for Pass, 1 for Fail, and 2 if undecided"
    )
    _add_plan(
        described(
            commands,
            Command.PLAN,
            "show which regressions a rollout can detect at a given traffic, and what to change",
            PLAN_HELP,
        )
    )
    _add_roll_back_all(
        described(
            commands,
            Command.ROLL_BACK_ALL,
            "roll back every canary in progress, for example before an uninstall",
            ROLL_BACK_ALL_HELP,
        )
    )
    add_who_served(commands)
    add_derive(commands)
    add_snapshot_name(commands)
    add_deps(commands)
    add_evals(commands)
    add_lint(commands)
    _add_simulate(described(commands, Command.SIMULATE, "simulate a rollout in virtual time", SIMULATE_HELP))
    _add_records(commands)


def _add_records(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommands about records, which share their arguments."""
    add_records(
        described(
            commands,
            Command.VERIFY_RECORD,
            "verify that records are as they were written",
            VERIFY_RECORD_HELP,
        ),
        described(
            commands,
            Command.EXPORT_RECORD,
            "export the record of an attempt to be signed",
            EXPORT_RECORD_HELP,
        ),
    )


def _add_plan(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plan`."""
    parser.add_argument("file", metavar="FILE", help="YAML file with an AgentRollout, or -")
    parser.add_argument(
        "--runs-per-hour",
        type=float,
        required=True,
        metavar="N",
        help="number of runs of both releases together",
    )
    parser.add_argument(
        "--rate",
        action="append",
        default=[],
        metavar="GATE=SHARE",
        help="usual rate of stable, as the gate counts it: errors=0.02, completion=0.9; can be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_roll_back_all(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `roll-back-all`."""
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="NAME",
        help="namespace of the rollouts; can be repeated (default: all namespaces)",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=60, metavar="SECONDS", help="how long to wait (default: 60)"
    )
    parser.add_argument(
        "--best-effort", action="store_true", help="exit with 0 even if stable does not have all traffic"
    )


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number of seconds, at least 1")
    return int(text)


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `simulate`."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="YAML files with the objects")
    parser.add_argument("--world", metavar="FILE", required=True, help="YAML file with the world")
    parser.add_argument("--seed", type=int, metavar="N", help="seed to use instead of that in the world file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture, as .png or .svg")


JUDGE_HELP: Final = """\
Judge counts by a gate, as the operator does, without a cluster. Read one JSON object per line from
standard input, and write one per line to standard output:

  {"gate": {"name": "errors", "template": "error-rate"}, "plannedPhases": 3, "burstFactor": 1.0,
   "phases": [{"canary": {"bad": 8, "total": 50}, "stable": {"bad": 11, "total": 950}}]}

  {"verdict": "Fail", "reason": "GateFailed", "evidence": 5991.4, "ratio": 13.8, "message": "..."}

gate           a gate as in an AgentRollout: `template` or `source`, and any field that differs from its
               default
phases         the counts of each phase that has begun, in order; for a gate of type Mean, `bad` is the sum
plannedPhases  the number of phases in the plan (default: the number of phases given)
burstFactor    how strongly bad outcomes cluster, for type Mean in the unit of the sum (default: `burstFactor`
               of the gate; without one, the value that the operator uses if stable has no history)
timeOver       whether the time of the last phase is over, so that the gate can pass (default: true)

A phase can also have the `weight` of the canary, in percent, or the number of runs that `started` for each
release. Runs that began and have not ended count as good, since failures are often instant and successes
take minutes. Runs that do not follow the weight at all are a TrafficMismatch:

  {"weight": 5, "canary": {"bad": 3, "total": 9}, "stable": {"bad": 11, "total": 950}}
  {"weight": 5, "started": {"canary": 52, "stable": 990}, "canary": {"bad": 3, "total": 9}, ...}

`underway` is the largest share of the runs that can still be in progress (default: 1). A phase with several
weights, such as a ramp, has one object for each weight, with the index of the phase in `phase`:

  "phases": [{"phase": 0, "weight": 5, ...}, {"phase": 1, "weight": 15, ...}, {"phase": 1, "weight": 25, ...}]

For a gate of type Histogram, each phase has the number of runs above each bound, instead of `bad`. For
type Shift on a label, it has the number of runs with each value:

  {"canary": {"total": 50}, "stable": {"total": 950}, "bounds": [{"le": "0.8", "canary": 3, "stable": 10}]}
  {"canary": {"total": 50}, "stable": {"total": 950}, "mix": [{"value": "ok", "canary": 9, "stable": 427}]}

An absolute limit is judged if `recent` has the counts of its window, as if they had lasted for
`forSeconds`. A shared cause is judged if `before` also has the counts of stable before the attempt. For a
Histogram, `bad` is the number of runs above its limit; without a limit, above a bound that fewer than half
of stable's runs exceed, averaged over these bounds:

  "recent": {"canary": {"bad": 9, "total": 30}, "stable": {"bad": 1, "total": 570}},
  "before": {"bad": 12, "total": 1000}

`ratio` is null if no bad outcome was expected but one occurred. A line that cannot be read results in
{"error": "<field>: <problem>", "line": <number>}. The other lines are still judged, and the exit code is
1.

With --exit-code, the exit code is 1 if a line is a Fail, otherwise 2 if a line is neither Pass nor Fail,
cannot be read, or if there is none, and 0 if all lines are a Pass."""

PLAN_HELP: Final = """\
Show, for each phase of an AgentRollout, the expected number of canary runs, the regressions that each gate
can and cannot detect with that number, and what to change. A regression of the size that is shown is
detected in about half of the cases, and a slightly larger one in nearly all.

Stable is assumed to have the usual rates of each template, unless --rate gives yours."""

ROLL_BACK_ALL_HELP: Final = """\
Roll back every canary in progress, and wait until stable has all traffic. A release that is rolled back is in
quarantine. To start it again, use `agentrollouts retry`.

The operator must run: it does the rollback. The exit code is 0 if stable has all traffic everywhere, also if
nothing was in progress. Otherwise it is 1, unless --best-effort is set."""

SIMULATE_HELP: Final = """\
Simulate an AgentRollout in virtual time with the decisions of the operator: a day in seconds.

The files contain the AgentRollout, its AgentReleases and the ConfigMaps that they refer to, as you would
apply them. The world file defines the traffic, the behavior of each release, the outages of Prometheus and
the actions of users. docs/simulate.md describes its fields. The same seed gives the same result."""
