"""Input: rollouts with hooks, in virtual time. Output: which Jobs run, when, and what waits for them."""

import json
from datetime import datetime
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import HookState, Moment
from agentrollouts.core.conditions import DATA_RECOVERED, READY, find_condition
from agentrollouts.core.effects import Manifest, Problem
from agentrollouts.simulation.jobs import a_cron_job
from testkit.builders.names import NEW, NEXT, OLD, UID, service_of, snapshot_of
from testkit.builders.rollouts import a_rollout
from testkit.tools import equip
from testkit.world import Behavior, World, a_world

PLAN: Final[dict[str, Any]] = {
    "phases": [{"name": "half", "weight": 50, "durationSeconds": 600}],
    "bake": {"durationSeconds": 30},
    "rollback": {"verify": {"withinSeconds": 30, "watchSeconds": 60}},
}
KEEP: Final = {"name": "keep", "at": "BeforeTraffic", "job": {"cronJob": "keep"}, "timeoutSeconds": 60}
RESTORE: Final = {"name": "restore", "at": "AfterRollback", "job": {"cronJob": "restore"}}
BAD: Final = Behavior(failed=0.5)
REVERSE: Final = {"name": "reverse", "at": "AfterRollback", "job": {"cronJob": "reverse"}}


def a_world_with(*hooks: dict[str, Any], **spec: object) -> World:
    """`OLD` serves, and the plan has these hooks."""
    return a_world(a_rollout(**{**PLAN, "hooks": list(hooks), **spec}).serving(OLD), OLD)


def rolled_back(world: World) -> World:
    """`NEW` was shipped, breached a gate, and was rolled back."""
    world.ship(NEW)
    world.run_until(State.CANARY)
    world.agents[NEW] = BAD
    world.run_until(State.ROLLED_BACK)
    return world


def times_of_a_rollback(world: World) -> tuple[datetime, datetime | None]:
    """When the rollback of the canary is decided, and routed; a minute later that is still so."""
    world.agents[NEW] = BAD
    world.run_until(State.ROLLED_BACK)
    rollback = world.status.last_rollback
    assert rollback is not None
    world.run(60)
    assert world.shares()[OLD] == 100
    return rollback.decided_time, rollback.routed_time


def states(world: World) -> dict[str, str]:
    """Where each hook of the newest attempts stands."""
    return {f"{entry.name} {entry.attempt}": entry.state.value for entry in world.status.hooks}


def recovered(world: World) -> tuple[ConditionStatus, str] | None:
    """What the condition DataRecovered says."""
    found = find_condition(world.status.conditions, DATA_RECOVERED)
    return (found.status, found.reason) if found else None


def ready(world: World) -> tuple[str, str]:
    """Reason and message of the summary."""
    found = find_condition(world.status.conditions, READY)
    assert found is not None
    return found.reason, found.message


