"""The search of a group of two can fail: bugs in the group are planted, and each breaks its rule."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from agentrollouts.core.recovery.group import member, rollback
from agentrollouts.core.rollout.neighbors import group
from campaigns.virtual import planted_bugs
from campaigns.virtual.pairs import Pair, PairSearch, beginning_of_two, following
from testkit.builders.names import NEW

ENOUGH: Final = 12
"""States within which each of them is found."""
SHIPPED: Final = (f"one: ask for {NEW}", f"two: ask for {NEW}", "time passes")
HARMED: Final = (f"one: ask for {NEW}", "time passes", "one: answers fail", "two hears")
PROMOTED: Final = (*SHIPPED, "one: answers pass", "two: answers fail")


def _yes(*_: object) -> bool:
    return True


def _no(*_: object) -> None:
    return None


def _any_trigger(attempt: Any, _: str) -> bool:  # noqa: ANN401 an attempt, or an entry of the history
    return bool(attempt.trigger)


Bug = tuple[str, tuple[str, ...], tuple[Any, str, Callable[..., Any]]]
"""The rule that it breaks, what happened before, and the patch."""
BUGS: Final[dict[str, Bug]] = {
    "every change overlaps": ("G2", HARMED, (rollback, "_overlap", _yes)),
    "a canary never has to be rolled back": ("G1", SHIPPED, (group, "due_on_trial", _no)),
    "a stable release never has to be rolled back": ("G1", PROMOTED, (group, "due_at_rest", _no)),
    "a revert in Git counts as harm": ("G2", SHIPPED, (member, "_is_harmful", _any_trigger)),
}


def led(trail: tuple[str, ...]) -> Pair:
    """The pair after all of this happened, and no process ended on the way."""
    pair = beginning_of_two()
    for what in trail:
        pair = next(after for after in following(pair, set()) if after.trail[-1] == what)
    return pair


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_breaks_its_rule(bug: str) -> None:
    """Within a few states, and by the rule that names it."""
    rule, trail, patch = BUGS[bug]
    with planted_bugs.planted((patch,)):
        search = PairSearch(begin=lambda: led(trail), steps=len(trail) + ENOUGH)
        list(search.run(ENOUGH))

    assert f"{rule}: " in (search.broken or "")
