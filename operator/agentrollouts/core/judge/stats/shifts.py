"""Shifts: whether the canary does different things, for better or worse.

A mix of labels is compared by chi-squared, a histogram by Kolmogorov and Smirnov. Each look may err, so looks
are few and planned in advance, and share the permitted error. A shift that is certain but small does not
count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentrollouts.core.gates.counts import Bound, Mix, Segment
from agentrollouts.core.judge.stats.rare_values import rarest

FIRST_LOOKS: Final = (300, 600, 1200, 2400, 3600)
"""Seconds after the counting start at which is looked; from the last on, each time twice as late."""

EFFECT: Final = 0.05
"""The least share of outcomes that must have moved, or distance of the distributions."""
MIX_RUNS, HISTOGRAM_RUNS = 50, 30
"""Outcomes of the canary below which nothing is compared."""
EXPECTED: Final = 5.0
"""Least expected count of a cell; rarer labels are taken together."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far two distributions are apart, and how often chance alone gives as much."""

    chance: float
    effect: float
    """Total variation of two mixes, or greatest distance of two cumulative distributions."""
    where: str
    """What moved most."""
    canary: float
    """Share of that, or of the runs above that bound, for the canary."""
    stable: float
    one_sided: tuple[Mix, ...] = ()
    """Values that only one of the releases has, the most frequent first; with the counts as they are."""

    def is_found(self, allowed: float) -> bool:
        """Whether it is sure, with at most `allowed` of error, and large enough to matter."""
        return self.chance <= allowed and self.effect >= EFFECT


def looks_until(seconds: float) -> int:
    """How many looks are due `seconds` after the counting start."""
    first = sum(1 for due in FIRST_LOOKS if due <= seconds)
    if seconds < 2 * FIRST_LOOKS[-1]:
        return first
    return first + int(math.log2(seconds / FIRST_LOOKS[-1]))


def of_mix(mix: Sequence[Mix], burst: float) -> Shift | None:
    """Chi-squared on the counts of the labels, rare ones exactly; None if there are too few."""
    runs = Segment(0.0, sum(m.canary for m in mix) / burst, 0.0, sum(m.stable for m in mix) / burst)
    if runs.canary_total < MIX_RUNS or not runs.stable_total:
        return None
    counts = [Mix(m.group, m.canary / burst, m.stable / burst) for m in mix]
    shares = [(m, m.canary / runs.canary_total, m.stable / runs.stable_total) for m in counts]
    most, canary, stable = max(
        shares, key=lambda entry: (round(abs(entry[1] - entry[2]), 9), _is_new(entry[0]))
    )
    rare, cells = _cells(counts, runs)
    chance, value = chi_squared_tail(_statistic(cells, runs), len(cells) - 1), rarest(rare, runs, EFFECT)
    one_sided = tuple(sorted(filter(_is_one_sided, mix), key=lambda m: -m.canary - m.stable))
    if value is not None and value.chance < chance:
        return Shift(value.chance, value.effect, value.where, value.canary, value.stable, one_sided)
    effect = sum(abs(c - s) for _, c, s in shares) / 2
    return Shift(chance, effect, most.group, canary, stable, one_sided)


def _is_new(value: Mix) -> bool:
    return value.canary > 0 and not value.stable


def _is_one_sided(value: Mix) -> bool:
    return not value.canary or not value.stable


def of_histogram(bounds: Sequence[Bound], runs: Segment, burst: float) -> Shift | None:
    """Kolmogorov-Smirnov on the shares above each bound; None if there are too few.

    Between bounds nothing is seen, so the distance is at most the true one and the test errs on the quiet
    side.
    """
    canary, stable = runs.canary_total / burst, runs.stable_total / burst
    if canary < HISTOGRAM_RUNS or not stable or not bounds:
        return None
    differences = [(b, b.canary / runs.canary_total, b.stable / runs.stable_total) for b in bounds]
    most, above, stable_above = max(differences, key=lambda entry: abs(entry[1] - entry[2]))
    distance = abs(above - stable_above)
    root = math.sqrt(canary * stable / (canary + stable))
    chance = kolmogorov_tail((root + 0.12 + 0.11 / root) * distance)
    return Shift(chance, distance, f"{most.le:g}", above, stable_above)


def chi_squared_tail(statistic: float, freedom: int) -> float:
    """P(X >= statistic) of the chi-squared distribution with a whole number of degrees of freedom.

    The finite series of the upper incomplete gamma function (Abramowitz and Stegun 26.4.4 and 26.4.5).
    """
    if freedom <= 0 or statistic < 1e-9:  # noqa: PLR2004 no distance at all
        return 1.0
    half = statistic / 2
    odd = freedom % 2
    total = math.erfc(math.sqrt(half)) if odd else 0.0
    for k in range(freedom // 2):
        power = k + odd / 2
        total += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
    return min(1.0, total)


def kolmogorov_tail(scaled: float) -> float:
    """P(D >= distance) of the Kolmogorov distribution, for the distance times the root of the sample size.

    The alternating series for large arguments and its theta transform for small ones, each where a few terms
    suffice (Feller 1948). The caller scales by Stephens' correction (1970), good from a size of four on.
    """
    if scaled < 0.2:  # noqa: PLR2004 less than 1e-12 away from 1
        return 1.0
    if scaled < 1:  # here the alternating series needs many terms
        rows = (math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * scaled**2)) for k in range(1, 5))
        return 1.0 - math.sqrt(2 * math.pi) / scaled * sum(rows)
    terms = (math.exp(-2 * (k * scaled) ** 2) for k in range(1, 5))
    first, second, third, fourth = terms
    return min(1.0, 2 * (first - second + third - fourth))


Cell = tuple[float, float]
"""Counts of canary and stable."""


def _cells(counts: Sequence[Mix], runs: Segment) -> tuple[list[Mix], list[Cell]]:
    """The values too rare for chi-squared, and its cells: what is left, and all the rare ones as one.

    A value is rare where it is expected less than `EXPECTED` times in one of the releases.
    """
    smaller = min(runs.canary_total, runs.stable_total) / (runs.canary_total + runs.stable_total)
    by_size = sorted(counts, key=lambda m: m.canary + m.stable)
    rare = [m for m in by_size if (m.canary + m.stable) * smaller < EXPECTED]
    kept = [(m.canary, m.stable) for m in by_size[len(rare) :]]
    rest = (sum(m.canary for m in rare), sum(m.stable for m in rare))
    if not kept or sum(rest) * smaller >= EXPECTED:
        return rare, [*kept, rest] if sum(rest) else kept
    return rare, [(kept[0][0] + rest[0], kept[0][1] + rest[1]), *kept[1:]]


def _statistic(cells: Sequence[Cell], runs: Segment) -> float:
    """Sum of (observed - expected)^2 / expected over both releases."""
    share = runs.canary_total / (runs.canary_total + runs.stable_total)
    total = 0.0
    for canary, stable in cells:
        expected = (canary + stable) * share
        other = canary + stable - expected
        if expected and other:
            total += (canary - expected) ** 2 / expected + (stable - other) ** 2 / other
    return total
