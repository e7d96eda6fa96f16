"""Inputs: Jobs whose pods are refused, such as by a quota or a LimitRange. Outputs: what the hook says."""

from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.recovery.hooks import HookState, HookStatus, Moment
from agentrollouts.core.effects import Manifest
from agentrollouts.core.recovery.hooks.job import key_of
from agentrollouts.core.recovery.hooks.plan import Hooks
from agentrollouts.core.recovery.hooks.step import POD_TIME
from agentrollouts.simulation.jobs import a_cron_job
from testkit.builders.names import NAMESPACE, NEW, OLD, START
from testkit.builders.rollouts import a_rollout

SPEC: Final[list[dict[str, Any]]] = [{"name": "repair", "at": "AfterRollback", "job": {"cronJob": "repair"}}]
ENTRY: Final = HookStatus(
    attempt=2,
    name="repair",
    at=Moment.AFTER_ROLLBACK,
    state=HookState.RUNNING,
    tries=2,
    job="repair-2-2",
    job_uid="uid",
    start_time=START,
)
ROLLOUT: Final = a_rollout(hooks=SPEC).serving(OLD).trying(NEW).rolling_back().having(hooks=(ENTRY,)).build()
FAILED: Final = {
    "type": "Failed",
    "status": "True",
    "message": "Job was active longer than specified deadline",
}


def noted(seconds: float, entry: HookStatus = ENTRY, /, **status: Any) -> HookStatus:  # noqa: ANN401 any JSON
    """The entry after a look at its Job."""
    annotations = {"agentrollouts.dev/hook-key": key_of(ROLLOUT, ENTRY)}
    job: Manifest = {
        "metadata": {"name": ENTRY.job, "uid": "uid", "annotations": annotations},
        "status": status,
    }
    before = ROLLOUT.status.copy_with(hooks=(entry,))
    [after] = Hooks(
        rollout=ROLLOUT.copy_with(status=before),
        now=START + timedelta(seconds=seconds),
        cron_jobs={"repair": a_cron_job("repair")},
        jobs={"repair-2-2": job},
        refused=None,
    ).noted(before)
    return after


def test_a_job_without_a_pod_is_reported_and_then_no_longer() -> None:
    """Only the Events of the Job say why, so the hook says how to read them; nothing else changes."""
    late = POD_TIME.total_seconds()
    said = noted(late)

    assert noted(late - 1) == ENTRY
    assert said == ENTRY.replace(
        message="Job repair-2-2 has no pod, as if a quota or a LimitRange refuses it; see kubectl describe "
        f"job/repair-2-2 --namespace={NAMESPACE}"
    )
    assert noted(late + 1, said) == said
    assert noted(late + 2, said, active=1) == ENTRY


@pytest.mark.parametrize("count", ["active", "failed", "succeeded", "terminating"])
def test_a_job_that_has_or_had_a_pod_is_not_reported(count: str) -> None:
    """It runs, or is about to try again."""
    assert noted(3600, **{count: 1}) == ENTRY


@pytest.mark.parametrize(("count", "verb"), [({}, "describe"), ({"failed": 1}, "logs")])
def test_a_failed_job_without_a_pod_has_no_logs(count: dict[str, int], verb: str) -> None:
    """The command is the one that shows something."""
    ended = noted(3600, conditions=[FAILED], **count)

    assert (ended.state, ended.message.partition("; see ")[2]) == (
        HookState.FAILED,
        f"kubectl {verb} job/repair-2-2 --namespace={NAMESPACE}",
    )
