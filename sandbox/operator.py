"""The operator on a running stack: installed as an administrator would, and run as a process of the stack.

The chart goes in with the real helm. No kubelet runs its Deployment here, so the same command is started as
a process of ours: with the settings of the chart's ConfigMap and the token of the chart's ServiceAccount. It
never acts as an administrator, so a right that the chart forgets is missing here too.
"""
# ruff: noqa: A005  # sandbox.operator; nothing here imports the standard library's module of that name

import functools
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.errors import CommandError
from sandbox.identity import wait_until_proved
from sandbox.parts import parts
from sandbox.programs import web
from sandbox.programs.process import Process
from sandbox.stack import Stack

CHART: Final = Path(__file__).resolve().parent.parent / "charts" / "agentrollouts"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the operator."""

    chart: Path = CHART
    """Its chart."""
    source: Path | None = None
    """The folder with its package; by default the installed one."""


CURRENT: Final = Version()
"""The version of this checkout."""

_LEASE_LOST: Final = 3
"""The exit code after which the kubelet starts it again: the API server did not answer for seconds."""
_INSTALL_SECONDS: Final = 150
_KINDS_SECONDS: Final = 120
_POLICIES_SECONDS: Final = 120


class OperatorProcess:
    """The one operator of a stack; `install` once, then start, stop and kill it as often as you like.

    Args:
        stack: it must run.
        namespace: where the chart goes; made if it is not there.
        values: the chart's values beside the address of Prometheus, the port and the log format.
        port: of its metrics and probes.
        replica: its number, if there are several; each has the port after that of the one before.
        version: the chart and the code.
    """

    name: Final = "agentrollouts"

    def __init__(
        self,
        stack: Stack,
        *,
        namespace: str = "agentrollouts",
        values: Mapping[str, Any] | None = None,
        port: int = 8090,
        replica: int = 0,
        version: Version = CURRENT,
    ) -> None:
        self.namespace = namespace
        self.pod = f"{self.name}-{replica}"
        self.port = port + replica
        self.url = f"http://127.0.0.1:{self.port}"
        self._stack = stack
        self.version = version
        prometheus = [{"name": "default", "url": stack.prometheus_url}]
        settings = {"prometheus": prometheus, "log": {"format": "console"}}
        self._values = {"port": port, **(values or {})}
        self._values["settings"] = settings | dict(self._values.get("settings", {}))
        self._process: Process | None = None

    @property
    def metrics_url(self) -> str:
        """Where its metrics are."""
        return f"{self.url}/metrics"

    @property
    def process(self) -> Process:
        """The process, once installed; for `pause` and `resume`."""
        if self._process is None:
            self._process = self._make_process()
        return self._process

    @property
    def settings_file(self) -> Path:
        """The settings that it reads, and reads again when they change."""
        return self._stack.logs / f"{self.pod}-settings.yaml"

    def install(self) -> None:
        """Install the chart, or upgrade to its present state.

        Returns once the API server serves the chart's kinds and proves who requests an action.

        Raises:
            CommandError: helm or the API server refused it.
        """
        self._helm(
            "upgrade",
            "--install",
            self.name,
            str(self.version.chart),
            "--create-namespace",
            "--take-ownership",
            "--values",
            "-",
        )
        self._wait_for_kinds()
        self._wait_for_policies()
        config_map = self._stack.kubectl.get(
            f"configmap/{self.name}-settings", f"--namespace={self.namespace}"
        )
        settings = yaml.safe_load(config_map["data"]["settings.yaml"])
        settings["serve"]["port"] = self.port
        self.settings_file.write_text(yaml.safe_dump(settings))

    def change_settings(self, **settings: object) -> None:
        """Set some of its settings, in one step, as an update of the mounted ConfigMap does."""
        current = yaml.safe_load(self.settings_file.read_text())
        draft = self.settings_file.with_suffix(".draft")
        draft.write_text(yaml.safe_dump(current | settings))
        draft.rename(self.settings_file)

    def start(self, seconds: float = 120) -> None:
        """Start it, after `install` if that was not done yet, and wait until it is ready.

        Args:
            seconds: how long to wait at most.

        Raises:
            CommandError: the chart could not be installed.
            ProcessError: it ended, or was not ready in time; the text holds the end of its log.
        """
        if not self.settings_file.exists():
            self.install()
        self.process.start(seconds)

    def stop(self, seconds: float = 30) -> int | None:
        """Ask it to end, as Kubernetes does; returns its exit code, -9 if it had to be killed after all."""
        return self.process.stop(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """End it without a warning, as a crash would."""
        self.process.stop(signal.SIGKILL)

    def log_text(self) -> str:
        """All that it logged, over all its starts."""
        log = self.process.log
        return log.read_text(errors="replace") if log.exists() else ""

    def _wait_for_kinds(self) -> None:
        """An established CRD is not enough: for a moment the API server answers that it sets up storage."""
        files = (self.version.chart / "files" / "crds").glob("*.yaml")
        kinds = ",".join(file.stem.partition("_")[2] for file in files)
        self._stack.kubectl.insist("get", kinds, "--all-namespaces", seconds=_KINDS_SECONDS)

    def _wait_for_policies(self) -> None:
        """Unless this chart has none, or they are turned off."""
        name = ("validatingadmissionpolicybinding", f"{self.name}-actions", "--output=name")
        if self._stack.kubectl("get", *name, "--ignore-not-found"):
            somewhere = next(iter(self._values.get("namespaces", ())), "default")
            wait_until_proved(self._stack.kubectl, somewhere, _POLICIES_SECONDS)

    def _make_process(self) -> Process:
        kubeconfig = self._stack.account_kubeconfig(self.namespace, self.name)
        command = [
            sys.executable,
            "-m",
            "agentrollouts.main",
            "operator",
            "--settings",
            str(self.settings_file),
        ]
        source = self.version.source
        return self._stack.add_process(
            self.pod,
            command,
            healthy=functools.partial(web.answers, f"{self.url}/readyz"),
            environment={"KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1", "POD_ID": self.pod}
            | ({} if source is None else {"PYTHONPATH": str(source)}),
            restarts_after=_LEASE_LOST,
        )

    def _helm(self, *arguments: str) -> str:
        """Run helm in the operator's namespace, with the values as its input; what it printed."""
        done = subprocess.run(
            [parts.helm(), *arguments, f"--namespace={self.namespace}"],
            input=yaml.safe_dump(self._values),
            env=self._stack.environment,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"helm {' '.join(arguments)}: {done.stderr.strip()}")
        return f"{done.stdout}{done.stderr}"
