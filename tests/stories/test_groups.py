"""Members of a group in virtual time: what each does, and what people read, when another one rolls back."""

from typing import Any, Final

import pytest

from agentrollouts.api.attempt import AttemptKind, State, Trigger
from agentrollouts.api.objects import Condition
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.recovery.group.member import member_of
from testkit.builders.freezes import a_freeze
from testkit.builders.names import AGENT, NEW, NEXT, OLD, OLDEST
from testkit.builders.rollouts import a_rollout
from testkit.people import retry, roll_back
from testkit.world import Behavior, World, a_world, a_world_at_rest

GROUP: Final = "checkout"
LONG: Final = [{"name": "half", "weight": 50, "durationSeconds": 3600}]
SHORT: Final = [{"name": "half", "weight": 50, "durationSeconds": 300}]
BAD: Final = Behavior(failed=0.6)


class Group:
    """Worlds that see each other, by name."""

    def __init__(self, **worlds: World) -> None:
        self.worlds = worlds
        self.tell()

    def tell(self) -> None:
        """Every member sees the persisted status of every other one, and decides."""
        seen = {name: member_of(name, GROUP, world.status) for name, world in self.worlds.items()}
        for name, world in self.worlds.items():
            world.siblings = tuple(m for other, m in seen.items() if m is not None and other != name)
            world.settle()

    def run(self, seconds: float, *, step: float = 30) -> None:
        """Let time pass for all of them."""
        for _ in range(int(seconds / step)):
            for world in self.worlds.values():
                world.run(step)
            self.tell()

    def run_until(self, name: str, state: State) -> None:
        """Let time pass until a member is in a state."""
        for _ in range(240):
            self.run(30)
            if self.worlds[name].state is state:
                return
        raise AssertionError(f"{name} is {self.worlds[name].state}, not {state}")


def member(*releases: str, **spec: Any) -> World:  # noqa: ANN401 any field
    """The last of these serves, as a member of the group."""
    world = a_world_at_rest(*releases, **{"group": GROUP, "phases": LONG, **spec})
    world.settle()
    return world


def consistent(world: World) -> Condition:
    """Its condition."""
    condition = find_condition(world.status.conditions, "GroupConsistent")
    assert condition is not None
    return condition


def stable_of(world: World) -> str:
    """What serves."""
    assert world.status.stable is not None
    return world.status.stable.release


def newest(world: World) -> tuple[str, Trigger | None, AttemptKind]:
    """What the newest entry of its history says."""
    entry = world.status.history[0]
    return entry.release, entry.trigger, entry.kind


def shipped_together(**spec: Any) -> Group:  # noqa: ANN401 any field
    """`a` has a bad canary, `b` one for long, and `c` has promoted its own; `d` shipped nothing."""
    group = Group(
        a=member(OLDEST, OLD),
        b=member(OLDEST, OLD, **spec),
        c=member(OLDEST, OLD, phases=SHORT, bake={"durationSeconds": 60}),
        d=member(OLDEST, OLD),
    )
    for name in "abc":
        group.worlds[name].ship(NEW)
    group.run_until("c", State.HEALTHY)
    group.worlds["a"].agents[NEW] = BAD
    return group


def test_what_was_shipped_together_is_rolled_back_together() -> None:
    """The canary of one, and the release that another one promoted meanwhile; not what nobody shipped."""
    group = shipped_together()
    group.run_until("a", State.ROLLED_BACK)
    group.run(600)
    a, b, c, d = group.worlds.values()

    assert [newest(world) for world in (a, b, c)] == [
        (NEW, Trigger.BREACH, AttemptKind.RELEASE),
        (NEW, Trigger.GROUP, AttemptKind.RELEASE),
        (NEW, Trigger.GROUP, AttemptKind.GO_BACK),
    ]
    assert [stable_of(world) for world in group.worlds.values()] == [OLD, OLD, OLD, OLD]
    assert d.status.history[0].release == OLD
    assert d.status.last_rollback is None
    assert [consistent(world).status for world in group.worlds.values()] == ["True"] * 4
    cause = f"{NEW} was shipped together with {NEW}, which a of group {GROUP} rolled back (attempt 3): "
    for world in (b, c):
        [entry] = world.status.quarantined
        assert (entry.release, entry.reason) == (NEW, Reason.GROUP_ROLLBACK)
        assert entry.message.startswith(cause), entry.message
        [told] = world.told(Reason.ROLLBACK_STARTED)
        assert told.startswith(cause)
        assert world.ready_reason() == Reason.QUARANTINED


