"""Tables 1 and 2: judges of good and bad runs, on harmless releases and on worse ones."""

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.judge.ours import GATES, Known, burst_of, first_fail
from bench.judge.rules import LIMITS, RULES, Minutes
from bench.judge.streams import Column, Minute, attempt, history
from bench.judge.tasks import OURS, End, Task

TRAFFIC: Final = (1_000, 10_000, 100_000)
"""Runs per hour."""

OURS_95: Final = "same, confidence 0.95"
UNTIMED: Final = "same, durations of runs unknown"
UNNOTICED_HOURS: Final = 4
"""How long a regression that is not stopped counts at 100%."""


@dataclass(frozen=True, slots=True)
class RunTask(Task[Column]):
    """Of one column of good and bad runs at one traffic."""

    kayenta: bool = True
    """Whether the rank test, which is slow, is asked too."""

    def judged(self, chance: random.Random) -> Mapping[str, End]:
        """With the harm that was done until the rollback."""
        before = history(self.column, self.runs_per_hour, chance)
        minutes = Minutes(list(attempt(self.column, self.runs_per_hour, chance)))
        fails = self._minutes(before, minutes)
        return {judge: End(minute, harm(self, minutes.all, minute)) for judge, minute in fails.items()}

    def _minutes(self, before: Sequence[tuple[float, float]], minutes: Minutes) -> Mapping[str, int | None]:
        """The minute of each judge's rollback."""
        gate, limits = GATES[self.column.gate], LIMITS[self.column.gate]
        burst = burst_of(gate, before)
        theirs = {
            name: rule(minutes, limits)
            for name, rule in RULES.items()
            if self.kayenta or "Kayenta" not in name
        }
        return theirs | {
            OURS: first_fail(gate, minutes.all, burst),
            OURS_95: first_fail(replace(gate, confidence=0.95), minutes.all, burst),
            UNTIMED: first_fail(gate, minutes.all, burst, knows=Known()),
        }


def harm(task: RunTask, minutes: Sequence[Minute], minute: int | None) -> float:
    """Bad runs of the canary beyond stable's rate until `minute`; after the last one four hours at 100%."""
    stop = len(minutes) if minute is None else minute
    excess = math.fsum(
        m.canary_bad - m.canary_total * task.column.rates(index)[0] for index, m in enumerate(minutes[:stop])
    )
    if minute is not None:
        return excess
    stable, canary = task.column.rates(len(minutes))
    return excess + UNNOTICED_HOURS * task.runs_per_hour * (canary - stable)


def share_rolled_back(ends: Sequence[End]) -> float:
    """0 to 1."""
    return sum(end.minute is not None for end in ends) / len(ends)


def median_minute(ends: Sequence[End]) -> float:
    """Infinity where most were missed."""
    return statistics.median(math.inf if end.minute is None else end.minute for end in ends)


def mean_harm(ends: Sequence[End]) -> float:
    """Undetected ones included."""
    return statistics.fmean(end.harm for end in ends)
