"""The entry: the command line, and the operator as kopf runs it.

`agentrollouts operator` is the normal way; `kopf run -m agentrollouts.main` does the same with kopf's own
options. The settings file is read before anything else, so that a mistake in it is a sentence and exit code
2, not a crash.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import kopf

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.cli.arguments import Command, parse
from agentrollouts.logs import set_up_logging
from agentrollouts.settings.load import SettingsError, Watcher
from agentrollouts.shell.inputs import watch
from agentrollouts.shell.running import Operator

SETTINGS_VARIABLE: Final = "AGENTROLLOUTS_SETTINGS"
DEFAULT_SETTINGS: Final = "/etc/agentrollouts/settings.yaml"

WRONG_USE: Final = 2


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: Any, **_: object) -> None:  # noqa: ANN401 kopf's own type
    """Fill the cache and start the workers, then let kopf watch."""
    watcher = Watcher(_settings_path())
    set_up_logging(watcher.settings.log.format, watcher.settings.log.level, watcher.settings.secrets())
    operator = Operator(watcher, _kubeconfig())
    memo.operator = operator
    try:
        intake = await operator.start()
    except ClusterError as error:
        raise kopf.PermanentError(str(error)) from None
    watch.configure(settings, watcher.settings.namespaces)
    watch.register(kopf.get_default_registry(), intake, operator.list_anew)


@kopf.on.cleanup()
async def stop(memo: Any, **_: object) -> None:  # noqa: ANN401 kopf's own type
    """End the workers."""
    if "operator" in memo:
        await memo.operator.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; the exit code is its own, or 2 where it was used wrongly."""
    command, options = parse(arguments)
    code = 0
    match command:  # each imported where it runs: the operator does not wait for the others
        case Command.OPERATOR:
            code = _run_operator(options.settings)
        case Command.CRDS:
            from agentrollouts.cli.crds import write_crds

            write_crds(options.directory)
        case Command.GATES:
            from agentrollouts.cli.gates import run_gates

            code = run_gates(options.page)
        case Command.JUDGE:
            from agentrollouts.cli.judge import run_judge

            code = run_judge()
        case _:
            code = _run(command, options)
    return code


def _run(command: Command, options: argparse.Namespace) -> int:
    """Run a command that reports something or requests it."""
    match command:
        case Command.PLAN:
            from agentrollouts.cli.plan import run_plan

            code = run_plan(options)
        case Command.REPORT:
            from agentrollouts.cli.record.report import run_report

            code = run_report(options)
        case Command.ROLL_BACK_ALL:
            from agentrollouts.cli.online.roll_back_all import run_roll_back_all

            code = run_roll_back_all(options)
        case Command.SIMULATE:
            from agentrollouts.cli.simulate import run_simulate

            code = run_simulate(options)
        case Command.WHO_SERVED:
            from agentrollouts.cli.online.who_served import run_who_served

            code = run_who_served(options)
        case Command.VERIFY_RECORD:
            from agentrollouts.cli.record.verify import run_verify_record

            code = run_verify_record(options)
        case Command.EXPORT_RECORD:
            from agentrollouts.cli.record.export import run_export_record

            code = run_export_record(options)
        case _:  # one of those that create an action
            from agentrollouts.cli.online.act import run_action

            code = run_action(options)
    return code


def _run_operator(settings: Path | None) -> int:
    if settings is not None:
        os.environ[SETTINGS_VARIABLE] = str(settings)
    try:
        loaded = Watcher(_settings_path()).settings
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    kopf.run(standalone=True, clusterwide=not loaded.namespaces, namespaces=loaded.namespaces)
    return 0


def _settings_path() -> Path:
    return Path(os.environ.get(SETTINGS_VARIABLE, DEFAULT_SETTINGS))


def _kubeconfig() -> Path | None:
    path = os.environ.get("KUBECONFIG")
    return Path(path) if path else None


if __name__ == "__main__":
    sys.exit(main())
