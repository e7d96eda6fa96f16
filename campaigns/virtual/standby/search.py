"""Standbys in the exhaustive search: two of them can serve in the place of stable while its tool fails.

The plan has one gate, which is evaluated at rest alone. What fails is repaired, or fails again within a day
or later; agents go away and return; people switch off and on; Git returns to the release that is a standby,
and from it. D4 is judged here, at rest: what ends a detour ends it, unless what would serve then has no
endpoint.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.recovery.detour import DetourCause
from agentrollouts.core.action.ledger import is_answered
from agentrollouts.core.states import is_progressing
from agentrollouts.simulation import cluster
from campaigns.cases import Campaign, Case, Choice
from campaigns.virtual import exhaustive
from campaigns.virtual.happenings import Happening, answering, asking_for
from campaigns.virtual.recovering import RECOVERIES
from campaigns.virtual.recovery_keys import is_uncounted
from campaigns.virtual.small_world import ONE_PHASE, RECOVERY, Small, beginning
from campaigns.virtual.standby.rules import USUAL, StandbyObserver
from testkit.builders.names import NEW, NEXT, OLD, START
from testkit.builders.rollouts import a_rollout

TOOL: Final = {
    **ONE_PHASE["gates"][0],
    "type": "Limit",
    "limit": {"value": "0.2", "forSeconds": 0},
    "during": ["Full"],
    "action": "Standby",
}
SPARES: Final = (OLD, NEXT)
SPEC: Final[Mapping[str, Any]] = {
    **ONE_PHASE,
    "fallback": RECOVERY["fallback"],
    "gates": [TOOL],
    "watch": {"intervalSeconds": 30},
    "standby": [
        {
            "releaseRef": {"name": release},
            "gates": [TOOL["name"]],
            "returnAfterSeconds": int(USUAL.total_seconds()),
        }
        for release in SPARES
    ],
}
STEPS: Final = 9
"""Happenings after which a world is not led further."""
MOMENT: Final = timedelta(milliseconds=1)
SOON: Final = USUAL + timedelta(seconds=1)
LATER: Final = timedelta(days=1, seconds=1)


def _passes(world: Small) -> bool:
    """The usual time of a standby passes, where anything waits for it, or for something to count."""
    detour, is_due = world.status.detour, is_progressing(world.status) or is_uncounted(world)
    world.now += SOON
    return is_due or (detour is not None and detour.until is not None)


def _day(world: Small) -> bool:
    """More than a day passes since the last detour, with nothing in progress."""
    world.now += LATER
    return world.status.last_detour is not None and not is_progressing(world.status)


def leaving(release: str) -> Happening:
    """The agents of a release go away, or return."""

    def happen(world: Small) -> bool:
        world.deserted = world.deserted ^ {release}
        if isinstance(world.observer, StandbyObserver):
            world.observer.deserted = frozenset(world.deserted)
        return True

    return happen


def later(happen: Happening) -> Happening:
    """A moment later, as the identity of a detour follows from its time."""

    def happen_later(world: Small) -> bool:
        world.now += MOMENT
        return happen(world)

    return happen_later


_ALL: Final[Mapping[str, Happening]] = {
    "half an hour passes": _passes,
    "a day passes": _day,
    **{f"ask for {release}": asking_for(release) for release in (OLD, NEW)},
    **{f"answers {word}": answering(word, "pass") for word in ("pass", "fail")},
    **{what: RECOVERIES[what] for what in ("switch off", "switch on", "switch on late")},
    **{f"agents of {release}": leaving(release) for release in (OLD, NEW)},
}
HAPPENINGS: Final = {what: later(happen) for what, happen in _ALL.items()}
"""All that can happen. Agents of the second standby always run."""


def standby_beginning() -> Small:
    """`NEW` serves; both standbys did before it."""
    served = a_rollout(**SPEC).serving(NEXT).serving(OLD).serving(NEW).asking_for(NEW)
    done = served.trying(NEW).changing(number=3, state=State.HEALTHY, weight=100)
    world = beginning(done.having(canary=None))
    world.ever_healthy |= {NEW, NEXT}
    world.observer = StandbyObserver(world.services, bad=frozenset(), healthy={OLD, NEW, NEXT})
    world.watchers = [world.observer.see]
    world.observer.see(START, cluster.rollout_of(world.rollout, world.status.to_json()))
    return world


def returns(world: Small) -> None:
    """D4, of a world at rest.

    Raises:
        AssertionError: a detour lasts though it is due to end, and what would serve then can.
    """
    status = world.status
    detour, stable = status.detour, status.stable
    if detour is None or stable is None or stable.release in world.deserted or is_progressing(status):
        return
    is_due = detour.cause is DetourCause.STANDBY and detour.until is not None and detour.until <= world.now
    assert not is_due, f"D4: {detour} is over"  # noqa: S101 a rule, like those of testkit/world.py
    left = (each.spec for each in world.actions.values() if not is_answered(each))
    named = [each for each in left if each.type is ActionType.SWITCH_ON and each.detour == detour.id]
    assert not named, f"D4: {detour} lasts though {named} was requested"  # noqa: S101 the same


def play(choice: Choice) -> Iterator[Case]:
    """The whole search, told every few hundred states."""
    return exhaustive.play(choice, standby_beginning, HAPPENINGS, returns, STEPS)


STANDBYS: Final = Campaign(
    "standbys",
    "The same with two standbys: one detour at a time, the requests reach agents, the way back is open,"
    " each trip is counted once",
    play,
    unit="states",
)
