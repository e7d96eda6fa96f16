"""Input: a rollout whose team prepares a recovery step by step. Output: what the condition says."""

from typing import Any, Final

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.recovery.tools import Tools
from agentrollouts.core.conditions import ROLLBACK_READY, find_condition
from testkit.builders.names import NEW, OLD, OLDEST
from testkit.builders.rollouts import a_rollout
from testkit.tools import equip
from testkit.world import World, a_world, a_world_at_rest

CAP: Final = {"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "1000000"}
KEEP: Final = {"name": "keep", "at": "BeforeTraffic", "job": {"cronJob": "keep"}}
REVERSE: Final[dict[str, Any]] = {"name": "reverse", "at": "AfterRollback", "job": {"cronJob": "reverse"}}
ACTING: Final[Tools] = {"issue_refund": True, "search": False, "send_mail": True}
DRILL: Final = {"everySeconds": 1200, "weight": 5, "durationSeconds": 60}
REPAIR: Final = "a hook after a rollback (5), a hook for issue_refund and send_mail (6)"
BEFORE: Final = "a hook before traffic (7)"
AVAILABLE: Final = f"{OLDEST} is available for a rollback"


def said(world: World) -> tuple[ConditionStatus, str, str]:
    """What RollbackReady says, once nothing changes any more."""
    world.settle()
    found = find_condition(world.status.conditions, ROLLBACK_READY)
    assert found is not None
    return found.status, found.reason, found.message


def planned(world: World, **spec: object) -> tuple[str, str]:
    """What is said after a change of the plan."""
    world.edit(lambda builder: builder.planning(**spec))
    status, reason, message = said(world)
    assert status is ConditionStatus.TRUE
    return reason, message


def test_a_team_comes_from_three_of_seven_to_all() -> None:
    """Each step is counted as soon as it is there, and the message names what is left."""
    world = a_world_at_rest(OLDEST, OLD)
    equip(world, OLD, ACTING)
    assert said(world) == (
        ConditionStatus.TRUE,
        "RecoveryIncomplete",
        f"3 of 7: missing a cap that rolls back (4), {REPAIR}, {BEFORE}. {AVAILABLE}",
    )
    assert planned(world, caps=[CAP]) == (
        "RecoveryIncomplete",
        f"4 of 7: missing {REPAIR}, {BEFORE}. {AVAILABLE}",
    )
    one = REVERSE | {"forTools": ["issue_refund"]}
    assert planned(world, hooks=[one]) == (
        "RecoveryIncomplete",
        f"5 of 7: missing a hook for send_mail (6), {BEFORE}. {AVAILABLE}",
    )
    both = REVERSE | {"forTools": ["issue_refund", "send_mail"]}
    assert planned(world, hooks=[both]) == ("RecoveryIncomplete", f"6 of 7: missing {BEFORE}. {AVAILABLE}")
    assert planned(world, hooks=[KEEP, both]) == ("RollbackReady", f"7 of 7. {AVAILABLE}")

    assert planned(world, drill=DRILL) == (
        "RecoveryIncomplete",
        f"6 of 7: missing a passed drill of {OLDEST} (2). {AVAILABLE}",
    )
    world.run_until(State.ROLLED_BACK)
    assert said(world) == (ConditionStatus.TRUE, "RollbackReady", f"7 of 7. {AVAILABLE}")


def test_a_first_release_shows_what_is_missing_before_it_can_be_rolled_back() -> None:
    """The condition is Unknown, as there is nothing to return to; unknown tools do not count as none."""
    world = a_world(a_rollout().asking_for(OLD), OLD)
    world.run_until(State.HEALTHY)
    missing = (
        "a rollback target (2), `components.tools` of what serves (3), a cap that rolls back (4), a hook "
        "after a rollback (5), a hook for any tool (6)"
    )
    assert said(world) == (
        ConditionStatus.UNKNOWN,
        "NothingEarlier",
        f"1 of 7: missing {missing}, {BEFORE}. No other healthy release is known beside {OLD}",
    )


def test_the_tools_of_a_canary_count_too() -> None:
    """What it can do needs a repair as well, from its first request on."""
    plan = {"caps": [CAP], "hooks": [KEEP, REVERSE | {"forTools": ["issue_refund"]}]}
    world = a_world_at_rest(OLDEST, OLD, **plan)
    equip(world, OLD, {"issue_refund": True})
    assert said(world) == (ConditionStatus.TRUE, "RollbackReady", f"7 of 7. {AVAILABLE}")
    world.ship(NEW)
    equip(world, NEW, {"issue_refund": True, "close_account": True})
    world.run_until(State.CANARY)
    assert said(world) == (
        ConditionStatus.TRUE,
        "RecoveryIncomplete",
        f"6 of 7: missing a hook for close_account (6). {OLD} can take over all traffic",
    )


def test_tools_that_become_known_are_news_by_themselves() -> None:
    """At rest nothing else of the status changes, and the message follows in one write."""
    plan = {"caps": [CAP], "hooks": [REVERSE | {"forTools": ["issue_refund"]}]}
    world = a_world(a_rollout(**plan).serving(OLD), OLD)
    world.ship(NEW)
    world.run_until(State.HEALTHY)
    world.settle()
    assert world.status.caps
    for tools, points in (
        (ACTING, f"5 of 7: missing a hook for send_mail (6), {BEFORE}"),
        ({"close_account": True}, f"5 of 7: missing a hook for close_account (6), {BEFORE}"),
        ({"issue_refund": True}, f"6 of 7: missing {BEFORE}"),
    ):
        before = world.status_writes
        equip(world, NEW, tools)
        assert said(world)[2] == f"{points}. {OLD} is available for a rollback"
        assert world.status_writes == before + 1


def test_a_day_at_rest_writes_nothing() -> None:
    """Neither the points nor the tools are a reason to write, or to look again."""
    world = a_world_at_rest(OLDEST, OLD, caps=[CAP], hooks=[KEEP, REVERSE])
    equip(world, OLD, ACTING)
    world.settle()
    before = world.status_writes, world.jobs.requests
    world.run(86_400)
    assert (world.status_writes, world.jobs.requests) == before
    assert world.wake_at is None
