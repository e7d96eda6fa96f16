"""When the Job of a hook is looked at again."""

from datetime import timedelta

import pytest

from agentrollouts.api.recovery.hooks import HookState, HookStatus, Moment
from agentrollouts.core.recovery.hooks.plan import Hooks
from agentrollouts.simulation.jobs import a_cron_job
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import a_rollout

HOOKS = [{"name": "restore", "at": "AfterRollback", "job": {"cronJob": "restore"}}]
NOW = START + timedelta(hours=1)


@pytest.mark.parametrize(
    ("job_uid", "age_seconds", "expected_seconds"),
    [("uid", 0, 2), ("uid", 20, 2), ("uid", 60, 6), ("uid", 299, 29.9), ("uid", 3000, 30), (None, 3000, 2)],
)
def test_a_job_that_runs_is_looked_at_more_and_more_rarely(
    job_uid: str | None, age_seconds: float, expected_seconds: float
) -> None:
    """After a tenth of its time, between 2 and 30 s; one that is about to be created, every 2 s."""
    entry = HookStatus(
        attempt=2,
        name="restore",
        at=Moment.AFTER_ROLLBACK,
        state=HookState.RUNNING,
        tries=1,
        job="restore-1",
        job_uid=job_uid,
        start_time=NOW - timedelta(seconds=age_seconds),
    )
    rollout = a_rollout(hooks=HOOKS).serving(OLD).trying(NEW).rolling_back().build()
    status = rollout.status.copy_with(hooks=(entry,))
    hooks = Hooks(
        rollout=rollout.copy_with(status=status),
        now=NOW,
        cron_jobs={"restore": a_cron_job("restore")},
        jobs={"restore-1": {}},
        refused=None,
    )

    assert hooks.until(hooks.reads(status), status) == NOW + timedelta(seconds=expected_seconds)