def environment(job: Manifest) -> dict[str, str]:
    """The variables of the first container of a Job, without their prefix."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    return {each["name"].removeprefix("AGENTROLLOUTS_"): each["value"] for each in container["env"]}


def test_what_a_bad_release_left_behind_is_repaired_in_order() -> None:
    """After the last runs were seen, each Job runs once, one after the other, with the affected window."""
    world = rolled_back(a_world_with(KEEP, RESTORE, REVERSE))
    world.run(300)

    restore, reverse = world.jobs.of("restore"), world.jobs.of("reverse")
    window = world.status.affected_window
    assert window is not None
    assert window.is_final
    assert (len(restore), len(reverse)) == (1, 1)
    entries = {entry.name: entry for entry in world.status.hooks if entry.at is Moment.AFTER_ROLLBACK}
    first, second = entries["restore"], entries["reverse"]
    assert first.start_time is not None
    assert first.end_time is not None
    assert second.start_time is not None
    assert window.end_time is not None
    assert window.end_time <= first.start_time < first.end_time <= second.start_time
    assert recovered(world) == (ConditionStatus.TRUE, Reason.DATA_RECOVERED)
    given = environment(restore[0])
    told = json.loads(given.pop("JSON"))
    assert given["RELEASE"] == told["bad"]["release"] == NEW
    assert told["good"]["release"] == OLD
    assert told["window"]["start"] == given["START"]
    assert (told["key"], told["try"], told["trigger"]) == (given["KEY"], 1, Trigger.BREACH.value)
    assert given["KEY"] == f"{given['ATTEMPT_KEY']}/restore"
    assert given["ATTEMPT_KEY"] == environment(world.jobs.of("keep")[0])["ATTEMPT_KEY"]


def test_an_attempt_has_no_traffic_before_its_hooks_have_succeeded() -> None:
    """It is Pending, with the Job in the message; then it begins under the same number."""
    world = a_world_with(KEEP)
    world.ship(NEW)
    world.run(10)

    [job] = world.jobs.of("keep")
    assert (world.state, world.shares()[OLD]) == (State.PENDING, 100)
    assert ready(world)[0] == Reason.HOOKS_RUNNING
    assert job["metadata"]["name"] in ready(world)[1]
    assert job["spec"]["activeDeadlineSeconds"] == 60
    assert environment(job)["CANARY_URL"] == f"http://{service_of(NEW)}.support.svc:8080"
    world.run(60)
    assert (world.state, states(world)) == (State.CANARY, {"keep 2": "Succeeded"})
    assert len(world.jobs.created) == 1


def test_a_failed_repair_keeps_the_next_attempt_waiting_until_someone_redoes_it() -> None:
    """Two tries, then a person; the redone hook has the same key, and the attempt begins after it."""
    world = a_world_with(RESTORE, REVERSE)
    world.jobs.succeeds = lambda job: "restore" not in job["metadata"]["name"]
    rolled_back(world)
    world.run(300)
    assert states(world) == {"restore 2": "Failed", "reverse 2": "Succeeded"}
    assert recovered(world) == (ConditionStatus.FALSE, Reason.HOOK_FAILED)
    assert any(each.reason is Reason.HOOK_FAILED and each.is_warning for each in world.events)

    world.ship(NEXT)
    world.run(60)
    assert (world.state, ready(world)[0]) == (State.PENDING, Reason.HOOK_FAILED)
    assert (
        "agentrollouts redo-hook support-agent --namespace=support --attempt=2 --hook=restore"
        in ready(world)[1]
    )

    world.jobs.succeeds = lambda _: True
    world.act(ActionType.REDO_HOOK, attempt=2, hook="restore")
    world.run(120)
    assert (world.state, recovered(world)) == (State.CANARY, (ConditionStatus.TRUE, Reason.DATA_RECOVERED))
    tries = [environment(job) for job in world.jobs.of("restore")]
    assert [json.loads(each["JSON"])["try"] for each in tries] == [1, 2, 3]
    assert len({each["KEY"] for each in tries}) == 1
    assert len({(each["START"], each["END"], each["RELEASE"]) for each in tries}) == 1
    assert len(world.jobs.of("reverse")) == 1


def test_a_waived_hook_no_longer_blocks() -> None:
    """The next attempt begins, and the status and the record name who waived it."""
    world = a_world_with(RESTORE)
    world.jobs.succeeds = lambda _: False
    rolled_back(world)
    world.run(300)
    world.ship(NEXT)
    world.run(10)
    assert world.state is State.PENDING
    world.act(ActionType.WAIVE_HOOK, attempt=2, hook="restore")
    world.run(10)

    [entry] = [entry for entry in world.status.hooks if entry.attempt == 2]
    assert (world.state, entry.state) == (State.CANARY, HookState.WAIVED)
    assert entry.waived is not None
    assert entry.waived.by == "lee@example.com"


def test_no_one_who_waived_a_hook_before_traffic_approves_the_attempt() -> None:
    """Whoever let it begin without its check is no second pair of eyes."""
    phases = [{"name": "half", "weight": 50, "durationSeconds": 60, "approval": "Required"}]
    world = a_world_with(KEEP, phases=phases)
    world.jobs.succeeds = lambda _: False
    world.ship(NEW)
    world.run(10)
    world.act(ActionType.APPROVE, phase="half")
    world.run(200)
    assert ready(world)[0] == Reason.HOOK_FAILED
    world.act(ActionType.WAIVE_HOOK, hook="keep")
    world.run(10)
    assert world.state is State.CANARY
    assert world.status.attempt is not None
    assert world.status.attempt.approved_by == ()
    world.act(ActionType.APPROVE, phase="half", name="again")
    world.run(10)
    [answer] = [each for each in world.status.actions if each.name == "again"]
    assert (answer.result, "waived a hook" in answer.message) == (Reason.REFUSED, True)


def test_a_return_to_a_healthy_release_waits_for_no_hook() -> None:
    """It is a rollback: neither a failed repair nor a hook before traffic delays it."""
    world = a_world_with(KEEP, RESTORE)
    world.ship(NEW)
    world.run_until(State.HEALTHY)
    world.jobs.succeeds = lambda _: False
    world.ship(NEXT)
    world.run(200)
    assert (world.state, ready(world)[0]) == (State.PENDING, Reason.HOOK_FAILED)
    before = len(world.jobs.created)
    world.ask_for(OLD)
    world.run(5)
    assert (world.state, world.shares()[OLD]) == (State.BAKING, 100)
    assert len(world.jobs.created) == before


UNFIT: Final[dict[str, tuple[Manifest | Problem | None, str]]] = {
    "missing": (None, "does not exist"),
    "not labeled": (
        {**a_cron_job("restore"), "metadata": {"name": "restore", "uid": "u"}},
        "kubectl label cronjob restore --namespace=support agentrollouts.dev/hook=true",
    ),
    "not suspended": (a_cron_job("restore", suspend=False), "kubectl patch cronjob restore"),
    "forbidden": (
        Problem(
            Reason.FORBIDDEN,
            'cronjobs "restore" is forbidden: User "system:serviceaccount:ops:agentrollouts" cannot get',
        ),
        "--clusterrole=agentrollouts-hooks --serviceaccount=ops:agentrollouts",
    ),
}


@pytest.mark.parametrize("what", UNFIT)
def test_nothing_starts_without_the_job_that_would_repair_it(what: str) -> None:
    """The attempt is Pending with the command that corrects it, and begins once it is corrected."""
    found, command = UNFIT[what]
    world = a_world_with(KEEP, RESTORE)
    world.jobs.cron_jobs["restore"] = found
    world.ship(NEW)
    world.run(60)
    assert (world.state, command in ready(world)[1]) == (State.PENDING, True)
    assert world.status.hooks == ()
    del world.jobs.cron_jobs["restore"]
    world.run_until(State.CANARY, within=60)


@pytest.mark.parametrize("trouble", ["unreadable", "refused", "failing", "hanging"])
def test_no_trouble_with_hooks_delays_a_rollback(trouble: str) -> None:
    """The second at which it is decided, and the weights, are as they would be without hooks."""
    times = []
    for hooks in ((), (RESTORE, REVERSE)):
        world = a_world_with(*hooks)
        world.ship(NEW)
        world.run_until(State.CANARY)
        if trouble == "unreadable":
            world.jobs.cron_jobs |= dict.fromkeys(("restore", "reverse"), Problem(Reason.FORBIDDEN, "no"))
        elif trouble == "refused":
            world.jobs.create = lambda *_: False  # type: ignore[method-assign]
        elif trouble == "failing":
            world.jobs.succeeds = lambda _: False
        else:
            world.jobs.seconds = 1e9
        times.append(times_of_a_rollback(world))
    assert times[0] == times[1]


@pytest.mark.parametrize("writes", range(4))
def test_a_process_that_ends_at_any_write_makes_each_job_once(writes: int) -> None:
    """The ends are those of an undisturbed run, and no name is ever used twice."""
    world = a_world_with(KEEP, RESTORE, REVERSE)
    world.ship(NEW)
    for _ in range(80):
        world.step(writes)
        world.run(5)
        if world.state is State.CANARY:
            world.agents[NEW] = BAD
    names = [job["metadata"]["name"] for job in world.jobs.created]
    assert len(names) == len(set(names)) == 3
    assert set(states(world).values()) == {"Succeeded"}


@pytest.mark.parametrize(("after", "jobs"), [(["Breach"], 1), (["Cap", "Group"], 0)])
def test_the_plan_lists_the_causes_after_which_something_is_repaired(after: list[str], jobs: int) -> None:
    """After any other rollback no Job is created, and no condition says that one is missing."""
    world = rolled_back(a_world_with(RESTORE, rollback={**PLAN["rollback"], "hooksAfter": after}))
    world.run(300)

    assert len(world.jobs.of("restore")) == jobs
    assert (recovered(world) is None) is (jobs == 0)


def test_a_revert_in_git_repairs_nothing() -> None:
    """No one found harm, so no hook runs."""
    world = a_world_with(RESTORE)
    world.ship(NEW)
    world.run_until(State.CANARY)
    world.ask_for(OLD)
    world.run_until(State.ROLLED_BACK)
    world.run(600)
    assert (world.status.hooks, world.jobs.created, recovered(world)) == ((), [], None)


def test_a_hook_that_the_plan_no_longer_has_ends() -> None:
    """Removing it from the plan unblocks the next attempt, whatever state it was in."""
    world = a_world_with(RESTORE, REVERSE)
    world.jobs.seconds = 1e9
    rolled_back(world)
    world.run(60)
    assert states(world) == {"restore 2": "Running", "reverse 2": "Waiting"}
    world.jobs.seconds = 1
    world.edit(lambda builder: builder.planning(hooks=[RESTORE]))
    world.run(60)
    assert states(world) == {"restore 2": "Succeeded", "reverse 2": "NotNeeded"}


@pytest.mark.parametrize(
    ("tools", "end"),
    [
        ({"issue_refund": True, "search": False}, ("Succeeded", "", 1)),
        ({"search": False}, ("NotNeeded", f"{NEW} has no tool issue_refund or send_mail", 0)),
        ({}, ("NotNeeded", f"{NEW} has no tool issue_refund or send_mail", 0)),
        (None, ("Succeeded", "", 1)),
    ],
    ids=["one of its tools", "another tool", "no tool", "unknown"],
)
def test_a_hook_for_tools_runs_if_the_bad_release_may_have_one(
    tools: dict[str, bool] | None, end: tuple[str, str, int]
) -> None:
    """Otherwise it is NotNeeded from the beginning, with the reason; hooks without tools run as always."""
    world = a_world_with(REVERSE | {"forTools": ["issue_refund", "send_mail"]}, RESTORE)
    world.ship(NEW)
    equip(world, NEW, tools)
    world.run_until(State.CANARY)
    world.agents[NEW] = BAD
    world.run(600)

    reverse, restore = world.status.hooks
    jobs = world.jobs.of("reverse")
    assert (reverse.state, reverse.message, len(jobs)) == end
    assert restore.state is HookState.SUCCEEDED
    assert recovered(world) == (ConditionStatus.TRUE, Reason.DATA_RECOVERED)
    actions = [json.loads(environment(job)["JSON"])["bad"]["externalActions"] for job in jobs]
    assert actions == [tools and ["issue_refund"]] * len(jobs)
    said = [message for message in world.told(Reason.HOOK_ENDED) if message.startswith("Hook reverse")]
    assert said == [f"Hook reverse of attempt 2: {end[0]}{f': {end[1]}' if end[1] else ''}"]


def test_the_snapshot_of_the_bad_release_is_kept_until_its_hooks_have_ended() -> None:
    """Also if its AgentRelease is deleted meanwhile, so that each try has the same input."""
    world = a_world_with(RESTORE | {"forTools": ["issue_refund"]})
    world.jobs.succeeds = lambda _: False
    world.ship(NEW)
    equip(world, NEW, {"issue_refund": True})
    world.run_until(State.CANARY)
    world.agents[NEW] = BAD
    world.run_until(State.ROLLED_BACK)
    world.run(300)
    assert states(world) == {"restore 2": "Failed"}
    kept = world.snapshots[snapshot_of(NEW)]
    assert [owner.kind for owner in kept.owner_references if owner.uid == UID] == ["AgentRollout"]

    world.jobs.succeeds = lambda _: True
    world.act(ActionType.REDO_HOOK, attempt=2, hook="restore")
    world.run(60)
    assert states(world) == {"restore 2": "Succeeded"}
    inputs = [json.loads(environment(job)["JSON"])["bad"] for job in world.jobs.of("restore")]
    assert inputs == [inputs[0]] * 3
    given_up = world.snapshots[snapshot_of(NEW)]
    assert [owner.kind for owner in given_up.owner_references if owner.uid == UID] == []


@pytest.mark.parametrize("percent", [100, 30])
def test_no_hook_before_traffic_starts_while_the_agent_is_switched_off(percent: int) -> None:
    """What it prepares would be old once the attempt begins, so it runs after that; one that runs ends."""
    queue = {"service": {"name": "human-queue", "port": 8080}}
    world = a_world_with(KEEP, {**KEEP, "name": "second"}, fallback=queue)
    world.jobs.seconds = 120
    world.ship(NEW)
    world.run(10)
    world.act(ActionType.SWITCH_OFF, percent=percent)
    world.run(3600)
    assert states(world) == {"keep 2": "Succeeded", "second 2": "Waiting"}
    assert ready(world)[0] == Reason.SWITCHED_OFF

    assert world.status.detour is not None
    world.act(ActionType.SWITCH_ON, detour=world.status.detour.id)
    world.run(30)
    assert (states(world), world.state) == ({"keep 2": "Succeeded", "second 2": "Running"}, State.PENDING)
    world.run_until(State.CANARY, within=300)


def test_at_rest_nothing_is_read() -> None:
    """A day with hooks that have ended costs no request."""
    world = rolled_back(a_world_with(KEEP, RESTORE))
    world.run(600)
    before = world.jobs.requests
    world.run(86_400)
    assert (world.jobs.requests, before > 0) == (before, True)
