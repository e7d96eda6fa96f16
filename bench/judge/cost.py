"""Table 4: judges of cost per run. A run's cost is lognormal, with a tail that makes sums jump."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.judge.ours import GATES, burst_of, first_fail
from bench.judge.rules import EVERY, Minutes
from bench.judge.runs import OURS, End
from bench.judge.sampling import Lognormal, poisson
from bench.judge.streams import HISTORY_MINUTES, MINUTES, Minute, weight_at

_MEDIAN_USD: Final = 0.02
_TIMES: Final = 3


@dataclass(frozen=True, slots=True)
class Price:
    """A column: how many times dearer, and how heavy the tail is."""

    name: str
    canary: float = 1.0
    sigma: float = 1.2


COLUMNS: Final = (
    Price("A/A"),
    Price("A/A, heavy tail", sigma=1.6),
    Price("x 2", canary=2.0),
    Price("x 3", canary=3.0),
    Price("x 5", canary=5.0),
)


@dataclass(frozen=True, slots=True)
class CostTask:
    """Repetitions of one column at one traffic."""

    column: Price
    runs_per_hour: int
    seed: int
    repetitions: range


def run(task: CostTask) -> Mapping[str, Sequence[End]]:
    """Let every judge see the same attempts; harm is not counted here."""
    ends: dict[str, list[End]] = {}
    gate = GATES["cost"]
    runs = task.runs_per_hour / 60
    for repetition in task.repetitions:
        chance = random.Random(f"{task.seed}/{task.column.name}/{task.runs_per_hour}/{repetition}")
        usual = Lognormal(_MEDIAN_USD, task.column.sigma)
        before = [_spent(usual, runs, chance) for _ in range(HISTORY_MINUTES)]
        minutes = Minutes(list(_attempt(task.column, runs, chance)))
        judged = {
            "> 3 x on 5 min": _often(minutes),
            "> 3 x cumulative": _cumulative(minutes),
            OURS: first_fail(gate, minutes.all, burst_of(gate, before)),
        }
        for judge, minute in judged.items():
            ends.setdefault(judge, []).append(End(minute, 0.0))
    return ends


def _attempt(column: Price, runs: float, chance: random.Random) -> Iterator[Minute]:
    usual = Lognormal(_MEDIAN_USD, column.sigma)
    dearer = Lognormal(_MEDIAN_USD * column.canary, column.sigma)
    for minute in range(MINUTES):
        weight = weight_at(minute)
        yield Minute(*_spent(dearer, runs * weight, chance), *_spent(usual, runs * (1 - weight), chance))


def _spent(price: Lognormal, runs: float, chance: random.Random) -> tuple[float, float]:
    """Dollars and runs."""
    count = poisson(chance, runs)
    return price.total(chance, count), count


def _is_dearer(found: Minute) -> bool:
    if not (found.canary_total and found.stable_total):
        return False
    return found.canary_bad / found.canary_total > _TIMES * found.stable_bad / found.stable_total


def _often(minutes: Minutes) -> int | None:
    checks = range(EVERY, len(minutes) + 1, EVERY)
    return next((m for m in checks if _is_dearer(minutes.between(m - EVERY, m))), None)


def _cumulative(minutes: Minutes) -> int | None:
    checks = range(EVERY, len(minutes) + 1, EVERY)
    return next((m for m in checks if _is_dearer(minutes.between(0, m))), None)
