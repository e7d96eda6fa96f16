"""How others judge, on the same minutes: fixed limits, the playbooks' ratio, and a rank test.

Each rule takes an attempt and gives the minute, from 1, after which it rolls back, or None. The fixed limits
were given to them half-way between good and bad, which nobody knows beforehand.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Final

from bench.judge.streams import PHASES, Minute

FLAGGER_THRESHOLD: Final = 5
ARGO_FAILURE_LIMIT: Final = 3
EVERY: Final = 5
"""Minutes between two questions, and the window that is looked at."""
KAYENTA_CONFIDENCE: Final = 0.98
KAYENTA_TOLERANCE: Final = 0.25
HOUR: Final = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules of a gate are told."""

    most_bad: float
    """Largest share of bad runs that is fine."""
    max_ratio: float | None = None
    min_good_ratio: float = 0.95
    """Where `max_ratio` is None."""

    def is_worse(self, minute: Minute) -> bool:
        """Whether the playbooks' ratio is beyond its margin."""
        if not (minute.canary_total and minute.stable_total):
            return False
        canary, stable = minute.canary_bad / minute.canary_total, minute.stable_bad / minute.stable_total
        if self.max_ratio is not None:
            return canary > self.max_ratio * stable
        return 1 - canary < self.min_good_ratio * (1 - stable)


LIMITS: Final[Mapping[str, Limits]] = {
    "errors": Limits(0.05, 1.1),
    "completion": Limits(0.225),
    "accuracy": Limits(0.075),
}


class Minutes:
    """An attempt that can be asked for any window."""

    def __init__(self, minutes: Sequence[Minute]) -> None:
        self.all = minutes
        self._sums = [tuple(accumulate(column, initial=0.0)) for column in zip(*minutes, strict=True)]

    def between(self, start: int, stop: int) -> Minute:
        """All outcomes after minute `start`, up to and with minute `stop`."""
        start = max(0, start)
        return Minute(*(sums[stop] - sums[start] for sums in self._sums))

    def __len__(self) -> int:
        return len(self.all)


Rule = Callable[[Minutes, Limits], int | None]


def flagger(window: int) -> Rule:
    """Flagger-like: a limit every minute; no data is a failed check; the fifth ever rolls back."""

    def rule(minutes: Minutes, limits: Limits) -> int | None:
        checks = range(1, len(minutes) + 1)
        return _nth(FLAGGER_THRESHOLD, (m for m in checks if _fails(minutes.between(m - window, m), limits)))

    return rule


def argo(minutes: Minutes, limits: Limits) -> int | None:
    """Argo-like: every 5 minutes a limit on 5 minutes; one failure more than `failureLimit: 3` rolls back."""
    checks = range(EVERY, len(minutes) + 1, EVERY)
    return _nth(ARGO_FAILURE_LIMIT + 1, (m for m in checks if _fails(minutes.between(m - EVERY, m), limits)))


def ratio_at_end(minutes: Minutes, limits: Limits) -> int | None:
    """The playbooks' ratio over each phase, asked once at its end."""
    ends = accumulate(length for _, length in PHASES)
    phases = ((end - length, end) for (_, length), end in zip(PHASES, ends, strict=True))
    return next((end for start, end in phases if limits.is_worse(minutes.between(start, end))), None)


def ratio_often(minutes: Minutes, limits: Limits) -> int | None:
    """The playbooks' ratio over 5 minutes, asked every 5 minutes."""
    checks = range(EVERY, len(minutes) + 1, EVERY)
    return next((m for m in checks if limits.is_worse(minutes.between(m - EVERY, m))), None)


def kayenta(minutes: Minutes, limits: Limits) -> int | None:
    """Kayenta-like: hourly, on rates of each minute; the shift's interval is beyond 25% of its estimate."""
    del limits
    hours = range(HOUR, len(minutes) + 1, HOUR)
    return next((m for m in hours if _is_shifted(minutes.all[m - HOUR : m])), None)


RULES: Final[Mapping[str, Rule]] = {
    "Flagger-like 1 min x 5": flagger(1),
    "Flagger-like 5 min x 5": flagger(5),
    "Argo-like 5 min, failureLimit 3": argo,
    "playbook ratio at phase end": ratio_at_end,
    "playbook ratio every 5 min": ratio_often,
    "Kayenta-like, hourly": kayenta,
}


def _fails(minute: Minute, limits: Limits) -> bool:
    return not minute.canary_total or minute.canary_bad / minute.canary_total > limits.most_bad


def _nth(count: int, minutes: Iterator[int]) -> int | None:
    return next((minute for number, minute in enumerate(minutes, start=1) if number == count), None)


def _is_shifted(minutes: Sequence[Minute]) -> bool:
    """Mann-Whitney with a Hodges-Lehmann interval: its lower end against 25% of the estimated shift.

    The ends of the interval are ordered differences, by the normal approximation of the statistic.
    """
    canary = [m.canary_bad / m.canary_total for m in minutes if m.canary_total]
    stable = [m.stable_bad / m.stable_total for m in minutes if m.stable_total]
    if not canary or not stable:
        return False
    differences = sorted(mine - theirs for mine in canary for theirs in stable)
    a, b = len(canary), len(stable)
    z = NormalDist().inv_cdf(1 - (1 - KAYENTA_CONFIDENCE) / 2)
    rank = math.floor(a * b / 2 - z * math.sqrt(a * b * (a + b + 1) / 12))
    lower = differences[max(0, rank)]
    return lower > KAYENTA_TOLERANCE * abs(statistics.median(differences))
