"""`agentrollouts derive --workload` as a process on the real API server. No operator runs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.conditions import READY, find_condition
from agentrollouts.core.release.decide import ReleaseObservation, decide_release
from agentrollouts.core.release.snapshot import snapshot_name, snapshot_write
from sandbox.stack import Stack
from testkit.builders.workloads import a_workload
from tests.command import run
from tests.contract.server import ApiServer
from tests.core.release.releases import SMALL, a_release, bundle_of

WHERE: Final = "derive"
BASE, NEXT = "support-agent-4.2.0", "support-agent-4.2.1"


def manifest_of(release: AgentRelease) -> dict[str, Any]:
    """The release as a team writes it, with a Service of its own."""
    serving = {"service": {"name": "support-agent-4-2-0", "port": 8080}}
    return {
        "apiVersion": release.api_version,
        "kind": release.kind,
        "metadata": {"name": release.metadata.name, "namespace": WHERE},
        "spec": release.spec.to_json() | {"serving": serving},
    }


def placed(manifest: Any) -> dict[str, Any]:  # noqa: ANN401 any object
    """An object in the namespace."""
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": WHERE}}


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: ApiServer) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """A namespace with a release as the operator leaves it, and what a team runs it by."""
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    bundle = bundle_of(SMALL)
    stack.apply(manifest_of(a_release(SMALL, BASE)))
    release = stored(stack, "agentrelease", BASE)
    snapshot = placed(snapshot_write(AgentRelease.model_validate(release), bundle).manifest)
    name = snapshot["metadata"]["name"]
    stack.apply([snapshot, *map(placed, a_workload(BASE, "4.2.0", name))])
    status = {"status": {"digest": bundle.digest, "snapshot": {"name": name}}}
    patch = ("patch", "agentrelease", BASE, f"--namespace={WHERE}", "--subresource=status", "--type=merge")
    stack.kubectl(*patch, f"--patch={json.dumps(status)}")
    yield stack
    stack.kubectl("delete", "namespace", WHERE, "--wait=false")


def stored(stack: Stack, kind: str, name: str) -> dict[str, Any]:
    """An object as the API server has it."""
    found = stack.kubectl("get", kind, name, f"--namespace={WHERE}", "--output=json")
    return dict(json.loads(found))


def test_what_is_printed_can_be_applied_as_it_is(world: Stack) -> None:
    """The release becomes Ready by the snapshot that the Deployment mounts; no Service selects both pods."""
    arguments = ["derive", BASE, "--version=4.2.1", "--set=model=anthropic/claude-x-2026-09-01", "--workload"]
    done = run(world.kubeconfig, [*arguments, f"--namespace={WHERE}"])
    assert done.returncode == 0, done.stderr
    world.kubectl("apply", "--server-side", "--validate=strict", "--filename=-", stdin=done.stdout)

    release = AgentRelease.model_validate(stored(world, "agentrelease", NEXT))
    decided = decide_release(ReleaseObservation(now=datetime.now(UTC), release=release)).status
    assert decided is not None
    ready = find_condition(decided.conditions, READY)
    assert ready is not None
    assert ready.status is ConditionStatus.TRUE, ready.message
    assert release.spec.serving is not None
    service = stored(world, "service", release.spec.serving.service.name)["spec"]
    old, new = (stored(world, "deployment", name.replace(".", "-"))["spec"] for name in (BASE, NEXT))
    volume = new["template"]["spec"]["volumes"][0]["configMap"]["name"]
    assert volume == snapshot_name("support-agent", str(decided.digest))
    labels = [each["template"]["metadata"]["labels"].items() for each in (old, new)]
    assert [service["selector"].items() <= each for each in labels] == [False, True]
    before = stored(world, "service", "support-agent-4-2-0")["spec"]
    assert [before["selector"].items() <= each for each in labels] == [True, False]
    assert service["clusterIP"] != before["clusterIP"]


def test_a_second_time_it_is_refused(world: Stack) -> None:
    """The release exists then, and nothing is replaced."""
    arguments = ["derive", BASE, "--version=4.2.1", "--name=support-agent-again", "--set=model=a/b"]
    arguments.append("--service=support-agent-4-2-1")
    done = run(world.kubeconfig, [*arguments, "--workload", f"--namespace={WHERE}"])

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "--workload: Deployment support-agent-4-2-1 exists; give another --name or --service\n"
    )
