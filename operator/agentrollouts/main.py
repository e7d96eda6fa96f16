"""The entry: the command line.

Each command is imported where it runs, so that none waits for the libraries of another one.
"""

import errno
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from agentrollouts.cli.arguments import Command, parse

COMMANDS: Final[Mapping[Command, str]] = {
    Command.OPERATOR: "process:run_operator",
    Command.CRDS: "cli.generate.crds:run_crds",
    Command.DEPS: "cli.online.deps:run_deps",
    Command.DERIVE: "cli.release.derive:run_derive",
    Command.EVALS: "cli.evals.evals:run_evals",
    Command.GATES: "cli.generate.gates:run_gates",
    Command.JUDGE: "cli.judge:run_judge",
    Command.LINT: "cli.lint.lint:run_lint",
    Command.PLAN: "cli.plan:run_plan",
    Command.REPORT: "cli.record.report:run_report",
    Command.ROLL_BACK_ALL: "cli.online.roll_back_all:run_roll_back_all",
    Command.SIMULATE: "cli.simulate:run_simulate",
    Command.SNAPSHOT_NAME: "cli.release.snapshot_name:run_snapshot_name",
    Command.WHO_SERVED: "cli.online.who_served:run_who_served",
    Command.VERIFY_RECORD: "cli.record.verify:run_verify_record",
    Command.EXPORT_RECORD: "cli.record.export:run_export_record",
}
"""Where each command is, as module and function; it takes the options and returns the exit code."""
ACTION: Final = "cli.online.act:run_action"
"""All others create an action."""


FAILED, INTERRUPTED = 1, 130
"""Exit codes if no one reads the output anymore, and after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; the exit code is its own, or 2 where it was used wrongly."""
    if sys.stdout is None:  # closed, as by `>&-`
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 for as long as the process runs
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a name can have letters that a terminal has not
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has enough, as `head -1` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(f"the output cannot be written: {error.strerror}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    command, options = parse(arguments)
    module, _, function = COMMANDS.get(command, ACTION).partition(":")
    gc.disable()  # what is imported stays, so a search for garbage meanwhile only takes time
    run = getattr(import_module(f"agentrollouts.{module}"), function)
    gc.enable()
    code: int = run(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
