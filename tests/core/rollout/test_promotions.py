"""Promotions, from the request to the last answer: in virtual time."""

from typing import Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import find_condition
from testkit.builders.freezes import a_freeze
from testkit.builders.names import NEW, NEXT, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world

PHASES: Final = [
    {"name": "first", "weight": 10, "durationSeconds": 300},
    {"name": "asked", "weight": 30, "durationSeconds": 300, "approval": "Required"},
]


def promoting(phase: str = "first", **spec: object) -> World:
    """A person promotes the phase of a canary, and the route cannot be written meanwhile."""
    world = a_world(a_rollout(**({"phases": PHASES} | spec)).serving(OLD), OLD, NEXT)
    world.ship(NEW)
    world.settle()
    world.has_gateway_api = False
    world.act(ActionType.PROMOTE, name="promote", phase=phase)
    world.settle()
    return world


def told(world: World, action: str = "promote") -> tuple[str, str]:
    """The answer, as the action says it."""
    ready = find_condition(world.actions[action].status.conditions, "Ready")
    assert ready is not None
    return ready.reason, ready.message


def test_a_promotion_is_done_once_the_route_has_the_new_weight() -> None:
    """Until then it waits, and waiting writes nothing."""
    world = promoting()
    assert world.status.attempt is not None
    assert (world.status.attempt.phase_name, told(world)) == (
        "asked",
        ("Waiting", "phase first counts as passed"),
    )
    world.run(5)
    assert told(world)[0] == "Waiting"
    world.has_gateway_api = True
    world.run(60)
    assert (world.shares()[NEW], told(world)) == (30, ("Done", f"{NEW} has 30%"))
    assert [entry.result for entry in world.status.actions] == ["Done"]
    assert len(world.told(Reason.ACTION_TAKEN)) == 1
    assert world.told(Reason.ACTION_REFUSED) == []


def held_for(world: World, reason: Reason) -> str:
    """Why the attempt is held, which has that reason."""
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.hold is not None
    assert attempt.hold.reason == reason
    return attempt.hold.message


def test_a_person_leaves_a_stable_release_that_is_gone() -> None:
    """Its share fails, so a canary that answers is better; nothing else ends that (argo-rollouts#1774)."""
    world = a_world(a_rollout(phases=PHASES[:1]).serving(OLD), OLD, NEXT)
    world.ship(NEW)
    world.settle()
    world.deserted.add(OLD)
    world.run(5)
    command = "agentrollouts promote support-agent --namespace=support --attempt=2 --phase="
    assert (world.state, world.ready_reason()) == (State.HELD, "Held")
    assert f"{command}first --reason=..." in held_for(world, Reason.NO_READY_ENDPOINTS)

    world.act(ActionType.PROMOTE, name="promote", phase="first")
    world.run(5)
    assert told(world)[0] == "Done"
    assert f"{command}bake" in held_for(world, Reason.NO_READY_ENDPOINTS)
    world.act(ActionType.PROMOTE, name="bake", phase="bake")
    world.run(5)
    assert (world.state, world.shares()) == (State.HEALTHY, {NEW: 100})


def test_a_person_leaves_nothing_for_a_canary_that_does_not_answer() -> None:
    """No promotion sends requests to where nobody answers."""
    world = a_world(a_rollout(phases=PHASES[:1]).serving(OLD), OLD, NEXT)
    world.ship(NEW)
    world.settle()
    world.deserted |= {OLD, NEW}
    world.act(ActionType.PROMOTE, name="promote", phase="first")
    world.run(60)
    assert (world.state, told(world)[0], world.shares()[NEW]) == (State.HELD, "Waiting", 10)


def test_a_promotion_to_the_bake_moves_no_weight() -> None:
    """So it is done when it is taken; that of the bake once the route has all of the new release."""
    world = promoting(phases=PHASES[:1])
    assert (world.state, told(world)) == (State.BAKING, ("Done", f"{NEW} has 10%"))
    world.act(ActionType.PROMOTE, name="bake", phase="bake")
    world.settle()
    assert (world.state, told(world, "bake")[0]) == (State.HEALTHY, "Waiting")
    world.has_gateway_api = True
    world.run(60)
    assert (world.shares(), told(world, "bake")) == ({NEW: 100}, ("Done", f"{NEW} has all traffic"))


