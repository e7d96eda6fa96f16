"""Table 6: runs that take minutes. Failures are instant and successes are not, so failures end first.

Before the attempt stable has all the traffic, and its runs under way end during it. Both releases fail alike
in the first columns; the last ones are what the remedy costs.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import Final

from bench.judge.ours import GATES, Known, burst_of, first_fail
from bench.judge.rules import LIMITS, RULES, Minutes
from bench.judge.sampling import poisson
from bench.judge.streams import HISTORY_MINUTES, MINUTES, Minute, weight_at
from bench.judge.tasks import OURS, End, Task

FINISHED: Final = "share of finished runs alone"
TIMED: Final = "agentrollouts, durations known"
STARTED: Final = "agentrollouts, runs counted when they start"
SIGMA: Final = 0.7
"""Of the logarithm of a run's duration: one in twenty takes three times the median."""
SOME: Final = ("Argo-like 5 min, failureLimit 3", "playbook ratio at phase end")
"""The judges of others that are shown beside ours."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A column: median minutes of a run that ends well, and shares of bad runs."""

    name: str
    minutes: float
    stable: float
    canary: float
    gate: str = "errors"


EQUAL: Final = (
    *(Duration(f"5% errors on both, runs of {m} min", m, 0.05, 0.05) for m in (1, 5, 15)),
    *(Duration(f"84% completed on both, {m} min", m, 0.16, 0.16, "completion") for m in (1, 5, 15)),
    Duration("50% completed on both, 15 min", 15, 0.5, 0.5, "completion"),
)
WORSE: Final = tuple(Duration(f"error 1.2 → 8.4%, {m} min", m, 0.012, 0.084) for m in (1, 5, 15))
COLUMNS: Final = (*EQUAL, *WORSE)


class SlowTask(Task[Duration]):
    """Of one duration at one traffic."""

    def judged(self, chance: random.Random) -> Mapping[str, End]:
        """Harm is not counted here."""
        gate, runs = GATES[self.column.gate], self.runs_per_hour / 60
        burst = burst_of(gate, _before(self.column, runs, chance))
        began, minutes = zip(*_attempt(self.column, runs, chance), strict=True)
        seen, limits = Minutes(minutes), LIMITS[self.column.gate]
        fails = {name: RULES[name](seen, limits) for name in SOME} | {
            FINISHED: first_fail(gate, minutes, burst, knows=Known(weight=False)),
            STARTED: first_fail(gate, minutes, burst, knows=Known(began=began)),
            TIMED: first_fail(gate, minutes, burst, knows=Known(run_seconds=_mean_seconds(self.column))),
            OURS: first_fail(gate, minutes, burst, knows=Known()),
        }
        return {judge: End(minute) for judge, minute in fails.items()}


def _mean_seconds(column: Duration) -> float:
    """Of all runs of stable; the failures take no time."""
    return (1 - column.stable) * 60 * column.minutes * math.exp(SIGMA**2 / 2)


def _before(column: Duration, runs: float, chance: random.Random) -> Sequence[tuple[int, int]]:
    """Bad runs and runs of stable, alone, by the minute: what begins and what ends is in balance."""
    bad = [poisson(chance, runs * column.stable) for _ in range(HISTORY_MINUTES)]
    return [(b, b + poisson(chance, runs * (1 - column.stable))) for b in bad]


def _attempt(
    column: Duration, runs: float, chance: random.Random
) -> Iterator[tuple[tuple[int, int], Minute]]:
    """By the minute: runs of canary and stable that began, and outcomes of those that ended.

    Runs begin at random, so those of one minute of beginning that end in one of ending are independent of all
    others; the ones that end in a minute are drawn at once. Of the runs that began it is only said how many.
    """
    canary, stable = _ending(column.minutes)
    for minute in range(MINUTES):
        weight = weight_at(minute)
        bad = poisson(chance, runs * weight * column.canary)
        stable_bad = poisson(chance, runs * (1 - weight) * column.stable)
        good = poisson(chance, runs * (1 - column.canary) * canary[minute])
        stable_good = poisson(chance, runs * (1 - column.stable) * stable[minute])
        began = (
            bad + poisson(chance, runs * weight * (1 - column.canary)),
            stable_bad + poisson(chance, runs * (1 - weight) * (1 - column.stable)),
        )
        yield began, Minute(bad, bad + good, stable_bad, stable_bad + stable_good)


@lru_cache
def _ending(median: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of one run a minute: how many of the canary's and of stable's end in each minute."""
    ended = [NormalDist().cdf(math.log(m / median) / SIGMA) if m else 0.0 for m in range(MINUTES + 1)]
    ending = [after - before for before, after in pairwise(ended)]
    canary = [
        math.fsum(weight_at(begun) * ending[minute - begun] for begun in range(minute + 1))
        for minute in range(MINUTES)
    ]
    return tuple(canary), tuple(1.0 - share for share in canary)