def test_a_retry_releases_a_member_that_was_innocent() -> None:
    """Its new attempt began after the rollback of the sibling, so it becomes healthy."""
    group = shipped_together()
    group.run_until("b", State.ROLLED_BACK)
    b = group.worlds["b"]
    retry(b)
    b.edit(lambda builder: builder.planning(phases=SHORT, bake={"durationSeconds": 60}))
    group.run_until("b", State.HEALTHY)
    group.run(600)

    assert (stable_of(b), newest(b)) == (NEW, (NEW, None, AttemptKind.RELEASE))


@pytest.mark.parametrize("stopped", ["paused", "frozen", "metrics", "deleted"])
def test_nothing_stops_it(stopped: str) -> None:
    """Not a pause, a freeze, missing metrics or the deletion of the rollout."""
    group = shipped_together()
    b = group.worlds["b"]
    match stopped:
        case "paused":
            b.edit(lambda builder: builder.planning(paused=True))
        case "frozen":
            b.freezes = (a_freeze(),)
        case "metrics":
            b.metrics = "down"
        case _:
            b.edit(lambda builder: builder.in_deletion())
    group.run_until("a", State.ROLLED_BACK)
    group.run(300)

    triggers = {Trigger.GROUP} if stopped != "deleted" else {Trigger.GROUP, Trigger.SPEC_REVERTED}
    assert b.status.history[0].trigger in triggers
    assert stable_of(b) == OLD


def test_a_member_that_sees_it_late_rolls_back_late() -> None:
    """The operator of one member was away; what the others have persisted is enough."""
    group = shipped_together()
    b = group.worlds["b"]
    b.operator_runs = False
    group.run_until("a", State.ROLLED_BACK)
    group.run(1800)
    assert b.canary_weight == 50
    b.restart()
    b.operator_runs = True
    group.tell()

    assert (b.canary_weight, b.status.last_rollback and b.status.last_rollback.trigger) == (0, Trigger.GROUP)


def test_nothing_is_known_of_a_member_that_was_deleted() -> None:
    """The rule is about the members that exist."""
    group = shipped_together()
    a, b = group.worlds["a"], group.worlds["b"]
    a.run_until(State.ROLLED_BACK)
    del group.worlds["a"]
    group.run(600)

    assert (b.state, stable_of(group.worlds["c"]), consistent(b).status) == (State.CANARY, NEW, "True")


def test_what_happened_before_both_were_members_counts_for_nobody() -> None:
    """A rollout that joins after the incident neither rolls back nor has others roll back."""
    group = Group(a=member(OLDEST, OLD), b=member(OLDEST, OLD, group=None))
    a, b = group.worlds["a"], group.worlds["b"]
    a.ship(NEW)
    b.ship(NEW)
    group.run(60)
    a.agents[NEW] = BAD
    group.run_until("a", State.ROLLED_BACK)
    b.edit(lambda builder: builder.planning(group=GROUP))
    group.run(600)

    assert (b.state, b.canary_weight, consistent(b).status) == (State.CANARY, 50, "True")
    b.edit(lambda builder: builder.planning(group=None))
    b.settle()
    assert (b.status.group, find_condition(b.status.conditions, "GroupConsistent")) == (None, None)


def test_a_first_release_continues_and_every_member_says_so() -> None:
    """There is nothing to roll back to; a fix that began afterwards ends that."""
    first = a_world(a_rollout(group=GROUP, phases=SHORT, bake={"durationSeconds": 900}), NEW)
    first.settle()
    group = Group(a=member(OLDEST, OLD), b=first)
    a = group.worlds["a"]
    a.ship(NEW)
    group.run(60)
    a.agents[NEW] = BAD
    group.run_until("a", State.ROLLED_BACK)
    group.run(60)
    assert (first.state, first.canary_weight) == (State.BAKING, 100)
    for world, name, sibling in ((a, "b", AGENT), (first, AGENT, "a")):
        shared = f"{NEW} was shipped together with {NEW}, which {sibling} of group {GROUP} rolled back"
        sentence = f"{name} cannot roll back: {shared}"
        condition = consistent(world)
        assert (condition.status, condition.reason) == ("False", Reason.GROUP_INCONSISTENT)
        assert condition.message.startswith(sentence), condition.message
        assert [told.startswith(sentence) for told in world.told(Reason.GROUP_INCONSISTENT)] == [True]
    group.run_until("b", State.HEALTHY)
    group.run(60)
    assert (stable_of(first), first.ready_reason()) == (NEW, Reason.NO_HEALTHY_TARGET)

    first.ship(NEXT)
    group.run_until("b", State.HEALTHY)
    group.run(60)
    assert stable_of(first) == NEXT
    assert [(consistent(w).status, consistent(w).reason) for w in (a, first)] == [
        ("True", Reason.GROUP_CONSISTENT)
    ] * 2


