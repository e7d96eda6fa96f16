"""What `check --probe` finds of real answers, through `kubectl proxy` and the API server."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from sandbox.agents.endpoints import PORT, SPARE, a_service
from sandbox.isolation.namespace import ADDRESSES
from sandbox.stack import Stack
from tests.e2e.manifests import FIRST, routed, service_of
from tests.e2e.people.readers import VIEWER, readers_in
from tests.e2e.plugin.by_kubectl import Done, plugin
from tests.e2e.scene import SECOND, Scene

OTHER: Final = ADDRESSES[-2]
BODY: Final = b"what a customer said"
STABLE, CANARY = f"probed-{FIRST}", f"probed-{SECOND}"


@dataclass
class Agent:
    """What a release answers, and what it was asked."""

    headers: Mapping[str, str]
    status: int = 200
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    """Method and path of each request, and whether it had credentials."""


@contextmanager
def serving(host: str, agent: Agent) -> Iterator[None]:
    """It answers where the endpoint of its Service is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            agent.asked.append((self.command, self.path, "authorization" in self.headers))
            self.send_response(agent.status)
            for name, text in agent.headers.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer((host, PORT), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def test_each_release_is_asked_for_its_name(given: Scene, stack: Stack) -> None:
    """One GET to each, without credentials; a wrong name, a redirect and a lost right have their lines."""
    (shop,) = given.in_canary("probed", traffic=routed(given.namespace))
    given.api.apply(*a_service(given.namespace, service_of(CANARY), OTHER))
    for release, host in ((STABLE, SPARE), (CANARY, OTHER)):
        behind(given, stack, service_of(release), host)
    readers_in(given)
    right = {
        each["release"]: {"agent-release": each["release"], "agent-release-digest": each["digest"]}
        for each in (shop.status["stable"], shop.status["canary"])
    }
    stable, canary = Agent(right[STABLE]), Agent(right[CANARY])

    with serving(SPARE, stable), serving(OTHER, canary):
        good = check(given, stack)
        asked = [[*each.asked] for each in (stable, canary)]
        forbidden = check(given, stack, f"--as={VIEWER}")
        assert [[*each.asked] for each in (stable, canary)] == asked
        canary.headers = right[STABLE]
        wrong = check(given, stack)
        canary.headers, canary.status = {"location": "/other"}, 302
        moved = check(given, stack)
    gone = check(given, stack)

    assert (good.returncode, lines(good)) == (
        0,
        [f"  ✓ {each} names its release and its digest in its answers" for each in (CANARY, STABLE)],
    ), good.stdout
    assert asked == [[("GET", "/healthz", False)]] * 2
    assert (forbidden.returncode, [each[:29] for each in lines(forbidden)]) == (
        0,
        ["  ! you may not send requests"] * 2,
    ), forbidden.stdout
    assert (wrong.returncode, lines(wrong)[0]) == (
        1,
        f"  ✗ {CANARY} answers GET /healthz with agent-release: {STABLE}",
    ), wrong.stdout
    assert (moved.returncode, lines(moved)[0]) == (
        1,
        f"  ✗ {CANARY} answers GET /healthz with 302, without agent-release and agent-release-digest",
    ), moved.stdout
    assert "/other" not in [path for _, path, _ in canary.asked]
    assert (gone.returncode, [each.partition(" GET")[0] for each in lines(gone)]) == (
        0,
        [f"  ! {each} did not answer" for each in (CANARY, STABLE)],
    ), gone.stdout
    assert BODY.decode() not in "".join(each.stdout + each.stderr for each in (good, wrong, moved))
    assert proxies() == []


def behind(given: Scene, stack: Stack, service: str, host: str) -> None:
    """Put a pod behind a Service: the API server sends requests to pods in Endpoints, and to nothing else."""
    pod = {"kind": "Pod", "namespace": given.namespace, "name": service}
    address = {"ip": host, "targetRef": pod}
    where = {"name": service, "namespace": given.namespace}
    stack.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": where,
                "spec": {"containers": [{"name": "agent", "image": "agent"}]},
            },
            {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": where,
                "subsets": [{"addresses": [address], "ports": [{"name": "http", "port": PORT}]}],
            },
        ]
    )
    status = {"status": {"phase": "Running", "podIP": host, "podIPs": [{"ip": host}]}}
    patch = ("--subresource=status", "--type=merge", f"--patch={json.dumps(status)}")
    stack.kubectl("patch", f"pod/{service}", f"--namespace={given.namespace}", *patch)


def check(given: Scene, stack: Stack, *flags: str) -> Done:
    """Probe the rollout, with sentences on one line each."""
    command = ("check", "probed", "-n", given.namespace, "--probe", "/healthz", *flags)
    return plugin(stack, *command, COLUMNS="400")


def lines(done: Done) -> list[str]:
    """The last lines of the section Agent, one for each release."""
    after = done.stdout.split("\nAgent\n")[1].splitlines()[:-1]
    return [each for each in after if "→" not in each][-2:]


def proxies() -> list[str]:
    """Processes of kubectl that still serve a socket."""
    found = [each.read_text() for each in Path("/proc").glob("[0-9]*/cmdline")]
    return [each for each in found if "--unix-socket" in each and "--accept-paths" in each]
