"""The demo agents on a running stack: for each release a Service, an address, a process and a scrape target.

It does what a platform's Deployments would do: bring up one agent for a release once its snapshot exists, and
report the agent ready once it answers. It never changes how an agent behaves; only bundles do that.
"""

import functools
import signal
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sandbox import scenarios
from sandbox.agents.endpoints import PORT, a_service
from sandbox.errors import CommandError, SandboxError
from sandbox.isolation import namespace
from sandbox.programs import web
from sandbox.programs.process import Process
from sandbox.stack import Stack

_ACCOUNT: Final = "support-agent"
_RIGHTS_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class AgentInstance:
    """The running agent of one release."""

    release: str
    address: str
    """`host:port` of the agent itself, behind the gateway's back."""
    snapshot: str
    """The ConfigMap that it read its bundle from."""
    process: Process
    """For faults: killed, paused or started again, while its endpoint and its scrape target stay."""

    @property
    def url(self) -> str:
        """Where it takes requests, without the gateway."""
        return f"http://{self.address}/run"


@dataclass(frozen=True, slots=True)
class _Place:
    """What a release says of its serving, and the address it got here."""

    agent: str
    service: str
    port: int
    host: str


class Fleet:
    """All agents of one namespace.

    Args:
        stack: it must run.
        namespace: created by `prepare` if it is not there.
        children_at_zero: releases whose agents create their metrics' label children at start; the others let
            them appear with the first count, as many real agents do.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        namespace: str = "support",
        children_at_zero: Collection[str] = (scenarios.HEALTHY,),
    ) -> None:
        self.namespace = namespace
        self.instances: dict[str, AgentInstance] = {}
        self._stack = stack
        self._children_at_zero = frozenset(children_at_zero)
        self._addresses = _agent_addresses()
        self._places: dict[str, _Place] = {}

    def prepare(self) -> None:
        """Create the namespace, and the identity with which agents read their snapshots.

        Raises:
            CommandError: the API server refused it.
        """
        self._stack.apply(_identity(self.namespace))
        self._wait_for_rights()
        self._kubeconfig = self._stack.account_kubeconfig(self.namespace, _ACCOUNT)

    def announce(self, release: str) -> None:
        """Create the Service of a release, with one endpoint that is not ready yet; announcing twice is fine.

        Raises:
            CommandError: the API server refused it, or has no such release.
            SandboxError: all addresses are taken.
        """
        self.set_ready(release, ready=release in self.instances)

    def deploy(self, release: str, seconds: float = 100) -> AgentInstance:
        """Start the agent of a release and return when it answers, is ready, and Prometheus knows of it.

        The operator must have written the snapshot by then, or do so within the time.

        Args:
            release: name of an AgentRelease that has been applied.
            seconds: how long to wait for the snapshot, and then for the agent.

        Raises:
            CommandError: there is no such release, or it has no snapshot in time.
            ProcessError: the agent did not start; the text holds the end of its log.
            SandboxError: all addresses are taken.
        """
        self.announce(release)
        address = f"{self._place(release).host}:{PORT}"
        # First of all, since Prometheus may take some seconds to discover it.
        self._stack.add_target(release, address, self._labels(release))
        snapshot = self._wait_for_snapshot(release, seconds)
        process = self._stack.add_process(
            release, self._command(release, snapshot, address), healthy=functools.partial(_serves, address)
        )
        process.start(seconds)
        instance = self.instances[release] = AgentInstance(release, address, snapshot, process)
        self.set_ready(release, ready=True)
        return instance

    def stop(self, release: str) -> None:
        """Take an agent away as a scale-down does: out of the endpoints, ended, no longer scraped.

        Raises:
            CommandError: the API server refused it.
        """
        instance = self.instances.pop(release)
        self.set_ready(release, ready=False)
        instance.process.stop(signal.SIGTERM)
        self._stack.remove_target(release)

    def set_ready(self, release: str, *, ready: bool) -> None:
        """Say that the endpoint of a release is ready, or is not, whatever its agent does.

        Raises:
            CommandError: the API server refused it.
        """
        place = self._place(release)
        self._stack.apply(a_service(self.namespace, place.service, place.host, port=place.port, ready=ready))

    def _labels(self, release: str) -> dict[str, str]:
        """What a PodMonitor makes of the namespace and the labels of a pod (docs/agent.md)."""
        agent = self._place(release).agent
        return {"job": "agents", "namespace": self.namespace, "agent": agent, "release": release}

    def _place(self, release: str) -> _Place:
        """Where a release is served; read once, so that its agent outlives its AgentRelease."""
        if release not in self._places:
            spec = self._release(release)["spec"]
            host = next(self._addresses, None)
            if host is None:
                taken = len(self._places)
                raise SandboxError(f"no address is left for {release}; the sandbox has {taken} for agents")
            service = spec["serving"]["service"]
            self._places[release] = _Place(spec["agent"], service["name"], service["port"], host)
        return self._places[release]

    def _release(self, name: str) -> dict[str, Any]:
        return self._stack.kubectl.get(f"agentrelease/{name}", f"--namespace={self.namespace}")

    def _wait_for_rights(self) -> None:
        """The API server learns of a new Role by watching; until then it refuses the agent."""
        account = f"system:serviceaccount:{self.namespace}:{_ACCOUNT}"
        who = (f"--as={account}", f"--namespace={self.namespace}")
        self._stack.kubectl.insist("auth", "can-i", "get", "configmaps", *who, seconds=_RIGHTS_SECONDS)

    def _wait_for_snapshot(self, release: str, seconds: float) -> str:
        try:
            self._stack.kubectl(
                "wait",
                f"agentrelease/{release}",
                f"--namespace={self.namespace}",
                "--for=jsonpath={.status.snapshot.name}",
                f"--timeout={seconds}s",
            )
        except CommandError as error:
            conditions = self._release(release).get("status", {}).get("conditions", [])
            said = "; ".join(f"{c['type']} {c['status']}: {c.get('message', '')}" for c in conditions)
            raise CommandError(
                f"{release} has no snapshot after {seconds:g} s ({said or 'the operator said nothing'})"
            ) from error
        return str(self._release(release)["status"]["snapshot"]["name"])

    def _command(self, release: str, snapshot: str, address: str) -> list[str]:
        flags = {
            "--kubeconfig": str(self._kubeconfig),
            "--namespace": self.namespace,
            "--snapshot": snapshot,
            "--listen": address,
            "--release": release,
        }
        zero = ["--children-at-zero"] if release in self._children_at_zero else []
        return [
            sys.executable,
            "-m",
            "sandbox.agent",
            *(part for flag in flags.items() for part in flag),
            *zero,
        ]


def _agent_addresses() -> Iterator[str]:
    """The addresses of `lo` that are free for agents: all but the API server's."""
    return iter(namespace.ADDRESSES[1:])


def _serves(address: str) -> bool:
    return web.answers(f"http://{address}/healthz")


def _identity(namespace: str) -> list[dict[str, Any]]:
    """A namespace with a ServiceAccount that may read ConfigMaps there, and nothing else."""
    within = {"name": _ACCOUNT, "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": within},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": within,
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": within,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": _ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", **within}],
        },
    ]
