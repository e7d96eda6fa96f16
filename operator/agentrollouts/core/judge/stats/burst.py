"""Burst factors: how strongly bad outcomes cluster, as five failures of one incident are not five proofs.

Measured once per attempt on stable alone, over the hours before it, and then frozen. The evidence is divided
by the factor.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from statistics import fmean, median, pvariance
from typing import Final

from agentrollouts.core.gates.counts import SMALLEST, Segment

BLOCK_MINUTES: Final = 30
"""Within a block the rate is taken as constant; slower variation is not clustering."""

SUM_MARGIN: Final = 1.5
"""Sums have heavy tails, so their factor is raised by half."""

UNMEASURED_SUM: Final = SUM_MARGIN * math.exp(1.2**2)
"""Factor of a sum in units of its mean per run, where there is no history: of a lognormal with sigma 1.2.

Variance over mean of a compound Poisson sum is the mean per run times e^(sigma^2).
"""

Minute = tuple[float, float]
"""Bad outcomes (or the sum) and runs within one minute."""


def effective(measured: float | None, segments: Sequence[Segment], *, is_sum: bool) -> float:
    """The factor to divide by: the one measured or set, else a cautious one.

    Without history, counts are taken as independent. For sums the factor has the unit of the sum and cannot
    be 1; it is made from stable's mean per run so far, or from the canary's where stable's sum is 0.
    """
    if measured and measured >= SMALLEST:
        return measured
    if not is_sum:
        return 1.0
    stable = _mean(sum(s.stable_bad for s in segments), sum(s.stable_total for s in segments))
    canary = _mean(sum(s.canary_bad for s in segments), sum(s.canary_total for s in segments))
    return UNMEASURED_SUM * (stable or canary or 1.0)


def of_counts(minutes: Mapping[datetime, Minute]) -> float | None:
    """Median over full half hours of the dispersion per minute, at least 1; None without a full half hour.

    With p = (bad + 0.5) / (runs + 1) of the half hour, a minute adds (x - n p)^2 / (n p (1 - p)); the sum is
    divided by the degrees of freedom, the minutes that had runs less one.
    """
    dispersions = [_dispersion(block) for block in _full_blocks(minutes)]
    return max(1.0, median(dispersions)) if dispersions else None


def of_sums(minutes: Mapping[datetime, Minute]) -> float | None:
    """Variance over mean of the sum per minute, raised by half; None without a full half hour or any sum.

    At least the mean per run: a run is the smallest thing that can be clustered, however evenly a load
    arrives.
    """
    sums = [x for x, _ in minutes.values()]
    runs = math.fsum(n for _, n in minutes.values())
    if not sums or not any(sums) or not runs or not _full_blocks(minutes):
        return None
    return max(SUM_MARGIN * pvariance(sums) / fmean(sums), math.fsum(sums) / runs)


def _full_blocks(minutes: Mapping[datetime, Minute]) -> list[list[Minute]]:
    """The half hours from the first minute on that have every minute."""
    if not minutes:
        return []
    first = min(minutes)

    def block_of(item: tuple[datetime, Minute]) -> int:
        return int((item[0] - first).total_seconds() // (60 * BLOCK_MINUTES))

    blocks = ([minute for _, minute in group] for _, group in groupby(sorted(minutes.items()), key=block_of))
    return [block for block in blocks if len(block) == BLOCK_MINUTES]


def _dispersion(block: Sequence[Minute]) -> float:
    busy = [(min(x, n), n) for x, n in block if n]
    if len(busy) < 2:  # noqa: PLR2004 one minute has no dispersion
        return 1.0
    bad, runs = math.fsum(x for x, _ in busy), math.fsum(n for _, n in busy)
    p, q = (bad + 0.5) / (runs + 1), (runs - bad + 0.5) / (runs + 1)
    return math.fsum((x - n * p) ** 2 / (n * p * q) for x, n in busy) / (len(busy) - 1)


def _mean(total: float, runs: float) -> float:
    return total / runs if runs else 0.0
