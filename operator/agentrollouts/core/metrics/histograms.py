"""Counts by group: from cumulative buckets to runs above each bound, and mixes of label values.

No quantile is computed: on buckets twice as wide each it could not distinguish 1.5 times slower from nothing.
"How many runs were slower than this" needs no interpolation.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentrollouts.core.gates.counts import ORDINARY, Bound, Mix, Segment, settled
from agentrollouts.core.gates.swapped import is_too_many

MAX_BOUNDS: Final = 64
"""As many as a segment of the status can hold."""
MAX_GROUPS: Final = 64
"""More label values than this identify single runs rather than kinds of outcomes."""

Buckets = Mapping[str | None, float]
"""Runs up to each bound by the text of the label `le`; or counts by another label's value."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Runs of both releases; how many of them were bad depends on the bound, so the segment counts none."""

    segment: Segment
    bounds: tuple[Bound, ...]


def mixed(canary: Buckets, stable: Buckets) -> tuple[Mix, ...]:
    """Counts by label value, in the order of the values; a value that one of them lacks is 0 there."""
    groups = sorted((canary.keys() | stable.keys()) - {None}, key=str)
    return tuple(Mix(str(group), canary.get(group, 0.0), stable.get(group, 0.0)) for group in groups)


def tail_bound(bounds: Iterable[Bound], limit: float) -> float | None:
    """The lowest bound that is not below `limit`: runs above it are above the limit for certain."""
    return min((bound.le for bound in bounds if bound.le >= limit), default=None)


def lowest_bound(bounds: Sequence[Bound], runs: float) -> float | None:
    """The lowest bound above stable's ordinary run; None if none is."""
    return min((bound.le for bound in bounds if bound.stable < ORDINARY * runs), default=None)


def compare(canary: Buckets, stable: Buckets) -> Histogram | str:
    """Runs above each bound that both releases have, or what is wrong with the buckets.

    An empty `stable` means that there is nothing to compare with; the bounds are then the canary's.
    """
    below, stable_below = _by_value(canary), _by_value(stable)
    if math.inf not in below or (stable and math.inf not in stable_below):
        return "these are not histogram buckets up to +Inf; use a `_bucket` metric"
    shared = below.keys() & stable_below.keys() if stable else below.keys()
    bounds = sorted(le for le in shared if 0 <= le < math.inf)
    if stable and not bounds:
        return "the releases have no bucket bound in common; use the same buckets"
    if len(bounds) > MAX_BOUNDS:
        return f"the histogram has {len(bounds)} bounds, more than {MAX_BOUNDS}; use fewer buckets"
    runs, stable_runs = below[math.inf], stable_below.get(math.inf, 0.0)
    for le in bounds:
        if is_too_many(below[le], runs) or is_too_many(stable_below.get(le, 0.0), stable_runs):
            return f"the bucket le={le:g} counts more than +Inf; name the `_bucket` series of one histogram"
    return Histogram(
        Segment(0.0, runs, 0.0, stable_runs),
        tuple(
            Bound(le, settled(runs - below[le]), settled(stable_runs - stable_below.get(le, 0.0)))
            for le in bounds
        ),
    )


def _by_value(buckets: Buckets) -> dict[float, float]:
    """Counts by the value of the bound, since agents write 1 and 1.0; empty if a bound is not a number."""
    counts: dict[float, float] = {}
    for text, count in buckets.items():
        try:
            le = float(text or "")
        except ValueError:
            return {}
        counts[le] = counts.get(le, 0.0) + count
    return counts
