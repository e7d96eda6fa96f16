"""Expected counts: what a gate would count if the canary were so many times worse."""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

from agentrollouts.core.gates.counts import Bound, Segment, Tally
from agentrollouts.core.gates.kinds import Traits

_BOUNDS: Final = tuple(0.1 * 2**power for power in range(13))
_MEDIAN, _SIGMA = 6.0, math.log(19 / 6) / NormalDist().inv_cdf(0.95)
"""A histogram is forecast on bounds twice as wide each, for run times with median 6 s and p95 19 s."""


def expected(traits: Traits, phase: int, runs: tuple[float, float], bad: float, worse: float) -> Tally:
    """Counts of one segment, in fractions of a run.

    Args:
        traits: Of a type that the share test judges.
        phase: Its index.
        runs: Of canary and stable.
        bad: Share of stable's runs that are bad; of no meaning for means and histograms.
        worse: How many times worse the canary is.
    """
    canary, stable = runs
    if traits.by_bounds:
        return Tally(phase, Segment(0.0, canary, 0.0, stable), tuple(_slower(canary, stable, worse)))
    if traits.is_sum:
        return Tally(phase, Segment(canary * worse, canary, stable, stable))
    return Tally(phase, Segment(canary * min(1.0, bad * worse), canary, stable * bad, stable))


def _slower(canary: float, stable: float, worse: float) -> list[Bound]:
    """Runs above each bound."""
    shares = zip(_BOUNDS, _above(worse), _above(1.0), strict=True)
    return [Bound(le, canary * above, stable * usual) for le, above, usual in shares]


@lru_cache(maxsize=64)
def _above(worse: float) -> tuple[float, ...]:
    """Shares of the runs above each bound; kept while the runs are searched for one regression."""
    return tuple(NormalDist().cdf(math.log(_MEDIAN * worse / le) / _SIGMA) for le in _BOUNDS)