@pytest.mark.parametrize("how", ["approval", "hold", "paused", "freeze"])
def test_a_promotion_says_what_it_waits_for(how: str) -> None:
    """An approval, a person, Git or a freeze; then it takes effect."""
    phases = [PHASES[1], PHASES[0] | {"weight": 60}] if how == "approval" else PHASES
    phase = "asked" if how == "approval" else "first"
    world = a_world(a_rollout(phases=phases).serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    match how:
        case "hold":
            world.act(ActionType.HOLD)
        case "paused":
            world.edit(lambda builder: builder.planning(paused=True))
        case "freeze":
            world.freezes = (a_freeze(),)
    before = world.canary_weight
    world.settle()
    world.act(ActionType.PROMOTE, by="max@example.com", name="promote", phase=phase)
    world.run(100)
    words = {
        "approval": "Phase asked passed; to approve: agentrollouts approve",
        "hold": "lee@example.com holds the attempt",
        "paused": "spec.paused is true",
        "freeze": "AgentFreeze support/weekend is active",
    }
    reason, message = told(world)
    assert (reason, world.canary_weight) == ("Waiting", before)
    assert message.startswith(f"phase {phase} counts as passed; {words[how]}")
    news, writes = world.news, world.status_writes
    world.step()
    assert (world.news, world.status_writes) == (news, writes)
    match how:
        case "approval":
            world.act(ActionType.APPROVE, phase="asked")
        case "hold":
            world.act(ActionType.RESUME)
        case "paused":
            world.edit(lambda builder: builder.planning(paused=False))
        case "freeze":
            world.freezes = ()
    world.run(60)
    assert (told(world)[0], world.canary_weight > before) == ("Done", True)


@pytest.mark.parametrize("how", ["action", "releaseRef", "superseded", "plan"])
def test_a_promotion_that_the_attempt_overtakes_is_stale(how: str) -> None:
    """By a rollback, another release, or another plan, before the canary got more."""
    world = a_world(a_rollout(phases=PHASES).serving(OLD), OLD, NEXT)
    world.ship(NEW)
    world.settle()
    world.act(ActionType.HOLD)
    world.act(ActionType.PROMOTE, name="promote", phase="first")
    world.settle()
    assert told(world)[0] == "Waiting"
    match how:
        case "action":
            world.act(ActionType.ROLL_BACK, release=NEW)
        case "releaseRef":
            world.ask_for(OLD)
        case "superseded":
            world.ask_for(NEXT)
        case _:
            world.edit(lambda builder: builder.planning(bake={"durationSeconds": 7}))
    world.settle()
    reason, message = told(world)
    words = {"superseded": "superseded", "plan": "plan changed"}
    assert (reason, words.get(how, "rolled back") in message) == ("Stale", True)
    assert [message for message in world.told(Reason.ACTION_REFUSED) if "Promote" in message] != []
    results = {entry.name: entry.result for entry in world.status.actions}
    assert results["promote"] == "Stale"


def test_a_weight_that_was_written_late_and_rolled_back_is_no_promotion() -> None:
    """The phase was left, but the route never had its weight."""
    world = promoting()
    world.act(ActionType.ROLL_BACK, release=NEW)
    world.settle()
    assert told(world) == ("Stale", "the attempt was rolled back before the promotion took effect")


def test_a_second_promotion_of_a_phase_has_nothing_to_do() -> None:
    """It fills no ledger; and who requested it has decided, so that person's approval does not count."""
    world = a_world(a_rollout(phases=[PHASES[1]]).serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    for number, by in enumerate(("max@example.com", "ana@example.com")):
        world.act(ActionType.PROMOTE, by=by, name=f"promote-{number}", phase="asked")
        world.settle()
    assert told(world, "promote-1") == ("NothingToDo", "max@example.com promoted phase asked already")
    world.act(ActionType.APPROVE, by="ana@example.com", phase="asked")
    world.settle()
    assert world.status.actions[0].message.startswith("ana@example.com promoted a phase")


@pytest.mark.parametrize("crash", range(8))
def test_a_crash_loses_no_answer(crash: int) -> None:
    """The ledger knows what waits, so the next process answers."""
    world = a_world(a_rollout(phases=PHASES).serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    world.act(ActionType.PROMOTE, name="promote", phase="first")
    world.step(crash)
    world.restart()
    world.run(60)
    assert (told(world), world.canary_weight) == (("Done", f"{NEW} has 30%"), 30)
