"""What a kubelet and the controllers around it do for one namespace: Deployments become processes.

The sandbox has no nodes. A container's program is the test's; its environment, its ConfigMap volume, its
Service and the labels of its series come from the objects that the API server has.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

from sandbox.agents.endpoints import PORT
from sandbox.isolation.namespace import ADDRESSES
from sandbox.programs import web
from sandbox.programs.process import Process
from sandbox.stack import Stack
from tests.e2e.podmonitors import target_labels

POD_ADDRESSES: Final = ADDRESSES[1:]


class Kubelet:
    """Starts one process for each Deployment of a namespace that is not a template.

    Args:
        stack: It must be running.
        namespace: Where the Deployments are.
        program: The Python file that every container runs.
        folder: For mounted ConfigMaps.
    """

    def __init__(self, stack: Stack, namespace: str, program: Path, folder: Path) -> None:
        self._stack = stack
        self._namespace = namespace
        self._program = program
        self._folder = folder
        self._pods: dict[str, Process] = {}

    def sync(self) -> None:
        """Start what has a Deployment and a Service and is not running yet; return when it is ready."""
        services = {service["metadata"]["name"]: service for service in self._list("services")}
        for deployment in self._list("deployments"):
            name = deployment["metadata"]["name"]
            if name in services and name not in self._pods and deployment["spec"]["replicas"]:
                self._start(deployment, services[name])

    def stop(self) -> None:
        """End all processes."""
        for name, process in self._pods.items():
            self._stack.remove_target(name)
            process.stop()

    def _start(self, deployment: dict[str, Any], service: dict[str, Any]) -> None:
        name, template = deployment["metadata"]["name"], deployment["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items(), service
        address = POD_ADDRESSES[len(self._pods)]
        url = f"http://{address}:{PORT}"
        [container] = template["spec"]["containers"]
        probe = container["readinessProbe"]["httpGet"]["path"]
        process = self._stack.add_process(
            f"{self._namespace}-{name}",
            [sys.executable, self._container(name, template["spec"], container)],
            healthy=partial(web.answers, f"{url}{probe}"),
            environment={variable["name"]: variable["value"] for variable in container["env"]}
            | {"HOST": address},
        )
        process.start()
        self._pods[name] = process
        self._stack.add_target(name, f"{address}:{PORT}", self._labels(template["metadata"]["labels"]))
        self._stack.apply(self._endpoints(service, address))

    def _labels(self, pod: dict[str, str]) -> dict[str, str]:
        """The labels of all series of a pod: the Prometheus operator adds the namespace by itself."""
        [monitor] = self._list("podmonitors")
        return {"namespace": self._namespace, **target_labels(monitor, pod)}

    def _container(self, name: str, pod: dict[str, Any], container: dict[str, Any]) -> Path:
        """The program of a container, in which the path of the mount is the folder that represents it."""
        [volume], [mount] = pod["volumes"], container["volumeMounts"]
        assert volume["name"] == mount["name"]
        folder = self._folder / name
        self._mount(volume["configMap"]["name"], folder)
        copy = folder / self._program.name
        copy.write_text(self._program.read_text().replace(mount["mountPath"], str(folder)))
        return copy

    def _mount(self, config_map: str, folder: Path) -> None:
        manifest = self._stack.kubectl.get(f"configmap/{config_map}", f"--namespace={self._namespace}")
        folder.mkdir()
        for key, text in manifest["data"].items():
            (folder / key).write_text(text)

    def _endpoints(self, service: dict[str, Any], address: str) -> dict[str, Any]:
        """What the EndpointSlice controller makes of a Service with one ready pod."""
        name = service["metadata"]["name"]
        labels = {"kubernetes.io/service-name": name}
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": self._namespace, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": service["spec"]["ports"][0]["name"], "port": PORT}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }

    def _list(self, kind: str) -> list[dict[str, Any]]:
        text = self._stack.kubectl("get", kind, f"--namespace={self._namespace}", "--output=json")
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items
