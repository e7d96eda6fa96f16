"""The whole local stack as one object: control plane, Prometheus, gateway.

`Stack` runs inside the namespaces that `python -m sandbox run` makes; there it needs no network and finds its
ports free. It keeps its data in memory, its logs under `.state/`, and takes a few seconds to start.
"""

import functools
import json
import os
import secrets
import shutil
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.errors import NamespaceError, SandboxError
from sandbox.isolation import namespace
from sandbox.parts import parts
from sandbox.programs import controlplane, gateway, monitoring, web
from sandbox.programs.kubectl import Kubectl, environment
from sandbox.programs.process import Process

STATE = Path(__file__).resolve().parent.parent / ".state"
"""Where the logs of running and failed sandboxes are."""

_KEPT_SECONDS = 24 * 3600


class Stack:
    """A running Kubernetes API with Prometheus and, unless left out, a gateway.

    Args:
        with_gateway: start Traefik and create the Gateway `public` in the namespace `default`.
        with_gateway_api: install the Gateway API's CRDs at the start. `install_gateway_api` brings them, and
            the gateway, later.
        quiet: print no timings.

    Attributes:
        processes: every program by name: etcd, apiserver, controller_manager (not with the binaries of
            envtest), prometheus, traefik (once the Gateway API is installed).
        logs: the folder of their log files; removed by `close` unless the stack ended with an error.
    """

    api_url = controlplane.API_URL
    prometheus_url = monitoring.URL
    gateway_url = gateway.URL
    _with_node = False

    def __init__(
        self, *, with_gateway: bool = True, with_gateway_api: bool = True, quiet: bool = False
    ) -> None:
        self.processes: dict[str, Process] = {}
        self._with_gateway = with_gateway
        self._with_gateway_api = with_gateway_api
        self._quiet = quiet
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        self._data = Path(namespace.SCRATCH) / f"stack-{name}"
        self.logs = STATE / name

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep_logs=kind is not None)

    def start(self) -> None:
        """Start everything and wait until it serves.

        Raises:
            MissingPartError: a program is not built or not installed.
            NamespaceError: this process is not inside a sandbox's namespaces.
            ProcessError: a program did not start.
            SandboxError: a stack runs in this sandbox already.
        """
        if not namespace.inside():
            raise NamespaceError(
                "this is not the inside of a sandbox; start the command as `python -m sandbox run -- COMMAND`"
            )
        if any(Path(namespace.SCRATCH).glob("stack-*")):
            raise SandboxError("a stack runs in this sandbox already; start another sandbox for another")
        began = time.monotonic()
        try:
            self._prepare()
            self._start_control_plane()
            self._say("control plane", began)
            self._monitoring.launch()
            if self._with_gateway_api:
                self.install_gateway_api()
            self._monitoring.process.wait_healthy()
            self._say("all of it", began)
        except BaseException:
            self.close(keep_logs=True)
            raise

    def close(self, *, keep_logs: bool = False) -> None:
        """End everything at once and remove its data; closing twice is fine.

        Args:
            keep_logs: leave the logs where they are, and say where.
        """
        for process in reversed(self.processes.values()):
            process.stop()
        shutil.rmtree(self._data, ignore_errors=True)
        if not keep_logs:
            shutil.rmtree(self.logs, ignore_errors=True)
        elif not self._quiet:
            print(f"sandbox: logs are in {self.logs}", file=sys.stderr)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._credentials.kubeconfig

    @property
    def etcd_data(self) -> Path:
        """Where etcd keeps everything; to be read or replaced while it does not run."""
        return self._data / "etcd"

    @property
    def ca_file(self) -> Path:
        """Whom clients of the API server trust."""
        return self._credentials.ca_file

    @property
    def admin_token(self) -> str:
        """The administrator's bearer token."""
        return self._credentials.admin_token

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which kubectl and helm work in a program started from here."""
        commands = self._data / "bin"
        if not commands.exists():
            commands.mkdir()
            (commands / "kubectl").symlink_to(parts.kubectl())
            (commands / "helm").symlink_to(parts.helm())
        path = f"{commands}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return environment(self.kubeconfig) | {"PATH": path}

    @functools.cached_property
    def kubectl(self) -> Kubectl:
        """The administrator's kubectl: `stack.kubectl("get", "pods")`, `.get(...)`, `.apply(...)`."""
        return Kubectl(parts.kubectl(), self.kubeconfig)

    def apply(self, manifests: Path | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Apply a file, a folder, or objects, as the administrator.

        Raises:
            CommandError: the API server refused one of them.
        """
        self.kubectl.apply(manifests)

    def install_gateway_api(self) -> None:
        """Install the Gateway API's CRDs and, unless left out, start the gateway.

        Raises:
            CommandError: the API server refused something.
            ProcessError: Traefik did not start.
        """
        self.kubectl.apply(parts.gateway_api())
        self.kubectl.wait_kinds()
        if not self._with_gateway:
            return
        self.kubectl.apply([gateway.gateway_class(), gateway.gateway("default")])
        traefik = gateway.process(parts.traefik(), self.kubeconfig, self.logs)
        self.processes[traefik.name] = traefik
        traefik.start()
        self.wait_gateway("default")
        self.add_target("gateway", gateway.METRICS_ADDRESS, {"job": "gateway"})

    def add_gateway(self, namespace: str) -> None:
        """Create a Gateway `public` in another namespace, and wait until Traefik programs it.

        Raises:
            CommandError: the namespace is not there, or Traefik does not answer.
        """
        self.kubectl.apply(gateway.gateway(namespace))
        self.wait_gateway(namespace)

    def wait_gateway(self, namespace: str) -> None:
        """Wait until the Gateway of a namespace is programmed.

        Raises:
            CommandError: it was not within two minutes.
        """
        self.kubectl(
            "wait",
            f"gateway/{gateway.NAME}",
            f"--namespace={namespace}",
            "--for=condition=Programmed",
            "--timeout=120s",
        )

    def add_target(self, name: str, address: str, labels: Mapping[str, str]) -> None:
        """Have Prometheus scrape `http://<address>/metrics`, each series with these labels."""
        self._monitoring.add_target(name, address, labels)

    def remove_target(self, name: str) -> None:
        """Have Prometheus scrape a target no more."""
        self._monitoring.remove_target(name)

    def query(self, expression: str, seconds: float = 30) -> list[dict[str, Any]]:
        """Ask Prometheus itself; the rows of the answer, as its HTTP API writes them.

        Args:
            expression: PromQL, evaluated at this moment.
            seconds: how long one step of the exchange may take.

        Raises:
            OSError: no answer, or an expression that Prometheus does not take.
        """
        quoted = urllib.parse.quote(expression)
        body = web.get(f"{self.prometheus_url}/api/v1/query?query={quoted}", seconds=seconds)
        rows: list[dict[str, Any]] = json.loads(body)["data"]["result"]
        return rows

    def account_kubeconfig(self, namespace: str, account: str) -> Path:
        """Write a kubeconfig that acts as a ServiceAccount, with exactly its rights, for a day.

        Args:
            namespace: of the account; also the kubeconfig's default namespace.
            account: its name; it must exist.

        Raises:
            CommandError: there is no such account.
        """
        token = self.kubectl("create", "token", account, f"--namespace={namespace}", "--duration=24h").strip()
        path = self._data / f"{namespace}.{account}.kubeconfig"
        controlplane.write_kubeconfig(path, self._credentials, token, namespace)
        return path

    def add_process(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        healthy: Callable[[], bool] | None = None,
        environment: Mapping[str, str] | None = None,
        restarts_after: int | None = None,
    ) -> Process:
        """Make a further program part of the stack, not started yet: it logs and ends like the others.

        Args:
            name: what people call it.
            command: program and arguments.
            healthy: asks it whether it serves.
            environment: variables beside ours.
            restarts_after: an exit code after which it is started again.

        Raises:
            SandboxError: a program of that name runs.
        """
        former = self.processes.get(name)
        if former is not None and former.running:
            raise SandboxError(f"a program named {name} runs already; stop it first")
        log = self.logs / f"{name}.log"
        self.processes[name] = Process(
            name, command, log, healthy=healthy, environment=environment, restarts_after=restarts_after
        )
        return self.processes[name]

    def _prepare(self) -> None:
        STATE.mkdir(exist_ok=True)
        _prune(STATE)
        self._data.mkdir(mode=0o700)
        self.logs.mkdir()
        self._credentials = controlplane.make_credentials(self._data / "credentials")
        self._monitoring = monitoring.Monitoring(parts.prometheus(), self._data / "prometheus", self.logs)

    def _start_control_plane(self) -> None:
        processes = controlplane.processes(
            parts.control_plane(), self._credentials, self._data, self.logs, with_node=self._with_node
        )
        self.processes |= {**processes, "prometheus": self._monitoring.process}
        for process in processes.values():
            process.start()

    def _say(self, what: str, began: float) -> None:
        if not self._quiet:
            print(f"sandbox: {what} ready after {time.monotonic() - began:.1f} s", file=sys.stderr)


def _prune(state: Path) -> None:
    """Remove what killed sandboxes left more than a day ago."""
    for folder in state.iterdir():
        if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
