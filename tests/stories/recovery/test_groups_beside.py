"""Members of a group in virtual time, beside detours, standbys, drills and fallbacks, when one rolls back."""

from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.recovery.detour import DetourCause
from agentrollouts.core.containment.fallback import lead_of
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, service_of
from testkit.builders.routes import BY_ROUTE, ROUTE
from testkit.world import Behavior, World, a_world_at_rest
from tests.stories.recovery.test_standby import TOOL
from tests.stories.test_groups import BAD, LONG, SHORT, Group, consistent, member, newest, stable_of
from tests.stories.test_switch_off import QUEUE, switch_off, switch_on

SPARE: Final[dict[str, Any]] = {
    "traffic": BY_ROUTE,
    "fallback": QUEUE,
    "phases": SHORT,
    "bake": {"durationSeconds": 60},
}
BROKEN: Final = Behavior(failed=0.9)
DRILL: Final = {"everySeconds": 30 * 86_400, "weight": 5, "durationSeconds": 3600}


def served(world: World) -> dict[str, int]:
    """The releases, or Services, that get requests, each with its share."""
    return {name: share for name, share in world.shares().items() if share}


def promoted(**spec: Any) -> Group:  # noqa: ANN401 any field
    """`c` has promoted what it shipped together with `a`, whose canary is about to fail."""
    group = Group(a=member(OLDEST, OLD), c=member(OLDEST, OLD, **{**SPARE, **spec}))
    for name in "ac":
        group.worlds[name].ship(NEW)
    group.run_until("c", State.HEALTHY)
    return group


def fails(group: Group) -> None:
    """The canary of `a` does harm, and is rolled back; then the others have time."""
    group.worlds["a"].agents[NEW] = BAD
    group.run_until("a", State.ROLLED_BACK)
    group.run(900)


@pytest.mark.parametrize("percent", [100, 30])
def test_a_member_that_is_off_rolls_back_behind_the_detour(percent: int) -> None:
    """The fallback keeps its share; whoever switches the agent on gets the release before."""
    group = promoted()
    c = group.worlds["c"]
    detour = switch_off(c, percent)
    fails(group)

    assert (stable_of(c), newest(c)[:2]) == (OLD, (NEW, Trigger.GROUP))
    left = {OLD: 100 - percent} if percent < 100 else {}
    assert served(c) == {"human-queue": percent, **left}
    assert c.status.detour is not None
    assert c.status.detour.id == detour
    assert switch_on(c, detour) == ("Done", f"the traffic goes to {OLD} again")
    group.run(60)
    assert (served(c), [entry.release for entry in c.status.quarantined]) == ({OLD: 100}, [NEW])
    assert consistent(c).status == "True"


@pytest.mark.parametrize("standby", [OLDEST, OLD])
def test_a_member_on_standby_rolls_back_behind_it(standby: str) -> None:
    """Also if the standby is what it rolls back to: the requests never reach the bad release again."""
    named = {"releaseRef": {"name": standby}, "gates": ["refund-tool"], "returnAfterSeconds": 900}
    group = promoted(gates=[TOOL], watch={"intervalSeconds": 60}, standby=[named])
    c = group.worlds["c"]
    c.agents[NEW] = BROKEN
    while c.status.detour is None:
        group.run(60)
    assert served(c) == {standby: 100}
    group.worlds["a"].agents[NEW] = BAD
    seen = set[str]()
    for _ in range(60):
        group.run(60)
        seen |= served(c).keys()

    assert group.worlds["a"].state is State.ROLLED_BACK
    assert (stable_of(c), newest(c)[:2]) == (OLD, (NEW, Trigger.GROUP))
    assert seen == {standby, OLD}
    assert (served(c), c.ready_reason()) == ({OLD: 100}, "Quarantined")


def test_the_route_of_an_agent_whose_fallback_rolls_back_with_its_group_follows() -> None:
    """While it is off, the requests go to whatever the member serves: never to the one rolled back."""
    group = promoted()
    c, other = (
        group.worlds["c"],
        a_world_at_rest(OLDEST, OLD, traffic=BY_ROUTE, fallback={"rollout": {"name": "c"}}),
    )
    other.fallback = lead_of("c", {"status": c.status.to_json()})
    other.settle()
    switch_off(other)
    assert served(other) == {NEW: 100}
    fails(group)
    other.fallback = lead_of("c", {"status": c.status.to_json()})
    other.settle()

    (rule,) = other.traffic[ROUTE]["spec"]["rules"]
    assert {ref["name"]: ref["weight"] for ref in rule["backendRefs"]} == {service_of(OLD): 100}


def test_members_that_answer_for_each_other_roll_back_together() -> None:
    """One is off, and the other answers for both; both have the release before in the end."""
    group = promoted()
    a, c = group.worlds["a"], group.worlds["c"]
    a.edit(lambda builder: builder.planning(fallback={"rollout": {"name": "c"}}))
    a.fallback = lead_of("c", {"status": c.status.to_json()})
    c.fallback = lead_of("a", {"status": a.status.to_json()})
    detour = switch_off(c)
    fails(group)
    c.fallback = lead_of("a", {"status": a.status.to_json()})
    switch_on(c, detour)
    group.run(60)

    assert (stable_of(a), stable_of(c), served(a), served(c)) == (OLD, OLD, {OLD: 100}, {OLD: 100})


@pytest.mark.parametrize("ends", ["paused", "switched off", "restarted"])
def test_a_drill_of_a_member_ends_for_the_group_whatever_else_happens(ends: str) -> None:
    """The drill shows nothing, and the release that failed is rolled back in the same minutes."""
    group = promoted(drill=DRILL)
    c = group.worlds["c"]
    c.act(ActionType.DRILL, release=OLDEST)
    group.run(60)
    assert served(c) == {NEW: 95, OLDEST: 5}
    match ends:
        case "paused":
            c.edit(lambda builder: builder.planning(paused=True))
        case "switched off":
            switch_off(c)
        case _:
            c.restart()
    fails(group)

    assert (stable_of(c), c.canary_weight) == (OLD, 0 if ends != "switched off" else 100)
    assert c.status.last_rollback is not None
    assert c.status.last_rollback.trigger is Trigger.GROUP
    assert [entry.release for entry in c.status.quarantined] == [NEW]


def test_a_gate_that_switches_a_member_off_does_not_spread() -> None:
    """A detour is not a rollback: siblings continue, as the agent may be at fault and not the release."""
    off = {**TOOL, "action": "SwitchOff"}
    group = Group(
        a=member(OLDEST, OLD, phases=LONG),
        c=member(OLDEST, OLD, **{**SPARE, "gates": [off], "watch": {"intervalSeconds": 60}}),
    )
    a, c = group.worlds.values()
    a.ship(NEXT)
    group.run(60)
    c.agents[OLD] = BROKEN
    while c.status.detour is None:
        group.run(60)
    group.run(600)

    assert c.status.detour.cause is DetourCause.GATE
    assert (a.state, a.canary_weight, consistent(a).status) == (State.CANARY, 50, "True")
