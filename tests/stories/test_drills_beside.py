"""Drills in virtual time, beside detours, hooks, groups and the ladder: none of them mixes with a drill."""

from typing import Any, Final

from agentrollouts.api.attempt import AttemptKind, State, Trigger, When
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.drill import DrillOutcome
from agentrollouts.api.recovery.hooks import HookState
from agentrollouts.core.attempt.ladder import ladder_of
from agentrollouts.core.conditions import DATA_RECOVERED, find_condition
from agentrollouts.core.recovery.group.member import member_of
from testkit.builders.names import NEW, OLD, OLDEST, service_of
from testkit.builders.routes import BY_ROUTE, ROUTE
from testkit.world import Behavior, World, a_world_at_rest

DRILL: Final[dict[str, Any]] = {"everySeconds": 30 * 86_400, "weight": 5, "durationSeconds": 300}
QUEUE: Final = {"service": {"name": "human-queue", "port": 8080}}
RESTORE: Final = {"name": "restore", "at": "AfterRollback", "job": {"cronJob": "restore"}}
KEEP: Final = {"name": "keep", "at": "BeforeTraffic", "job": {"cronJob": "keep"}}
TESTERS: Final = {"name": "testers", "headers": [{"name": "x-tester", "value": "yes"}], "gets": "Canary"}
SHORT: Final = [{"name": "half", "weight": 50, "durationSeconds": 300}]


def at_rest(*releases: str, **spec: object) -> World:
    """The last of these serves, those before it did."""
    world = a_world_at_rest(*releases or (OLDEST, OLD), **({"drill": DRILL} | spec))
    world.settle()
    return world


def drill(world: World) -> str:
    """A person requests a drill; what the operator answers."""
    world.act(ActionType.DRILL, release=OLDEST)
    world.settle()
    entry = world.status.actions[0]
    return f"{entry.result}: {entry.message}"


def ends(world: World) -> list[tuple[AttemptKind, Trigger | None, str]]:
    """Kind, trigger and reason of the attempts since the two that made the releases healthy."""
    return [(e.kind, e.trigger, e.reason) for e in world.status.history if e.number > 2]


def test_switching_off_ends_a_drill_which_then_shows_nothing() -> None:
    """The fallback has all traffic in the same write, and nothing says that the release did harm."""
    world = at_rest(traffic=BY_ROUTE, fallback=QUEUE, hooks=[RESTORE])
    drill(world)
    world.run(60)
    assert world.status.attempt is not None
    assert world.status.attempt.kind is AttemptKind.DRILL

    world.act(ActionType.SWITCH_OFF, percent=100)
    world.settle()
    assert world.shares() == {"human-queue": 100}
    world.run(600)

    last = world.status.last_drill
    assert last is not None
    assert last.outcome is DrillOutcome.SKIPPED
    assert ends(world) == [(AttemptKind.DRILL, Trigger.SWITCH_OFF, Reason.DRILL_SKIPPED)]
    assert (world.status.quarantined, world.status.last_rollback, world.status.hooks) == ((), None, ())
    assert find_condition(world.status.conditions, DATA_RECOVERED) is None


def test_no_drill_begins_while_the_agent_is_switched_off() -> None:
    """A person is answered why; one that is due waits, and begins once the agent is switched on again."""
    world = at_rest(traffic=BY_ROUTE, fallback=QUEUE)
    world.act(ActionType.SWITCH_OFF, percent=30)
    world.settle()
    world.rollout = world.rollout.replace(status=world.status.copy_with(next_drill_time=world.now))
    world.run(600)

    assert drill(world).startswith("Refused: The agent is switched off. ")
    assert world.status.last_drill is None

    assert world.status.detour is not None
    world.act(ActionType.SWITCH_ON, detour=world.status.detour.id)
    world.run(60)
    assert (world.state, world.shares()) == (State.CANARY, {OLD: 95, OLDEST: 5})


