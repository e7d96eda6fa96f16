"""The objects and commands of `docs/hooks.md` and `examples/hooks` beside what the operator does."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import HookStatus, Moment, cron_jobs_of
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Problem
from agentrollouts.core.recovery.hooks.input import variables
from agentrollouts.core.recovery.hooks.job import job_of, unfit
from agentrollouts.core.rights import with_command
from testkit.builders.names import NEW, OLD
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout
from tests.docs.pages import blocks, page

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = page("hooks.md")
OBJECTS: Final[list[dict[str, Any]]] = [
    manifest for text in blocks(PAGE, "yaml") for manifest in yaml.safe_load_all(text)
]
ROLLOUT: Final = AgentRollout.model_validate(OBJECTS[1])
EXAMPLES: Final = list(yaml.safe_load_all((ROOT / "examples/hooks/hooks.yaml").read_text()))


def of_kind(kind: str) -> dict[str, Any]:
    """The object of a kind on the page."""
    [manifest] = [manifest for manifest in OBJECTS if manifest["kind"] == kind]
    return manifest


@pytest.mark.parametrize(
    "cron_job", [of_kind("CronJob"), *EXAMPLES], ids=lambda each: each["metadata"]["name"]
)
def test_each_cron_job_can_be_copied(cron_job: dict[str, Any]) -> None:
    """It is named by a hook of the page, and its Job has the time limit and the variables of that hook."""
    name, namespace = cron_job["metadata"]["name"], ROLLOUT.metadata.namespace
    hook = next(hook for hook in ROLLOUT.spec.hooks if hook.job and hook.job.cron_job == name)
    read = json.loads(json.dumps(cron_job)) | {"metadata": {**cron_job["metadata"], "uid": "1"}}
    assert unfit(hook, read, namespace) is None

    job = job_of(ROLLOUT, hook, HookStatus(attempt=1, name=hook.name, at=hook.at), read, {"KEY": "a"})

    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "AGENTROLLOUTS_KEY", "value": "a"}]
    assert job["spec"]["activeDeadlineSeconds"] == hook.timeout_seconds


def test_the_examples_are_the_hooks_of_the_page() -> None:
    """All three, and the strict Role names the same."""
    names = list(cron_jobs_of(ROLLOUT.spec.hooks))
    [rule] = [rule for rule in of_kind("Role")["rules"] if "resourceNames" in rule]

    assert [each["metadata"]["name"] for each in EXAMPLES] == names == rule["resourceNames"]


def test_the_command_is_the_one_that_the_condition_contains() -> None:
    """For the installation of the page."""
    denied = 'User "system:serviceaccount:agentrollouts:agentrollouts" cannot get resource "cronjobs"'

    problem = with_command(Problem(Reason.FORBIDDEN, denied), ROLLOUT.metadata.namespace, "hooks")

    [command] = blocks(PAGE, "bash")
    assert problem.message == f"{denied}; to permit it: {command.strip()}"


def test_the_table_has_each_variable() -> None:
    """The variables of a hook before traffic and after a rollback, and no other."""
    rollout = a_rollout().serving(OLD).trying(NEW).build()
    before = HookStatus(attempt=1, name="check", at=Moment.BEFORE_TRAFFIC)
    names = {*variables(rollout, before, a_record(NEW), {}), "START", "END"}
    rows = re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \|", PAGE, re.MULTILINE)

    assert {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)} == names


def test_the_action_is_valid() -> None:
    """It names a hook of the page."""
    manifest = of_kind("AgentRolloutAction")
    action = AgentRolloutAction.model_validate(manifest | {"metadata": {"name": "a", "namespace": "support"}})

    assert action.spec.hook in {hook.name for hook in ROLLOUT.spec.hooks}
