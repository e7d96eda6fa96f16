"""`docs/workloads.md`: its objects and its command beside what the operator does with them."""

import json
import shlex
from pathlib import Path
from typing import Final

import pytest
import yaml

from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.effects import Problem
from agentrollouts.core.workload.plan import Workloads
from agentrollouts.core.workload.template import service_of, stamped, unfit
from agentrollouts.main import main
from testkit.builders.names import START
from testkit.builders.releases import a_record
from tests.docs.pages import blocks, page

ROOT: Final = Path(__file__).parents[2]
PAGE = page("workloads.md")
OBJECTS = [manifest for text in blocks(PAGE, "yaml") for manifest in yaml.safe_load_all(text)]
TEMPLATE, ROLLOUT, RELEASE = (
    OBJECTS[0],
    AgentRollout.model_validate(OBJECTS[1]),
    AgentRelease.model_validate(OBJECTS[2]),
)


def record() -> ReleaseRecord:
    """The release as it would be served."""
    service = service_of(ROLLOUT.spec, RELEASE)
    assert service is not None
    return a_record(RELEASE.metadata.name, service=service)


def test_the_template_can_be_copied_for_the_release() -> None:
    """And the copy is as the page says."""
    workload = ROLLOUT.spec.workload
    assert workload is not None
    assert unfit(TEMPLATE, workload, RELEASE) is None

    copy = stamped(ROLLOUT, record(), RELEASE, TEMPLATE)

    assert ROLLOUT.spec.release_ref.name == RELEASE.metadata.name
    assert f"`{copy['metadata']['name']}`" in PAGE
    text = json.dumps(copy["spec"]["template"])
    added = (
        "/etc/agent",
        "AGENT_RELEASE",
        "AGENT_DIGEST",
        "agentrollouts.dev/agent",
        "agentrollouts.dev/release",
    )
    assert [word for word in added if word not in text or f"`{word}`" not in PAGE] == []


def test_the_name_of_the_snapshot_is_the_one_on_the_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command prints it for that file."""
    [block] = [each for each in blocks(PAGE, "console") if "snapshot-name" in each]
    command, _, expected = block.partition("\n")
    monkeypatch.chdir(ROOT)

    assert main(shlex.split(command.removeprefix("$ agentrollouts "))) == 0
    assert capsys.readouterr().out == expected


def test_the_command_is_the_one_that_the_condition_contains() -> None:
    """For the installation of the page."""
    denied = 'User "system:serviceaccount:agentrollouts:agentrollouts" cannot get resource "deployments"'
    key = ("Deployment", record().service.name)  # type: ignore[union-attr]
    obstacle = Workloads(
        rollout=ROLLOUT,
        status=ROLLOUT.status,
        release=RELEASE,
        now=START,
        seen={key: Problem(Reason.FORBIDDEN, denied)},
        starting=record(),
    ).obstacle()

    [command] = blocks(PAGE, "bash")
    assert obstacle is not None
    assert obstacle.message == f"{denied}; to permit it: {command.strip()}"
