"""Random counts and sums, drawn by the minute with the standard library alone.

A full run has some hundred billion runs of agents, so where there are many they are not drawn one by one.
"""

import math
import random
from statistics import NormalDist
from typing import Final

_SMALL: Final = 10.0
_NORMAL: Final = NormalDist()


def poisson(chance: random.Random, mean: float) -> int:
    """A Poisson count: by inversion where the mean is small, else by Hörmann's transformed rejection (PTRS).

    W. Hörmann, "The transformed rejection method for generating Poisson random variables", 1993.
    """
    if mean < _SMALL:
        return _by_inversion(chance.random(), mean)
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    safe = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = chance.random() - 0.5, chance.random()
        edge = 0.5 - abs(u)
        if edge <= 0:
            continue
        count = math.floor((2 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= safe:  # noqa: PLR2004 constant of the algorithm
            return count
        if count < 0 or (edge < 0.013 and v > edge):  # noqa: PLR2004 constant of the algorithm
            continue
        density = count * math.log(mean) - mean - math.lgamma(count + 1)
        if math.log(v * inverse_alpha / (a / (edge * edge) + b)) <= density:
            return count


def _by_inversion(u: float, mean: float) -> int:
    count, term = 0, math.exp(-mean)
    while u > term > 0:
        u -= term
        count += 1
        term *= mean / count
    return count


def geometric(chance: random.Random, mean: float) -> int:
    """A count of at least 1."""
    return 1 + int(math.log(1 - chance.random()) / math.log(1 - 1 / mean))


class Lognormal:
    """Sums of independent lognormal amounts.

    Up to `DIRECT` amounts are drawn one by one. Of more, those above the 99th percentile are, since a heavy
    tail is made by them; the rest, which is bounded, is drawn as one normal number with its exact moments.

    Args:
        median: of one amount.
        sigma: of its logarithm.
    """

    DIRECT: Final = 50
    _BODY: Final = 0.99

    def __init__(self, median: float, sigma: float) -> None:
        self._mu, self._sigma = math.log(median), sigma
        cut = _NORMAL.inv_cdf(self._BODY)
        first, second = (self._moment(power, cut) for power in (1, 2))
        self._mean, self._variance = first, second - first * first

    def _moment(self, power: int, cut: float) -> float:
        """Of one amount below the cut, whose logarithm is `cut` standard deviations above the mean."""
        whole = math.exp(power * self._mu + (power * self._sigma) ** 2 / 2)
        return whole * _NORMAL.cdf(cut - power * self._sigma) / self._BODY

    def total(self, chance: random.Random, count: int) -> float:
        """The sum of `count` amounts."""
        if count <= self.DIRECT:
            return math.fsum(chance.lognormvariate(self._mu, self._sigma) for _ in range(count))
        above = min(count, poisson(chance, count * (1 - self._BODY)))
        tail = math.fsum(
            math.exp(self._mu + self._sigma * _NORMAL.inv_cdf(1 - (1 - self._BODY) * (1 - chance.random())))
            for _ in range(above)
        )
        body = count - above
        return tail + max(0.0, chance.gauss(body * self._mean, math.sqrt(body * self._variance)))
