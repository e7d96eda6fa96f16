"""The operator as kopf runs it: the hooks of its process, and how it is started.

`agentrollouts operator` is the normal way; `kopf run -m agentrollouts.process` does the same with kopf's own
options. The settings file is read before anything else, so that a mistake in it is a sentence and exit code
2, not a crash.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Final

import kopf

from agentrollouts.adapters.cluster.errors import ClusterError
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
    watch.configure(settings)
    watch.register(kopf.get_default_registry(), intake, operator.lists)


@kopf.on.cleanup()
async def stop(memo: Any, **_: object) -> None:  # noqa: ANN401 kopf's own type
    """End the workers."""
    if "operator" in memo:
        await memo.operator.stop()


def run_operator(options: argparse.Namespace) -> int:
    """Run until the process ends; 2 if the settings cannot be used."""
    if options.settings is not None:
        os.environ[SETTINGS_VARIABLE] = str(options.settings)
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