def test_a_member_that_is_stuck_is_named_whatever_else_its_summary_says() -> None:
    """Half of its traffic is switched off; then it ships a fix, which does not serve alone yet."""
    group = shipped_together()
    a, c = group.worlds["a"], group.worlds["c"]
    c.deserted = {OLDEST, OLD}
    group.run_until("a", State.ROLLED_BACK)
    group.run(60)
    c.edit(lambda builder: builder.planning(fallback={"service": {"name": "human-queue", "port": 8080}}))
    c.act(ActionType.SWITCH_OFF, percent=50)
    group.run(60)
    assert (stable_of(c), c.ready_reason()) == (NEW, Reason.SWITCHED_OFF)
    for world in (a, c):
        assert (consistent(world).status, consistent(world).reason) == ("False", Reason.GROUP_INCONSISTENT)

    assert c.status.detour is not None
    c.act(ActionType.SWITCH_ON, detour=c.status.detour.id)
    group.run(60)
    c.ship(NEXT)
    group.run_until("c", State.CANARY)
    group.run(60)
    assert consistent(a).message.startswith("c cannot roll back: ")
    group.run_until("c", State.HEALTHY)
    group.run(60)
    for world in (a, c):
        assert world.status.group is not None
        assert (consistent(world).status, world.status.group.is_stuck) == ("True", False)


def test_stable_stays_while_no_target_has_a_ready_endpoint() -> None:
    """A bad release is never replaced by none; it is rolled back once the target answers."""
    group = shipped_together()
    c = group.worlds["c"]
    c.deserted = {OLDEST, OLD}
    group.run_until("a", State.ROLLED_BACK)
    group.run(60)
    assert (stable_of(c), c.ready_reason()) == (NEW, Reason.NO_HEALTHY_TARGET)
    assert consistent(group.worlds["a"]).message.startswith("c cannot roll back: ")
    c.deserted = set()
    group.run(60)

    assert (stable_of(c), newest(c)[1]) == (OLD, Trigger.GROUP)
    assert consistent(group.worlds["a"]).status == "True"


def test_a_release_found_bad_at_rest_rolls_back_alone() -> None:
    """Days later, one incident must not undo what everybody shipped."""
    group = Group(a=member(OLDEST, OLD, phases=SHORT), b=member(OLDEST, OLD))
    a, b = group.worlds["a"], group.worlds["b"]
    a.ship(NEW)
    b.ship(NEW)
    group.run_until("a", State.HEALTHY)
    roll_back(a)
    group.run(600)

    assert (newest(a), b.state) == ((NEW, Trigger.ACTION, AttemptKind.GO_BACK), State.CANARY)


def test_the_record_says_which_sibling_it_was() -> None:
    """An entry of its own, before that of the rollback, in the same write."""
    group = shipped_together()
    b = group.worlds["b"]
    b.keeps_records = False
    group.run_until("b", State.ROLLED_BACK)

    unwritten = list(b.status.record.unwritten) if b.status.record else []
    told = [entry for entry in unwritten if entry["event"] in {"GroupRollback", "RollbackStarted"}]
    assert [(entry["event"], entry.get("trigger")) for entry in told] == [
        ("GroupRollback", None),
        ("RollbackStarted", "Group"),
    ]
    assert all(f"which a of group {GROUP} rolled back (attempt 3)" in entry["message"] for entry in told)


@pytest.mark.parametrize("knows", [True, False])
def test_a_process_that_ends_between_the_route_and_the_status_finishes_it(knows: bool) -> None:  # noqa: FBT001
    """The sibling confirms the mark on the route; a mark that nothing confirms does not spread."""
    group = shipped_together()
    a, b = group.worlds["a"], group.worlds["b"]
    a.run_until(State.ROLLED_BACK)
    before = b.rollout.status
    group.tell()
    assert b.canary_weight == 0
    b.rollout = b.rollout.replace(status=before)
    b.restart()
    b.siblings = b.siblings if knows else ()
    b.settle()

    expected = (Trigger.GROUP, Reason.GROUP_ROLLBACK) if knows else (Trigger.TIMEOUT, Reason.ROUTE_MARKED)
    rollback, seen = b.status.last_rollback, member_of("b", GROUP, b.status)
    assert rollback is not None
    assert seen is not None
    assert ((rollback.trigger, rollback.reason), b.canary_weight, seen.harms) == (expected, 0, ())