def test_no_drill_begins_beside_a_hook_and_none_runs_for_a_drill() -> None:
    """The repair of an earlier rollback ends first; neither moment of a drill has Jobs of its own."""
    world = at_rest(OLDEST, OLD, hooks=[KEEP, RESTORE], phases=SHORT)
    world.ship(NEW)
    world.run_until(State.CANARY)
    world.agents[NEW], world.runs_per_second = Behavior(failed=0.6), 20.0
    world.run_until(State.ROLLED_BACK)
    world.ship(OLD)
    world.run(5)
    running = [each for each in world.status.hooks if each.state in {HookState.WAITING, HookState.RUNNING}]
    assert running, "the story needs a hook in progress"

    assert drill(world) == f"Refused: hook restore of attempt 3 is not over: {running[0].state}"

    world.run(600)
    jobs = len(world.jobs.created)
    assert drill(world).startswith("Done: attempt 4 drills")
    world.run(900)
    assert ends(world)[0] == (AttemptKind.DRILL, Trigger.DRILL, Reason.DRILL_PASSED)
    assert len(world.jobs.created) == jobs
    assert {entry.attempt for entry in world.status.hooks} == {3}

    world.act(ActionType.REDO_HOOK, attempt=3, hook="restore")  # it is about the hook, not about the drill
    world.settle()
    assert world.status.actions[0].message == "hook restore of attempt 3 did not fail: it is Succeeded"


def test_cohorts_stay_with_stable_during_a_drill() -> None:
    """The testers of the next release are not given an old one."""
    route = {"parentRefs": [{"name": "public"}], "cohorts": [TESTERS]}
    world = at_rest(traffic={"httpRoute": route}, metrics={"labels": {"cohort": "cohort"}})
    before = world.traffic[ROUTE]["spec"]["rules"]
    drill(world)
    world.run(60)

    testers, others = world.traffic[ROUTE]["spec"]["rules"]
    weights = {ref["name"]: ref["weight"] for ref in others["backendRefs"]}
    assert weights == {service_of(OLD): 95, service_of(OLDEST): 5}
    assert testers == before[0]


def test_a_drill_that_does_harm_neither_spreads_nor_makes_the_next_plan_longer() -> None:
    """Siblings see no harm, hooks repair nothing, and phases for the time after a rollback do not count."""
    world = at_rest(group="checkout", hooks=[RESTORE])
    world.agents[OLDEST], world.runs_per_second = Behavior(failed=0.6), 20.0
    drill(world)
    seen = set()
    for _ in range(60):
        world.run(30)
        member = member_of("a", "checkout", world.status)
        assert member is not None
        condition = find_condition(world.status.conditions, DATA_RECOVERED)
        seen.add((member.harms, member.canary, ladder_of(world.status), condition and condition.reason))

    assert ends(world) == [(AttemptKind.DRILL, Trigger.BREACH, Reason.DRILL_FAILED)]
    assert seen == {((), None, When.ALWAYS, None)}
    assert world.status.hooks == ()


def test_a_drill_gives_way_to_a_rollback_that_the_group_requires() -> None:
    """What a sibling rolled back is rolled back here at once, not when the drill is over."""
    world = at_rest(OLDEST, OLD, group="checkout", drill=DRILL | {"durationSeconds": 3600}, phases=SHORT)
    sibling = at_rest(OLDEST, OLD, group="checkout", phases=[{**SHORT[0], "durationSeconds": 7200}])
    sibling.ship(NEW)
    world.ship(NEW)
    world.run_until(State.HEALTHY)
    sibling.run((world.now - sibling.now).total_seconds())
    assert drill(world).startswith("Done: attempt 4 drills")
    world.run(60)

    sibling.run(60)
    sibling.agents[NEW], sibling.runs_per_second = Behavior(failed=0.6), 20.0
    sibling.run_until(State.ROLLED_BACK)
    seen = member_of("b", "checkout", sibling.status)
    assert seen is not None
    world.siblings = (seen,)
    world.run(120)

    assert [(kind, trigger) for kind, trigger, _ in ends(world)][1:] == [
        (AttemptKind.DRILL, None),
        (AttemptKind.RELEASE, None),
    ]
    assert world.status.stable is not None
    assert world.status.stable.release == OLD
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.trigger is Trigger.GROUP
