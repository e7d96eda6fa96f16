"""`sandbox.stack` on real parts; run by `test_stack.py` inside a sandbox of its own.

By hand it is `python -m sandbox run -- python -m pytest tests/sandbox/inside_stack.py`.
"""

import functools
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sandbox.agents.endpoints import PORT, a_service
from sandbox.errors import CommandError, SandboxError
from sandbox.parts import parts
from sandbox.programs import web
from sandbox.programs.kubectl import Kubectl
from sandbox.stack import Stack
from tests.inside import eventually

AGENTS = ("10.77.0.11", "10.77.0.12")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for all tests of this file; it begins without the Gateway API."""
    with Stack(with_gateway_api=False, quiet=True) as started:
        yield started


def config_map(name: str, **metadata: object) -> dict[str, Any]:
    """A ConfigMap in the namespace default."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", **metadata},
    }


def test_versions(stack: Stack) -> None:
    """The API server says its real version, and the administrator is who it should be."""
    version = json.loads(stack.kubectl("version", "--output=json"))["serverVersion"]["gitVersion"]
    groups = json.loads(stack.kubectl("auth", "whoami", "--output=json"))["status"]["userInfo"]["groups"]

    assert version == f"v{parts.KUBERNETES_VERSION}"
    assert groups == ["system:masters", "system:authenticated"]


def test_environment(stack: Stack) -> None:
    """In a program started with the stack's variables, kubectl and helm reach the stack's API server."""
    script = (
        "import subprocess as s; s.run(['kubectl', 'get', 'namespace/default'], check=True);"
        "s.run(['helm', 'list'], check=True)"
    )
    tools = stack.add_process("tools", [sys.executable, "-c", script], environment=stack.environment)

    tools.launch()
    eventually(lambda: not tools.running)

    assert tools.stop() == 0, tools.tail()
    remembered = (
        stack.kubeconfig.parent / "kubectl"
    )  # of this API server; another sandbox has the same address
    assert (remembered / "discovery").is_dir()


