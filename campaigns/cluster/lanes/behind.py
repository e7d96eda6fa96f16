"""An operator behind a proxy: the chart's own command under the chart's ServiceAccount."""

import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from campaigns.cluster.lanes.apiproxy import ApiProxy
from sandbox.operator import OperatorProcess
from sandbox.programs import web
from sandbox.programs.process import Process
from sandbox.stack import Stack

SHIPPED: Final = ("-m", "agentrollouts.main")
"""How the operator is started: arguments of Python."""


def operator_behind(
    proxy: ApiProxy,
    stack: Stack,
    installed: OperatorProcess,
    name: str,
    settings: Mapping[str, Any],
    command: Sequence[str] = SHIPPED,
) -> Process:
    """Make an operator; it is not started.

    Args:
        proxy: where it finds the API server.
        stack: where it runs.
        installed: the chart as installed: account, and settings.
        name: of the process, its files and its pod.
        settings: instead of those of the chart, with a port in `serve`.
        command: how it is started.
    """
    original = stack.account_kubeconfig(installed.namespace, installed.name)
    kubeconfig = original.with_name(f"{name}.kubeconfig")
    config = yaml.safe_load(original.read_text())
    config["clusters"][0]["cluster"] = {"server": proxy.url}
    kubeconfig.write_text(yaml.safe_dump(config))
    file = Path(stack.logs) / f"{name}-settings.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(installed.settings_file.read_text()) | dict(settings)))
    return stack.add_process(
        name,
        [sys.executable, *command, "operator", "--settings", str(file)],
        healthy=functools.partial(web.answers, f"http://127.0.0.1:{settings['serve']['port']}/readyz"),
        environment={"KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1", "POD_ID": name},
    )
