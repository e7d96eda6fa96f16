"""The operator as an administrator has it: its chart and its image, run as pods by the node."""

import os
import signal
from collections.abc import Mapping
from typing import Any, Final

from sandbox.operator import CHART, OperatorProcess
from sandbox.stack import Stack
from tests.e2e.witness import eventually
from tests.node.processes import find_process

IMAGE: Final = {"repository": "localhost/agentrollouts", "tag": "dev", "pullPolicy": "Never"}
NAMELESS: Final = {**IMAGE, "repository": "localhost/agentrollouts-nameless"}
"""The same image without the line of its user in /etc/passwd, as others may build it."""
LEASE_LOST: Final = 3
"""The exit code of a container that lost the Lease."""
READY_SECONDS: Final = 120
"""Within which both replicas are Ready after `helm install`."""

_SELECTOR: Final = "app.kubernetes.io/name=agentrollouts"


class OperatorPods(OperatorProcess):
    """The operator in its pods; what is inherited of a process of ours is not used.

    Args:
        stack: one with a node.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, values={"image": IMAGE})
        self._settings = self._values["settings"]
        self.kubectl = stack.kubectl
        self.logs: dict[str, str] = {}
        """What ended pods have logged, as far as it was read."""

    def install(self) -> None:
        """Install the chart or upgrade it, and wait until every replica is Ready."""
        flags = ("--create-namespace", "--wait", f"--timeout={READY_SECONDS}s", "--values", "-")
        self._helm("upgrade", "--install", self.name, str(CHART), *flags)

    def uninstall(self) -> str:
        """Uninstall the chart; what helm printed."""
        return self._helm("uninstall", self.name)

    def upgrade(self, **values: object) -> None:
        """Change values of the chart."""
        self._values |= values
        self.install()

    def configure(self, **settings: object) -> None:
        """Change the settings; without any they are as at first."""
        self.upgrade(settings={**self._settings, **settings})

    def pods(self) -> dict[str, dict[str, Any]]:
        """The pods that are not being deleted, by name."""
        items = self.kubectl.get("pods", f"--namespace={self.namespace}", f"--selector={_SELECTOR}")["items"]
        return {pod["metadata"]["name"]: pod for pod in items if "deletionTimestamp" not in pod["metadata"]}

    def roles(self) -> list[dict[str, Any]]:
        """What the chart grants to the operator."""
        lease = self.kubectl.get(f"role/{self.name}-lease", f"--namespace={self.namespace}")
        return [self.kubectl.get(f"clusterrole/{self.name}"), lease]

    def leader(self) -> str:
        """The pod that holds the Lease; empty while none does."""
        lease = self.kubectl.get(f"lease/{self.name}", f"--namespace={self.namespace}")
        return str(lease["spec"].get("holderIdentity") or "")

    def leader_and_other(self) -> tuple[str, str]:
        """The pod that leads, and the one that waits; both are Ready."""
        eventually("two pods are Ready", lambda: len(list(filter(is_ready, self.pods().values()))) == 2)
        leader = eventually("a pod leads", lambda: self.leader() if self.leader() in self.pods() else "")
        (other,) = self.pods().keys() - {leader}
        return leader, other

    def delete(self, pod: str, *flags: str) -> None:
        """Delete a pod without waiting for its end."""
        self.kubectl("delete", "pod", pod, f"--namespace={self.namespace}", "--wait=false", *flags)

    def send(self, pod: str, number: signal.Signals) -> None:
        """Send a signal to the operator's process in a pod, as the kernel of its node can."""
        process = find_process(f"POD_ID={pod}", "agentrollouts\0operator")
        assert process is not None, f"no process of pod {pod}"
        os.kill(process, number)

    def read_logs(self) -> None:
        """Read what the pods have logged until now, also before a restart."""
        for pod, manifest in self.pods().items():
            statuses: list[Mapping[str, Any]] = manifest["status"].get("containerStatuses", [])
            again = [["--previous"]] if any(status["restartCount"] for status in statuses) else []
            for flags in ([], *again):
                text = self.kubectl("logs", pod, f"--namespace={self.namespace}", *flags)
                self.logs[f"{pod}{''.join(flags)}"] = text


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether the kubelet says that a pod is Ready."""
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def restarts(pod: Mapping[str, Any]) -> int:
    """How often the containers of a pod were started again."""
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses", []))


def has_crashed(pod: Mapping[str, Any]) -> bool:
    """Whether a container of a pod was started again, and not since it lost the Lease.

    That it loses when the API server does not answer for seconds, as on a machine that stalls.
    """
    statuses = pod["status"].get("containerStatuses", [])
    ends = [status["lastState"].get("terminated", {}).get("exitCode") for status in statuses]
    return restarts(pod) > 0 and LEASE_LOST not in ends
