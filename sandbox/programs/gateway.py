"""The gateway: Traefik as the data plane of the Gateway API, and the objects that make it serve.

It throttles configuration changes to one in two seconds by default; a rollback must not wait for that, so the
sandbox sets 100 ms, as our documentation tells users to.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.programs import web
from sandbox.programs.process import Process

URL = "http://127.0.0.1:8000"
METRICS_ADDRESS = "127.0.0.1:8082"
CLASS = "sandbox"
NAME = "public"


def process(program: Path, kubeconfig: Path, logs: Path) -> Process:
    """Traefik, not started yet; it wants the Gateway API's CRDs in place."""
    flags = [
        "--providers.kubernetesgateway=true",
        "--providers.providersthrottleduration=100ms",
        f"--entrypoints.web.address={URL.removeprefix('http://')}",
        f"--entrypoints.metrics.address={METRICS_ADDRESS}",
        "--metrics.prometheus=true",
        "--metrics.prometheus.entryPoint=metrics",
        "--metrics.prometheus.addServicesLabels=true",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
        "--log.level=INFO",
    ]
    return Process(
        "traefik",
        [program, *flags],
        logs / "traefik.log",
        healthy=functools.partial(web.answers, f"http://{METRICS_ADDRESS}/metrics"),
        environment={"KUBECONFIG": str(kubeconfig)},
    )


def gateway_class() -> Mapping[str, Any]:
    """The GatewayClass that Traefik answers for."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": CLASS},
        "spec": {"controllerName": "traefik.io/gateway-controller"},
    }


def gateway(namespace: str) -> Mapping[str, Any]:
    """A Gateway named `public` in a namespace, open to the routes of all namespaces.

    Several may stand side by side: they share Traefik's one port.
    """
    port = int(URL.rpartition(":")[2])  # Traefik wants a listener's port to be that of an entry point
    listener = {
        "name": "web",
        "protocol": "HTTP",
        "port": port,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
    }
