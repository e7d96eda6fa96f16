"""The search of standbys can fail: bugs are planted, and each breaks its rule."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.containment.detour import begun
from agentrollouts.core.rollout import situation
from agentrollouts.core.rollout.standbys import course
from campaigns.virtual import planted_bugs
from campaigns.virtual.exhaustive import Search
from campaigns.virtual.small_world import Small
from campaigns.virtual.standby.search import HAPPENINGS, returns, standby_beginning
from testkit.builders.names import NEW

ENOUGH: Final = 4
"""States within which each of them is found."""
TRIPPED: Final = ("answers fail",)
AGAIN: Final = (*TRIPPED, "half an hour passes", "half an hour passes")


def _forgets(status: AgentRolloutStatus, marked: Detour | None) -> AgentRolloutStatus:
    return begun(status, marked) if marked else status


def _first(*_: object) -> int:
    return 1


def _ready(*_: object) -> bool:
    return True


def _unended(status: AgentRolloutStatus, *_: object) -> AgentRolloutStatus:
    return status.copy_with(last_detour=None)


Bug = tuple[str, tuple[str, ...], tuple[Any, str, Callable[..., Any]]]
"""The rule that it breaks, what happened before, and the patch."""
BUGS: Final[dict[str, Bug]] = {
    "the mark of a detour that has ended counts": ("D1", TRIPPED, (situation, "adopted", _forgets)),
    "stable serves again though its agents are gone": (
        "D2",
        (*TRIPPED, f"agents of {NEW}"),
        (course, "is_ready", _ready),
    ),
    "every trip is the first": ("D3", AGAIN, (course, "_trips", _first)),
    "a standby serves for good": ("D4", TRIPPED, (course, "ended", _unended)),
}


def led(trail: tuple[str, ...]) -> Small:
    """The world after all of this happened, and no process ended on the way."""
    world = standby_beginning()
    for what in ("", *trail):
        after = world.fork(what)
        if what:
            assert HAPPENINGS[what](after)
        search = Search()
        search.follow(after)
        assert search.broken is None
        world = search.left[0]
    return world


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_breaks_its_rule(bug: str) -> None:
    """Within a few states, and by the rule that names it."""
    rule, trail, patch = BUGS[bug]
    world = led(trail)
    with planted_bugs.planted((patch,)):
        search = Search(begin=lambda: world, happenings=HAPPENINGS, check=returns)
        list(search.run(ENOUGH))

    assert f"{rule}: " in (search.broken or "")
