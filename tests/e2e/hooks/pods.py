"""What a kubelet does with the pods of Jobs: runs the container's command, and reports how it ended.

The sandbox has no nodes. The Job controller is real: it makes the pods, and the Job's status from theirs. The
command and its variables are exactly those of the pod.
"""

import contextlib
import os
import subprocess
import threading
from datetime import UTC, datetime
from typing import Any, Final, Self

import requests

from sandbox.stack import Stack
from tests.e2e.api import Api

PATH: Final = os.environ["PATH"]
Manifest = dict[str, Any]


class Pods:
    """Runs the pods of one namespace, one after the other, from `with` on."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self._stack = stack
        self._namespace = namespace
        self._api = Api(stack)
        self._is_over = threading.Event()
        self.started: list[Manifest] = []
        """The pods, in the order in which they ran."""
        self.environments: dict[str, dict[str, str]] = {}
        """The variables of the pods, by Job."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True, name="kubelet").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()  # the thread ends with its connection, when the stack does

    def _watch(self) -> None:
        with contextlib.suppress(requests.RequestException):  # the API server ends first
            for event in Api(self._stack).watch("Pod"):
                pod = event["object"]
                if self._is_over.is_set():
                    return
                if event["type"] == "ADDED" and pod["metadata"]["namespace"] == self._namespace:
                    self._run(pod)

    def _run(self, pod: Manifest) -> None:
        self.started.append(pod)
        [container] = pod["spec"]["containers"]
        environment = {variable["name"]: variable["value"] for variable in container["env"]}
        self.environments[pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]] = environment
        done = run(container["command"], environment)
        code = done.returncode
        end = {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": _now()}
        state = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": end},
        }
        phase = "Failed" if code else "Succeeded"
        status = {"phase": phase, "startTime": _now(), "containerStatuses": [state]}
        self._api.replace_status({"kind": "Pod", "metadata": pod["metadata"], "status": status})


def run(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the command of a container to its end."""
    return subprocess.run(  # noqa: S603 the test's own program
        command, env={"PATH": PATH, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
