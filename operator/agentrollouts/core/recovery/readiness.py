"""The seven points that make a recovery possible: which of them hold, and what is missing.

A list for people, from questions that a team should answer before an agent acts on its own. Nothing depends
on it: a rollback checks none of these points. What is unknown does not hold, unless it cannot be seen at all,
as from a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agentrollouts.api.recovery.hooks import Hook, Moment
from agentrollouts.api.recovery.tools import Tools, external_actions

POINTS: Final = 7
ENOUGH: Final = 5
"""Points below which the first phase should have a very small weight."""
CAUTIOUS_WEIGHT: Final = 1
"""That weight, in percent."""
_NAMED: Final = 3
"""Tools that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a rollout."""

    has_data: bool | None
    """Whether gates had data of a release; None if that cannot be seen."""
    has_target: bool | None
    """Whether a release can be rolled back to; None if that cannot be seen."""
    wanted: str = "a rollback target"
    """What is missing if there is none."""
    tools: Tools | None
    """The tools of what serves."""
    are_tools_seen: bool = True
    """Whether it can be seen what serves."""
    gate_rolls_back: bool
    cap_rolls_back: bool
    hooks: tuple[Hook, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One of the seven."""

    number: int
    holds: bool | None
    """None if that cannot be seen."""
    missing: str
    """What is missing if it does not hold, and its number."""


def points(facts: Facts) -> tuple[Point, ...]:
    """The seven points, in the order of the documentation."""
    found = (
        (facts.has_data, "data in a gate"),
        (facts.has_target, facts.wanted),
        (_seen(facts, holds=facts.tools is not None), "`components.tools` of what serves"),
        (facts.gate_rolls_back and facts.cap_rolls_back, _stopping(facts)),
        (_isolates(facts), "a hook after a rollback"),
        (_covers(facts), f"a hook for {_uncovered(facts)}"),
        (any(hook.at is Moment.BEFORE_TRAFFIC for hook in facts.hooks), "a hook before traffic"),
    )
    return tuple(
        Point(number, holds, f"{missing} ({number})") for number, (holds, missing) in enumerate(found, 1)
    )


def count(found: tuple[Point, ...]) -> int:
    """How many of the points hold."""
    return sum(point.holds is True for point in found)


def missing(found: tuple[Point, ...]) -> tuple[str, ...]:
    """What is missing."""
    return tuple(point.missing for point in found if point.holds is False)


def sentence(found: tuple[Point, ...]) -> str:
    """How many of the points hold, and what is missing for the others."""
    left = missing(found)
    return f"{count(found)} of {POINTS}{': missing ' if left else ''}{', '.join(left)}"


def _seen(facts: Facts, *, holds: bool) -> bool | None:
    return holds if facts.are_tools_seen else None


def _stopping(facts: Facts) -> str:
    if facts.gate_rolls_back or facts.cap_rolls_back:
        return f"a {'cap' if facts.gate_rolls_back else 'gate'} that rolls back"
    return "a gate and a cap that roll back"


def _repairs(facts: Facts) -> Iterator[Hook]:
    return (hook for hook in facts.hooks if hook.at is Moment.AFTER_ROLLBACK)


def _isolates(facts: Facts) -> bool | None:
    """Whether what a bad release sent can be isolated: by a hook, or because it sends nothing."""
    return any(_repairs(facts)) or _seen(facts, holds=external_actions(facts.tools) == ())


def _covers(facts: Facts) -> bool | None:
    """Whether each tool that acts on the world has a hook that repairs what it did."""
    if any(hook.for_tools is None for hook in _repairs(facts)):
        return True
    return _seen(facts, holds=facts.tools is not None and not _without_hook(facts))


def _without_hook(facts: Facts) -> tuple[str, ...]:
    repaired = {tool for hook in _repairs(facts) for tool in hook.for_tools or ()}
    return tuple(tool for tool in external_actions(facts.tools) or () if tool not in repaired)


def _uncovered(facts: Facts) -> str:
    """The tools without a hook, of very many a few; any tool if they are unknown."""
    names = _without_hook(facts)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{' and '.join(names[:_NAMED])}{more}" if names else "any tool"
