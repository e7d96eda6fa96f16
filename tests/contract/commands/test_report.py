"""`agentrollouts report` as a process on the real API server. No operator runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from sandbox.stack import Stack
from testkit.builders.names import AGENT
from tests.command import Done, run
from tests.contract.commands.reader import a_reader
from tests.contract.server import ApiServer
from tests.inside import eventually
from tests.insight import incident

WHERE: Final = "report"


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: ApiServer) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """A namespace with the record of the incident and that of another rollout."""
    [record] = incident.incident().objects
    record["metadata"]["namespace"] = WHERE
    other = {**record, "metadata": {"name": "billing-agent-000001", "namespace": WHERE}}
    other["spec"] = {**record["spec"], "rollout": "billing-agent", "rolloutUid": "another"}
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    stack.apply([*a_reader(WHERE, "agentrolloutrecords", "list"), record, other])
    eventually(lambda: report(stack).returncode == 0)
    yield stack
    stack.kubectl("delete", "namespace", WHERE, "--wait=false")


def report(world: Stack, *arguments: str) -> Done:
    """Run the command with the token of the account."""
    return run(world.account_kubeconfig(WHERE, "reader"), ["report", f"--namespace={WHERE}", *arguments])


def test_the_record_of_one_rollout_is_found_by_its_field(world: Stack) -> None:
    """The report is the golden file, but for the tools, as the account may not read releases."""
    golden = (Path(incident.__file__).parent / "golden" / "report.md").read_text()
    done = report(world, AGENT)

    assert (done.returncode, done.stderr) == (0, "")
    missing = {line for line in golden.splitlines() if line not in done.stdout.splitlines()}
    assert all("issue_refund" in line for line in missing), missing


def test_figures_are_over_all_rollouts(world: Stack) -> None:
    """Without a name, every record of the namespace counts."""
    assert "Attempts: 2, of rollouts: 2." in report(world).stdout


def test_another_name_has_no_record(world: Stack) -> None:
    """A rollout without records is a sentence and exit code 1."""
    done = report(world, "nobody")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "nobody: there is no AgentRolloutRecord\n"
