"""The page as a pod of the chart: ready without any right, and each reader sees what their own token may."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests

from sandbox.node.cluster import Cluster
from tests.e2e.people.readers import LOOKS, readers_in
from tests.e2e.scene import Scene
from tests.node.pods import OperatorPods, is_ready

HOST: Final = "agentrollouts.example.com"
NAME: Final = "agentrollouts-dashboard"
API_SERVER: Final = "kubernetes.default.svc"
"""How the pod names it. The node has no DNS, so the test writes the address into the pod's /etc/hosts."""
SECONDS: Final = 120
Seen = tuple[int, str]


class Page:
    """The page at the address of its pod, where an ingress reaches it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str, token: str = "", host: str = HOST) -> Seen:
        """Status and text of a page."""
        headers = {"Host": host} | ({"Authorization": f"Bearer {token}"} if token else {})
        answer = self._session.get(
            f"http://{self._address}{path}", headers=headers, timeout=SECONDS, allow_redirects=False
        )
        return answer.status_code, answer.text


@pytest.fixture
def served(stack: Cluster, operator: OperatorPods) -> Iterator[Page]:
    """The page in its pod; the chart is as before at the end."""
    within = f"--namespace={operator.namespace}"
    operator.upgrade(dashboard={"enabled": True, "hosts": [HOST]})
    api_server = stack.kubectl.get("service/kubernetes", "--namespace=default")["spec"]["clusterIP"]
    aliases = [{"ip": api_server, "hostnames": [API_SERVER]}]
    patch = {"spec": {"template": {"spec": {"hostAliases": aliases}}}}
    stack.kubectl("patch", "deployment", NAME, within, f"--patch={json.dumps(patch)}")
    stack.kubectl("rollout", "status", f"deployment/{NAME}", within, f"--timeout={SECONDS}s")
    yield Page(f"{pod_of(stack, operator)['status']['podIP']}:{operator.port}")
    operator.upgrade(dashboard={"enabled": False})


def pod_of(stack: Cluster, operator: OperatorPods) -> dict[str, Any]:
    """The pod that serves it; one that is being replaced is gone soon."""
    selector = f"--selector=app.kubernetes.io/name={NAME}"
    pods = stack.kubectl.get("pods", f"--namespace={operator.namespace}", selector)["items"]
    (pod,) = (each for each in pods if "deletionTimestamp" not in each["metadata"])
    return dict(pod)


def test_the_page_shows_each_reader_their_namespace(
    served: Page, given: Scene, stack: Cluster, operator: OperatorPods
) -> None:
    """Its pod has no token; without one a request is 401, and another namespace than the reader's is 403."""
    given.serving("agent")
    readers_in(given)
    token = stack.kubectl("create", "token", LOOKS, f"--namespace={given.namespace}").strip()

    pod = pod_of(stack, operator)
    assert is_ready(pod)
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["kubernetes-ca"]
    assert served.get("/.healthz", host="10.0.0.1") == (200, "ok")
    service = f"/api/v1/namespaces/{operator.namespace}/services/{NAME}:http/proxy/.healthz"
    assert stack.kubectl("get", "--raw", service) == "ok"
    nobody, wrong = served.get(f"/{given.namespace}"), served.get(f"/{given.namespace}", "wrong")
    assert (nobody[0], 'name="token"' in nobody[1]) == (401, True)
    assert (wrong[0], "The API server does not accept the token" in wrong[1]) == (401, True)
    listed, one = served.get(f"/{given.namespace}", token), served.get(f"/{given.namespace}/agent", token)
    assert (listed[0], f'href="/{given.namespace}/agent"' in listed[1]) == (200, True)
    assert (one[0], "agent-1.0.0" in one[1]) == (200, True)
    assert [served.get(path, token)[0] for path in ("/", "/kube-system")] == [403, 403]
    assert served.get(f"/{given.namespace}", token, host="elsewhere.example.com")[0] == 403
