"""Rare values of a label: whether the canary has one that stable never had, or lacks one that stable has.

Chi-squared needs about five of everything, so it cannot judge a value that one release has 27 times and the
other never. Such values are tested exactly: under "no shift" each outcome with that value falls on the canary
with the probability of its share of all outcomes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentrollouts.core.gates.counts import Mix, Segment

UNSEEN: Final = 0.5
"""The count of a release that never had the value (gates.md 9.6)."""

RARE_SHARE: Final = 0.1
"""How much of the permitted error rare values may add; chi-squared keeps all of its own."""

SHOWN: Final = 3
"""As many values are named at once."""


@dataclass(frozen=True, slots=True)
class Rare:
    """The rare value, or all of them together, that chance explains least."""

    chance: float
    """How often chance alone gives as much, corrected for the number of values that were looked at."""
    where: str
    canary: float
    """Share of the canary's outcomes."""
    stable: float
    """Share of stable's outcomes."""

    @property
    def effect(self) -> float:
        """The share of outcomes that moved."""
        return abs(self.canary - self.stable)


def rarest(values: Sequence[Mix], runs: Segment, least: float) -> Rare | None:
    """The rare value with the least chance, of those whose share moved by at least `least`.

    Each value is tested by itself, and all of them together: 27 outcomes with 27 new values are as much of a
    shift as 27 outcomes with one. All these tests share `RARE_SHARE` of the permitted error.

    Args:
        values: The values too rare for chi-squared, with counts divided by the burst factor.
        runs: Outcomes of both releases in all, divided likewise; both above 0.
        least: The smallest effect that matters.
    """
    cells = [(value.group, value.canary, value.stable) for value in values]
    if len(values) > 1:
        together = (_named(values), sum(v.canary for v in values), sum(v.stable for v in values))
        cells.append(together)
    share = runs.canary_total / (runs.canary_total + runs.stable_total)
    candidates = [
        Rare(
            min(1.0, chance_of(canary, stable, share) * len(cells) / RARE_SHARE),
            where,
            canary / runs.canary_total,
            stable / runs.stable_total,
        )
        for where, canary, stable in cells
    ]
    return min(
        (rare for rare in candidates if rare.effect >= least), key=lambda rare: rare.chance, default=None
    )


def chance_of(canary: float, stable: float, share: float) -> float:
    """How often chance splits a value at least as unevenly, in either direction.

    Args:
        canary: Outcomes of the canary with the value.
        stable: Those of stable.
        share: The canary's share of all outcomes, between 0 and 1.
    """
    is_more = canary * (1 - share) > stable * share
    seen, others, part = (canary, stable, share) if is_more else (stable, canary, 1 - share)
    return min(1.0, 2 * binomial_tail(seen, others or UNSEEN, part)) if seen else 1.0


def binomial_tail(successes: float, failures: float, probability: float) -> float:
    """P(X >= successes) of the binomial distribution with successes + failures trials.

    The regularized incomplete beta function I_p(successes, failures + 1), so counts need not be whole; its
    continued fraction (Numerical Recipes 6.4), by the method of Lentz.
    """
    a, b, x = successes, failures + 1, probability
    if x > (a + 1) / (a + b + 2):  # here the fraction converges slowly, and its mirror image fast
        return 1.0 - _scaled_fraction(b, a, 1 - x)
    return _scaled_fraction(a, b, x)


def _scaled_fraction(a: float, b: float, x: float) -> float:
    scale = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(scale) * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 300):  # converges in about the root of the larger count
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / _away_from_zero(1 + step * d, tiny)
            c = _away_from_zero(1 + step / c, tiny)
            value *= d * c
        if abs(d * c - 1) < 1e-12:  # noqa: PLR2004 more digits than a chance needs
            break
    return value


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def _named(values: Sequence[Mix]) -> str:
    """The most frequent ones by name, and how many more there are."""
    names = [value.group for value in sorted(values, key=lambda v: -max(v.canary, v.stable))]
    more = len(names) - SHOWN
    return f"{', '.join(names[:SHOWN])} and {more} more" if more > 0 else " and ".join(names)
