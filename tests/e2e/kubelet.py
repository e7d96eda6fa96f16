"""What a kubelet and the controllers around it do for one namespace: Deployments become processes.

The sandbox has no nodes. A container's command is the test's; its environment, its ConfigMap volume, its
Service and what Prometheus adds to its series come from the objects that the API server has.
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from sandbox.agents.endpoints import PORT
from sandbox.isolation.namespace import ADDRESSES
from sandbox.programs import web
from sandbox.programs.process import Process
from sandbox.stack import Stack

POD_ADDRESSES: Final = ADDRESSES[1:]


class Kubelet:
    """Starts one process for each Deployment of a namespace.

    Args:
        stack: It must be running.
        namespace: Where the Deployments are.
        command: What every container runs.
        folder: For mounted ConfigMaps.
    """

    def __init__(self, stack: Stack, namespace: str, command: Sequence[str], folder: Path) -> None:
        self._stack = stack
        self._namespace = namespace
        self._command = command
        self._folder = folder
        self._pods: dict[str, Process] = {}

    def sync(self) -> None:
        """Start what has a Deployment and a Service and is not running yet; return when it is ready."""
        services = {found["metadata"]["name"]: found for found in self._list("services")}
        for deployment in self._list("deployments"):
            name = deployment["metadata"]["name"]
            if name in services and name not in self._pods:
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
            self._command,
            healthy=partial(web.answers, f"{url}{probe}"),
            environment=self._environment(template["spec"], container) | {"HOST": address},
        )
        process.start()
        self._pods[name] = process
        # As a scrape configuration with `__meta_kubernetes_namespace` does.
        self._stack.add_target(name, f"{address}:{PORT}", {"namespace": self._namespace})
        self._stack.apply(self._endpoints(service, address))

    def _environment(self, pod: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
        """The variables of a container; paths below a mount lead to the folder that stands in for it."""
        [volume], [mount] = pod["volumes"], container["volumeMounts"]
        assert volume["name"] == mount["name"]
        mounted = self._mount(volume["configMap"]["name"])
        return {
            found["name"]: found["value"].replace(f"{mount['mountPath']}/", f"{mounted}/")
            for found in container["env"]
        }

    def _mount(self, config_map: str) -> Path:
        found = self._stack.kubectl.get(f"configmap/{config_map}", f"--namespace={self._namespace}")
        folder = self._folder / config_map
        folder.mkdir()
        for key, text in found["data"].items():
            (folder / key).write_text(text)
        return folder

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
