"""Table 4: judges of cost per run. A run's cost is lognormal, with a tail that makes sums jump."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench.judge.ours import GATES, burst_of, first_fail
from bench.judge.rules import EVERY, Minutes
from bench.judge.sampling import Lognormal, poisson
from bench.judge.streams import HISTORY_MINUTES, MINUTES, Minute, weight_at
from bench.judge.tasks import OURS, End, Task

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


class CostTask(Task[Price]):
    """Of one price at one traffic."""

    def judged(self, chance: random.Random) -> Mapping[str, End]:
        """Harm is not counted here."""
        gate, runs = GATES["cost"], self.runs_per_hour / 60
        usual = Lognormal(_MEDIAN_USD, self.column.sigma)
        before = [_spent(usual, runs, chance) for _ in range(HISTORY_MINUTES)]
        minutes = Minutes(list(_attempt(self.column, runs, chance)))
        return {
            "> 3 x on 5 min": End(_often(minutes)),
            "> 3 x cumulative": End(_cumulative(minutes)),
            OURS: End(first_fail(gate, minutes.all, burst_of(gate, before))),
        }


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


def _is_dearer(minute: Minute) -> bool:
    if not (minute.canary_total and minute.stable_total):
        return False
    return minute.canary_bad / minute.canary_total > _TIMES * minute.stable_bad / minute.stable_total


def _often(minutes: Minutes) -> int | None:
    checks = range(EVERY, len(minutes) + 1, EVERY)
    return next((m for m in checks if _is_dearer(minutes.between(m - EVERY, m))), None)


def _cumulative(minutes: Minutes) -> int | None:
    checks = range(EVERY, len(minutes) + 1, EVERY)
    return next((m for m in checks if _is_dearer(minutes.between(0, m))), None)
