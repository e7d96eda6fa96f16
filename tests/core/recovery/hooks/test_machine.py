"""The machine of hooks, in every state that crashes, lost writes and failing Jobs can lead to."""

from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.recovery.hooks import HookState, HookStatus, Moment
from agentrollouts.core.action.facts import Desk
from agentrollouts.core.action.people import Authority, Origin
from agentrollouts.core.action.take import take
from agentrollouts.core.effects import Manifest
from agentrollouts.core.recovery.hooks.job import job_name, key_of
from agentrollouts.core.recovery.hooks.plan import Hooks
from agentrollouts.simulation.jobs import a_cron_job
from testkit.builders.actions import an_action
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import a_rollout
from tests.core.recovery.hooks.recovery_model import (
    FAULTS,
    CreateJob,
    Hook,
    JobState,
    Persist,
    Step,
    StepFunction,
    View,
    ViolationError,
    explore,
    reference_step,
)

NAMES: Final = ("first", "second")
SPEC: Final[list[dict[str, Any]]] = [
    {"name": name, "at": "AfterRollback", "job": {"cronJob": name}} for name in NAMES
]
ROLLOUT: Final = a_rollout(hooks=SPEC).serving(OLD).trying(NEW).rolling_back().build()
ATTEMPT: Final = 2
NOW: Final = START + timedelta(hours=1)


def entry_of(index: int, hook: Hook) -> HookStatus:
    """The entry of a hook as the status has it."""
    entry = HookStatus(attempt=ATTEMPT, name=NAMES[index], at=Moment.AFTER_ROLLBACK)
    return entry.copy_with(
        state=HookState(hook.state.value),
        tries=hook.tries,
        job=job_name(ROLLOUT, entry, hook.tries) if hook.tries else None,
        job_uid="uid" if hook.seen else None,
    )


def job_of(entry: HookStatus, state: JobState) -> Manifest:
    """A Job as the API server has it."""
    conditions = [] if state is JobState.RUNNING else [{"type": state.value, "status": "True"}]
    annotations = {"agentrollouts.dev/hook-key": key_of(ROLLOUT, entry)}
    metadata = {"name": entry.job, "uid": "uid", "annotations": annotations}
    return {"metadata": metadata, "status": {"conditions": conditions}}


def real_step(view: View) -> Step:
    """The step that the real functions take."""
    entries = tuple(entry_of(index, hook) for index, hook in enumerate(view.hooks)) if view.due else ()
    status = ROLLOUT.status.copy_with(hooks=entries)
    rollout = ROLLOUT.copy_with(status=status)
    actions = tuple(an_action(ActionType.REDO_HOOK, ATTEMPT, hook=NAMES[index]) for index in view.redo)
    taken = take(actions, status, Desk(rollout, NOW, Origin(), True, Authority()))  # noqa: FBT003 a field of a value
    jobs: dict[str, Manifest | None] = {}
    for index, entry in enumerate(entries):
        if entry.job:
            state = view.jobs.get((index, entry.tries))
            jobs[entry.job] = job_of(entry, state) if state else None
    hooks = Hooks(
        rollout=rollout,
        now=NOW,
        cron_jobs={name: a_cron_job(name) for name in NAMES},
        jobs=jobs,
        refused=None,
    )
    after = hooks.noted(taken.status)
    answered = {each.uid for each in taken.status.actions}
    if after != entries or answered:
        redone = {index for index in view.redo if f"uid-of-redohook-2-{NAMES[index]}" in answered}
        states = tuple(
            Hook(type(view.hooks[0].state)(e.state.value), e.tries, e.job_uid is not None) for e in after
        )
        return Persist(states, frozenset(redone))
    for creation in hooks.creations():
        index = next(i for i, e in enumerate(entries) if e.job == creation.manifest["metadata"]["name"])
        return CreateJob((index, entries[index].tries))
    return None


@pytest.mark.parametrize(("disturbances", "redos"), [(5, 0), (3, 1), (2, 2)])
def test_no_order_of_crashes_and_failures_breaks_a_rule(disturbances: int, redos: int) -> None:
    """The real functions reach the states of the specification, and no others."""
    real = explore(real_step, disturbances=disturbances, redos=redos)
    assert real == explore(reference_step, disturbances=disturbances, redos=redos)


@pytest.mark.parametrize("needless", [{0}, {1}, {0, 1}], ids=["the first", "the second", "both"])
def test_a_hook_that_is_not_needed_stays_so(needless: set[int]) -> None:
    """No crash and no failure starts it; the other one runs as always."""
    real = explore(real_step, disturbances=3, redos=1, needless=frozenset(needless))
    assert real == explore(reference_step, disturbances=3, redos=1, needless=frozenset(needless))
    assert all(end[index] == "NotNeeded" for end in real.ends for index in needless)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_model_catches_each_planted_fault(fault: StepFunction) -> None:
    """A variant of the specification with one fault breaks a rule in some state."""
    with pytest.raises(ViolationError):
        explore(fault, redos=1)
