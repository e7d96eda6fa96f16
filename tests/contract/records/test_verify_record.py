"""`agentrollouts verify-record` on records that a real API server stored and kubectl printed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from agentrollouts.cli.record.verify import BROKEN, HOLDS
from agentrollouts.core.release.canonical import canonical
from sandbox.stack import Stack
from testkit.builders.names import AGENT
from testkit.records import Records, some_records
from tests.command import Done, run
from tests.contract.server import ApiServer
from tests.contract.test_policies import a_rollout

WHERE: Final = "verify-record"


@pytest.fixture(scope="module")
def records(stack: Stack, api_server: ApiServer) -> Iterator[Records]:  # noqa: ARG001 the kinds must be there
    """The records of a rollout whose status names their head."""
    rollout: dict[str, Any] = a_rollout() | {"metadata": {"name": AGENT, "namespace": WHERE}}
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    stack.apply(rollout)
    uid = stack.kubectl(
        "get", f"agentrollout/{AGENT}", f"--namespace={WHERE}", "--output=jsonpath={.metadata.uid}"
    )
    drawn = some_records(3, uid=uid)
    for each in drawn.objects:
        each["metadata"]["namespace"] = WHERE
        stack.apply(each)
    newest = drawn.objects[-1]["spec"]
    known = {name: newest[name] for name in ("attempt", "part", "release", "digest")}
    record = {"name": drawn.objects[-1]["metadata"]["name"], "head": drawn.head, **known}
    status = canonical({"status": {"record": record}}).decode()
    stack.kubectl(
        "patch",
        f"agentrollout/{AGENT}",
        f"--namespace={WHERE}",
        "--subresource=status",
        "--type=merge",
        f"-p={status}",
    )
    yield drawn
    stack.kubectl("delete", f"namespace/{WHERE}", "--wait=false")


def verified(stack: Stack) -> Done:
    """The command, with records and head from the API server."""
    return run(stack.kubeconfig, ["verify-record", f"--rollout={AGENT}", f"--namespace={WHERE}"])


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_what_kubectl_prints_holds(stack: Stack, records: Records, tmp_path: Path, form: str) -> None:
    """The API server and kubectl change nothing that a hash covers."""
    selected = f"--field-selector=spec.rollout={AGENT}"
    path = tmp_path / "records"
    path.write_text(
        stack.kubectl("get", "agentrolloutrecords", f"--namespace={WHERE}", selected, f"--output={form}")
    )

    done = run(stack.kubeconfig, ["verify-record", str(path), "--head", records.head])

    assert done.returncode == HOLDS, done


def test_a_rollout_that_is_restored_with_its_status_has_its_records(stack: Stack, records: Records) -> None:
    """A backup puts it back under another uid. Its status names the head of the records that remained."""
    where = f"--namespace={WHERE}"
    saved = json.loads(stack.kubectl("get", f"agentrollout/{AGENT}", where, "--output=json"))
    stack.kubectl("delete", f"agentrollout/{AGENT}", where)
    kept = {name: saved["metadata"][name] for name in ("name", "namespace")}
    stack.apply(saved | {"metadata": kept})
    status = canonical({"status": saved["status"]}).decode()
    stack.kubectl(
        "patch", f"agentrollout/{AGENT}", where, "--subresource=status", "--type=merge", f"-p={status}"
    )

    done = verified(stack)

    assert done.returncode == HOLDS, done
    note, _, coverage = done.stdout.splitlines()
    assert note.startswith("The rollout was created again with its status (uid ")
    assert coverage == f"  compared with the head {records.head}"


def test_records_in_the_cluster_hold_until_one_is_dropped(stack: Stack, records: Records) -> None:
    """The head in the status is compared; a record that someone deleted is a break at the next one."""
    assert verified(stack).returncode == HOLDS

    gone, following = (records.objects[index]["metadata"]["name"] for index in (1, 2))
    stack.kubectl("delete", f"agentrolloutrecord/{gone}", f"--namespace={WHERE}")

    done = verified(stack)
    assert done.returncode == BROKEN
    assert done.stdout.splitlines()[-1].startswith(f"BROKEN: {following}: spec.previous: ")
