"""T9: the operator's clock jumps in mid-phase, and is put right some time later.

In virtual time, since a real clock belongs to the whole machine. Everything that the operator knows of the
time is UTC, so a leap second is a second that occurs twice. The end of summer time has no effect, except on
a machine that took local time for UTC. Prometheus keeps the true time.
"""

import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.release import ReleaseRef
from campaigns.cases import Campaign, Case, Choice
from campaigns.virtual.simulated import (
    BEGUN,
    QUIET,
    RELEASES,
    Disturbed,
    a_rollout,
    a_world,
    broken,
    respecify,
    set_clock,
)

OFF: Final[Mapping[str, tuple[float, float]]] = {
    "1 s ahead": (1, 120),
    "1 s behind": (-1, 120),
    "5 min ahead": (300, 120),
    "5 min behind": (-300, 120),
    "1 day ahead": (86_400, 120),
    "1 day behind": (-86_400, 120),
    "leap second": (-1, 1),
    "local time for UTC": (3600, 120),
}
"""By how many seconds the clock is off, and after how many it is put right."""
PLACES: Final[Mapping[str, float]] = {
    "the first phase begins": 5,
    "mid-phase": 45,
    "the first phase ends": 88,
    "the second phase": 150,
    "the bake": 215,
}
"""Seconds after the canary was asked for."""
PHASES: Final = (
    {"name": "first", "weight": 10, "durationSeconds": 90},
    {"name": "second", "weight": 50, "durationSeconds": 90},
)
CANARY: Final = RELEASES[1]


def play_case(off: str, place: str, *, bad: bool) -> str | None:
    """Play one case; what did not hold, or None."""
    rollout = a_rollout(
        phases=PHASES,
        gates=[{"name": "errors", "template": "error-rate"}],
        analysis={"intervalSeconds": 20, "warmupSeconds": 0, "staleAfterSeconds": 30},
        bake={"durationSeconds": 60},
    )
    world = a_world(rollout, frozenset({CANARY} if bad else ()), random.Random(0))
    world.is_disturbed = False
    world.runs_per_second = 20.0
    end = State.ROLLED_BACK if bad else State.HEALTHY
    return broken(world, partial(_play, off=OFF[off], place=PLACES[place], end=end))


def _play(world: Disturbed, off: tuple[float, float], place: float, end: State) -> None:
    jump, lasts = off
    world.settle()
    world.run(BEGUN)
    respecify(world, release_ref=ReleaseRef(name=CANARY))
    world.run(place)
    set_clock(world, world.observer, timedelta(seconds=jump))
    world.run(lasts)
    set_clock(world, world.observer, timedelta())
    world.run(QUIET)
    world.observer.at_rest(world.now)
    state = world.status.attempt.state if world.status.attempt else None
    world.observer.check(state is end, "L1", f"{CANARY} is {state}, not {end}", world.now)


def play(choice: Choice) -> Iterator[Case]:
    """Each jump at each place of a good release's course, and early in that of a bad one."""
    good = [(off, place, False) for off in OFF for place in PLACES]
    cases = [*good, *((off, next(iter(PLACES)), True) for off in OFF)]
    for off, place, bad in choice.spread(cases):
        name = f"{off}, {place}{', of a bad release' if bad else ''}"
        if choice.wants(name):
            yield Case(name, play_case(off, place, bad=bad))


CLOCK_JUMPS: Final = Campaign(
    "clock-jumps",
    "a clock that jumps in mid-phase and is put right shortens no phase (S3), brings back nothing (S4) and"
    " stops nothing for good (L1)",
    play,
    unit="jumps",
)