def test_garbage_collection(stack: Stack) -> None:
    """An owned object goes after its owner."""
    stack.apply(config_map("owner"))
    uid = stack.kubectl.get("configmap/owner")["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    stack.apply(config_map("owned", ownerReferences=[owner]))

    stack.kubectl("delete", "configmap/owner")

    stack.kubectl("wait", "configmap/owned", "--for=delete", "--timeout=60s")


def test_namespace_ends(stack: Stack) -> None:
    """A deleted namespace really goes."""
    stack.kubectl("create", "namespace", "short-lived")

    stack.kubectl("delete", "namespace", "short-lived", "--timeout=60s")

    assert "short-lived" not in stack.kubectl("get", "namespaces")


def test_account(stack: Stack) -> None:
    """A ServiceAccount's kubeconfig carries the rights of its Role and no other."""
    stack.kubectl("create", "serviceaccount", "reader")
    stack.kubectl("create", "role", "reader", "--verb=list", "--resource=configmaps")
    stack.kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:reader")
    reader = Kubectl(parts.kubectl(), stack.account_kubeconfig("default", "reader"))

    eventually(
        lambda: (
            stack.kubectl("auth", "can-i", "list", "configmaps", "--as=system:serviceaccount:default:reader")
            == "yes\n"
        )
    )
    assert reader.get("configmaps")["kind"] == "List"
    with pytest.raises(CommandError, match='cannot list resource "secrets"'):
        reader("get", "secrets")


def test_unknown_account(stack: Stack) -> None:
    """An account that is not there is an error with the words of kubectl."""
    with pytest.raises(CommandError, match='serviceaccounts "nobody" not found'):
        stack.account_kubeconfig("default", "nobody")


def test_targets(stack: Stack) -> None:
    """A target added while Prometheus runs is scraped with its labels, and no more once it is removed."""
    stack.add_target("itself", "10.77.0.1:9090", {"job": "itself", "namespace": "support"})
    eventually(lambda: stack.query('up{job="itself",namespace="support"}==1') != [])

    stack.remove_target("itself")
    eventually(lambda: stack.query('up{job="itself"}') == [])


def test_prometheus_fails(stack: Stack) -> None:
    """Prometheus can be stopped and hung; started again it still knows its targets."""
    prometheus = stack.processes["prometheus"]
    stack.add_target("again", "10.77.0.1:9090", {"job": "again"})

    prometheus.stop()
    assert not web.answers(f"{stack.prometheus_url}/-/ready")
    prometheus.start()
    prometheus.pause()
    with pytest.raises(TimeoutError):
        web.get(f"{stack.prometheus_url}/-/ready", seconds=0.2)
    prometheus.resume()

    eventually(lambda: stack.query('up{job="again"}==1') != [])


def test_apiserver_fails(stack: Stack) -> None:
    """The API server can be killed and started again, and has forgotten nothing."""
    stack.apply(config_map("kept"))

    stack.processes["apiserver"].stop()
    with pytest.raises(CommandError):
        stack.kubectl("get", "configmap/kept")
    stack.processes["apiserver"].start()

    assert stack.kubectl.get("configmap/kept")["metadata"]["name"] == "kept"


def test_second_stack_here(stack: Stack) -> None:
    """A second stack in the same sandbox is refused, and its closing leaves the first alone."""
    second = Stack(quiet=True)

    with pytest.raises(SandboxError, match="a stack runs in this sandbox already"):
        second.start()
    second.close()

    assert stack.kubectl.get("namespace/default")["metadata"]["name"] == "default"
    assert stack.kubeconfig.exists()


def test_same_name(stack: Stack) -> None:
    """A running program's name cannot be taken."""
    with pytest.raises(SandboxError, match="a program named etcd runs already; stop it first"):
        stack.add_process("etcd", ["true"])


def test_gateway(stack: Stack) -> None:
    """The Gateway API can be installed late; then a route splits real requests by its weights."""
    with pytest.raises(CommandError, match='no matches for kind "HTTPRoute"'):
        stack.apply(route(weights=(3, 1)))

    stack.install_gateway_api()
    for address in AGENTS:
        start_agent(stack, address)
        stack.apply(a_service("default", service_of(address), address))
    stack.apply(route(weights=(3, 1)))
    ask = functools.partial(web.get, f"{stack.gateway_url}/", headers={"Host": "split.example.com"})
    eventually(functools.partial(web.answers, f"{stack.gateway_url}/", headers={"Host": "split.example.com"}))

    answers = [ask() for _ in range(40)]

    assert [answers.count(address) for address in AGENTS] == [30, 10]
    eventually(lambda: stack.query('traefik_service_requests_total{job="gateway"}') != [])


def test_gateway_in_namespace(stack: Stack) -> None:
    """Each namespace may have a Gateway `public` of its own."""
    stack.kubectl("create", "namespace", "support")

    stack.add_gateway("support")

    conditions = stack.kubectl.get("gateway/public", "--namespace=support")["status"]["conditions"]
    statuses = {condition["type"]: condition["status"] for condition in conditions}
    assert statuses == {"Accepted": "True", "Programmed": "True"}


def start_agent(stack: Stack, address: str) -> None:
    """Start a server that answers every request with its own address."""
    script = (
        "from http.server import *\n"
        "class Answer(BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        f"        self.send_response(200); self.end_headers(); self.wfile.write(b'{address}')\n"
        f"HTTPServer(('{address}', {PORT}), Answer).serve_forever()\n"
    )
    healthy = functools.partial(web.answers_tcp, address, PORT)
    stack.add_process(f"agent-{address}", [sys.executable, "-c", script], healthy=healthy).start()


def service_of(address: str) -> str:
    """The Service of an agent."""
    return f"agent-{address.rpartition('.')[2]}"


def route(weights: tuple[int, int]) -> Mapping[str, Any]:
    """An HTTPRoute that splits between the two agents."""
    backends = [
        {"name": service_of(address), "port": PORT, "weight": weight}
        for address, weight in zip(AGENTS, weights, strict=True)
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "split"},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "hostnames": ["split.example.com"],
            "rules": [{"backendRefs": backends}],
        },
    }
