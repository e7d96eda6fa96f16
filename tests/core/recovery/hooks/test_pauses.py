"""While a rollback is not on the route yet, nothing of hooks is looked at."""

from dataclasses import replace

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.recovery.hooks import HookState, HookStatus, Moment
from agentrollouts.core.effects import Manifest
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, OLD
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import a_rollout

HOOKS = [{"name": "restore", "at": "AfterRollback", "job": {"cronJob": "restore"}}]
RUNNING = HookStatus(
    attempt=1, name="restore", at=Moment.AFTER_ROLLBACK, state=HookState.RUNNING, tries=1, job="restore-1"
)
MALFORMED = {"metadata": 7, "status": "odd", "spec": []}


@pytest.mark.parametrize(
    ("jobs", "cron_jobs"),
    [({"restore-1": MALFORMED}, {}), ({}, {"restore": MALFORMED})],
    ids=["Job", "CronJob"],
)
def test_no_object_of_a_hook_can_stop_a_rollback(
    jobs: dict[str, Manifest], cron_jobs: dict[str, Manifest]
) -> None:
    """A repair runs, and what is read of it makes no sense: the canary is rolled back as without hooks."""
    builder = a_rollout(hooks=HOOKS).serving(OLD).trying(NEW).asking_for(OLD)
    builder = replace(builder, status=builder.status.copy_with(hooks=(RUNNING,)))

    decision = decide(replace(an_observation(builder), jobs=jobs, cron_jobs=cron_jobs))

    assert decision.status is not None
    attempt = decision.status.attempt
    assert (attempt and attempt.state, decision.status.hooks) == (State.ROLLING_BACK, (RUNNING,))
    assert (bool(decision.hook_reads), decision.creations) == (False, ())
    assert decision.writes == decide(an_observation(builder)).writes
