"""Table 5: judges of a mix of labels, such as approvals and rejections; two-sided, at few planned looks."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import accumulate, pairwise
from typing import Final

from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.counts import Mix, Segment, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import NOTHING
from agentrollouts.core.judge.stats.shifts import looks_until, of_mix
from bench.judge.ours import GATES, NOW, RUN_SECONDS, Past, shipped
from bench.judge.sampling import poisson
from bench.judge.streams import MINUTES, PHASES, weight_at
from bench.judge.tasks import OURS, End, Task

_ALPHA: Final = 0.05

Counts = tuple[int, ...]
"""Runs by label."""
Pair = tuple[Counts, Counts]
"""Of canary and stable."""


@dataclass(frozen=True, slots=True)
class Habit:
    """A column: how often each release does each thing."""

    name: str
    canary: tuple[float, ...]
    stable: tuple[float, ...]


_DECISIONS = (0.45, 0.55)
_MANY = (0.4, 0.25, 0.15, 0.10, 0.06, 0.04)

COLUMNS: Final = (
    Habit("A/A, two labels", _DECISIONS, _DECISIONS),
    Habit("A/A, six labels", _MANY, _MANY),
    Habit("approve 45 → 52%", (0.52, 0.48), _DECISIONS),
    Habit("one label 10 → 15%", (0.35, 0.25, 0.15, 0.15, 0.06, 0.04), _MANY),
)


class LabelTask(Task[Habit]):
    """Of one habit at one traffic."""

    def judged(self, chance: random.Random) -> Mapping[str, End]:
        """Harm is not counted here."""
        minutes = list(_attempt(self.column, self.runs_per_hour / 60, chance))
        return {
            "chi-squared every minute, p < 0.05": End(_every_minute(minutes)),
            OURS: End(first_fail(GATES["decisions"], minutes)),
        }


def first_fail(gate: ResolvedGate, minutes: Sequence[Pair]) -> int | None:
    """The minute after which the shipped judge says Fail; it is asked when a planned look is due."""
    past, begun = Past((), None), 0
    sums = _Sums(minutes)
    for phase, (weight, length) in enumerate(PHASES):
        seconds = [60.0 * minute for minute in range(length + 1)]
        due = [int(b) // 60 for a, b in pairwise(seconds) if looks_until(b) > looks_until(a)]
        for minute in due:
            mix = sums.between(begun, begun + minute)
            runs = Segment(0.0, sum(m.canary for m in mix), 0.0, sum(m.stable for m in mix))
            reading = Reading(runs, (), NOW + timedelta(minutes=begun + minute), None, mix)
            course = PlanPosition(
                phase,
                len(PHASES),
                time_over=minute == length,
                counted_seconds=60.0 * minute,
                planned_looks=max(1, looks_until(60.0 * length)),
                weight=weight,
                run_seconds=RUN_SECONDS,
            )
            judgment = shipped(gate, reading, course, past)
            if judgment.verdict is Verdict.FAIL:
                return begun + minute
            past = replace(past, memory=judgment.memory)
        total = Segment(0.0, 0.0, 0.0, 0.0)
        past = replace(past, finished=(*past.finished, Tally(phase, total)), memory=NOTHING)
        begun += length
    return None


def _every_minute(minutes: Sequence[Pair]) -> int | None:
    """What one would write first: the same test on the current phase's counts, again and again."""
    begun, sums = 0, _Sums(minutes)
    for _, length in PHASES:
        for minute in range(1, length + 1):
            shift = of_mix(sums.between(begun, begun + minute), 1.0)
            if shift is not None and shift.chance < _ALPHA:
                return begun + minute
        begun += length
    return None


class _Sums:
    """An attempt that can be asked for any window."""

    def __init__(self, minutes: Sequence[Pair]) -> None:
        canary, stable = zip(*minutes, strict=True)
        self._canary, self._stable = _running(canary), _running(stable)

    def between(self, start: int, stop: int) -> tuple[Mix, ...]:
        """Counts by label after minute `start`, up to and with minute `stop`."""
        sides = zip(self._canary, self._stable, strict=True)
        return tuple(
            Mix(f"label-{index}", canary[stop] - canary[start], stable[stop] - stable[start])
            for index, (canary, stable) in enumerate(sides)
        )


def _running(minutes: Sequence[Counts]) -> list[tuple[float, ...]]:
    """Running sums of each label."""
    return [tuple(accumulate(counts, initial=0.0)) for counts in zip(*minutes, strict=True)]


def _attempt(column: Habit, runs: float, chance: random.Random) -> Iterator[Pair]:
    for minute in range(MINUTES):
        weight = weight_at(minute)
        yield (
            tuple(poisson(chance, runs * weight * share) for share in column.canary),
            tuple(poisson(chance, runs * (1 - weight) * share) for share in column.stable),
        )
