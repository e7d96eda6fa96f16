"""What happens to a canary and to stable, minute by minute: the columns of the tables.

Poisson arrivals; 5% for an hour, then 25% for four; before that stable alone for four hours, from which the
burst factor is measured. Nothing here knows any judge.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from bench.judge.sampling import geometric, poisson

PHASES: Final = ((5, 60), (25, 240))
"""Weight in percent and minutes of each phase."""
MINUTES: Final = sum(minutes for _, minutes in PHASES)
HISTORY_MINUTES: Final = 240
CLUSTER: Final = 5.0
"""Failures of one incident, in the mean."""
BURSTY_SHAPE: Final = 0.3
BLIP: Final = range(20, 30)
GAP: Final = range(25, 35)


class Minute(NamedTuple):
    """Outcomes within one minute; for a mean, what is bad is the sum."""

    canary_bad: float
    canary_total: float
    stable_bad: float
    stable_total: float


NOTHING: Final = Minute(0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One thing that can happen.

    `stable` and `canary` are shares of bad runs; the canary's may change by the minute.
    """

    name: str
    gate: str
    stable: float
    canary: float | Callable[[int], float]
    blip: tuple[float, float] | None = None
    """Shares of stable and canary during the blip."""
    has_gap: bool = False
    is_bursty: bool = False
    is_clustered: bool = False

    def rates(self, minute: int) -> tuple[float, float]:
        """Shares of bad runs of stable and canary."""
        if self.blip and minute in BLIP:
            return self.blip
        return self.stable, self.canary(minute) if callable(self.canary) else self.canary


_ERRORS, _COMPLETION, _ACCURACY = "errors", "completion", "accuracy"


def _drift(minute: int) -> float:
    return 0.012 + 0.048 * minute / MINUTES


HARMLESS: Final = (
    Column(name="error 1.2%", gate=_ERRORS, stable=0.012, canary=0.012),
    Column(name="completion 84%", gate=_COMPLETION, stable=0.16, canary=0.16),
    Column(name="accuracy 95%", gate=_ACCURACY, stable=0.05, canary=0.05),
    Column(name="blip on both, 10 min", gate=_ERRORS, stable=0.012, canary=0.012, blip=(0.2, 0.2)),
    Column(name="10 min without data", gate=_ERRORS, stable=0.012, canary=0.012, has_gap=True),
    Column(name="bursty traffic", gate=_ERRORS, stable=0.012, canary=0.012, is_bursty=True),
    Column(name="failures in clusters of ~5", gate=_ERRORS, stable=0.012, canary=0.012, is_clustered=True),
    Column(name="tiny change 1.2 → 1.26%", gate=_ERRORS, stable=0.012, canary=0.0126),
)
WORSE: Final = (
    Column(name="error 1.2 → 8.4%", gate=_ERRORS, stable=0.012, canary=0.084),
    Column(name="same, + blip", gate=_ERRORS, stable=0.012, canary=0.084, blip=(0.2, 0.25)),
    Column(name="error 1.2 → 3.6%", gate=_ERRORS, stable=0.012, canary=0.036),
    Column(name="completion 84 → 71%", gate=_COMPLETION, stable=0.16, canary=0.29),
    Column(name="accuracy 95 → 90%", gate=_ACCURACY, stable=0.05, canary=0.10),
    Column(name="drift to 6% over 5 h", gate=_ERRORS, stable=0.012, canary=_drift),
    Column(name="total failure", gate=_ERRORS, stable=0.012, canary=1.0),
)


def weight_at(minute: int) -> float:
    """The canary's share of the traffic."""
    begun = 0
    for weight, minutes in PHASES:
        begun += minutes
        if minute < begun:
            return weight / 100
    return PHASES[-1][0] / 100


def attempt(column: Column, runs_per_hour: float, chance: random.Random) -> Iterator[Minute]:
    """An attempt over the whole plan."""
    for minute in range(MINUTES):
        stable, canary = column.rates(minute)
        runs = _arrivals(column, runs_per_hour, chance)
        weight = weight_at(minute)
        if column.has_gap and minute in GAP:
            yield NOTHING
        else:
            yield Minute(
                *_outcomes(column, runs * weight, canary, chance),
                *_outcomes(column, runs * (1 - weight), stable, chance),
            )


def history(column: Column, runs_per_hour: float, chance: random.Random) -> list[tuple[int, int]]:
    """Bad runs and runs of stable, alone, by the minute."""
    return [
        _outcomes(column, _arrivals(column, runs_per_hour, chance), column.stable, chance)
        for _ in range(HISTORY_MINUTES)
    ]


def _arrivals(column: Column, runs_per_hour: float, chance: random.Random) -> float:
    """Expected runs in a minute of both releases."""
    crowd = chance.gammavariate(BURSTY_SHAPE, 1 / BURSTY_SHAPE) if column.is_bursty else 1.0
    return runs_per_hour / 60 * crowd


def _outcomes(column: Column, runs: float, rate: float, chance: random.Random) -> tuple[int, int]:
    """Bad runs and runs; an incident fails as many of the minute's runs as there are, and no more."""
    if not column.is_clustered:
        bad = poisson(chance, runs * rate)
        return bad, bad + poisson(chance, runs * (1 - rate))
    total = poisson(chance, runs)
    incidents = poisson(chance, total * rate / CLUSTER)
    bad = sum(geometric(chance, CLUSTER) for _ in range(incidents))
    return min(bad, total), total
