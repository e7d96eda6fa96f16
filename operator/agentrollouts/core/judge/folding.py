"""Fewer numbers for the same counts, so that what is remembered of an attempt has a bounded size.

A plan can have a hundred weights, and sixteen histograms of sixty-four bounds; an API server's object has no
room for their product. Adjacent finished segments become one, and of many bounds some are compared.

Nothing that was counted is lost, and a fold never makes the evidence larger: a proof of harm can come later,
and never without cause. It costs evidence where the canary's shares of the folded segments are far apart, so
those that are closest are folded first.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from agentrollouts.core.gates.counts import UNKNOWN, Bound, Expected, Segment, Started, Tally

FINISHED_BYTES: Final = 32 * 1024
"""Bytes that the finished segments of all gates of a rollout take in its status, about; each gate has an
equal part of it. That is 34 segments for each of four gates that count runs."""
BOUNDS: Final = 192
"""Bounds that all histograms of a rollout compare; each has an equal part of them. Three histograms keep all
that they can have."""

NEARLY_ALL: Final = 1 - 1e-6
"""The largest share of the runs: all of them are those of a release with nothing beside it, which is not
compared."""

_SEGMENT_BYTES: Final = 240
_BOUND_BYTES: Final = 62


def thinned(bounds: tuple[Bound, ...], histograms: int) -> tuple[Bound, ...]:
    """The bounds that are compared, evenly spread over those that there are.

    Args:
        bounds: All that one histogram has.
        histograms: How many gates of the rollout compare bounds.
    """
    most = max(2, BOUNDS // max(1, histograms))
    if len(bounds) <= most:
        return bounds
    last = len(bounds) - 1
    ordered = sorted(bounds, key=lambda bound: bound.le)
    return tuple(ordered[round(index * last / (most - 1))] for index in range(most))


def folded(tallies: Sequence[Tally], gates: int) -> tuple[Tally, ...]:
    """The finished segments of one gate, as few as fit in its part of the status.

    Args:
        tallies: The segments, in order.
        gates: How many gates the rollout has.
    """
    kept, room = list(tallies), FINISHED_BYTES // max(1, gates)
    while len(kept) > 1 and sum(map(_size, kept)) > room:
        index = min(range(len(kept) - 1), key=lambda i: _distance(kept[i], kept[i + 1]))
        kept[index : index + 2] = [_merged(kept[index], kept[index + 1])]
    return tuple(kept)


def _size(tally: Tally) -> int:
    return _SEGMENT_BYTES + _BOUND_BYTES * len(tally.bounds)


def _distance(one: Tally, other: Tally) -> tuple[bool, float]:
    """How much a fold costs, about: by how far the shares move, for how many runs (Ward's criterion)."""
    runs = (_runs(one.segment), _runs(other.segment))
    apart = _share(one, one.segment.canary_bad) - _share(other, other.segment.canary_bad)
    cost = runs[0] * runs[1] / sum(runs) * apart**2 if sum(runs) else 0.0
    return one.phase != other.phase, cost


def _merged(one: Tally, other: Tally) -> Tally:
    """Two segments as one, of the earlier phase: runs of it must not help a later phase to pass.

    The evidence of a segment is linear in its counts and, for a given number of bad outcomes, convex and
    falling in the canary's share of the runs. So by Jensen's inequality the mean share, each weighted with
    the bad outcomes of its segment, gives no more evidence than both segments have. Of several bounds the
    largest of these means does.
    """
    segment = Segment.sum((one.segment, other.segment))
    runs = segment.canary_total + segment.stable_total
    share = min(NEARLY_ALL, max(_shares(one, other), default=segment.canary_total / runs if runs else 0.0))
    started = Started(share * runs, (1 - share) * runs) if runs else None
    return Tally(
        min(one.phase, other.phase),
        segment,
        tuple(_added(one, other)),
        Expected(other.expected.weight, started) if started else UNKNOWN,
    )


def _added(one: Tally, other: Tally) -> Iterator[Bound]:
    counts = [{bound.le: bound for bound in tally.bounds} for tally in (one, other)]
    for le in sorted({*counts[0], *counts[1]}):
        both = [by_bound[le] for by_bound in counts if le in by_bound]
        yield Bound(le, sum(bound.canary for bound in both), sum(bound.stable for bound in both))


def _shares(one: Tally, other: Tally) -> Iterator[float]:
    """The canary's share of the runs, on average over the bad outcomes of each kind."""
    bad = [(tally.segment.canary_bad, tally.segment.stable_bad) for tally in (one, other)]
    yield from _mean((one, other), bad)
    counts = [{bound.le: (bound.canary, bound.stable) for bound in tally.bounds} for tally in (one, other)]
    for le in {*counts[0], *counts[1]}:
        yield from _mean((one, other), [by_bound.get(le, (0.0, 0.0)) for by_bound in counts])


def _mean(pair: tuple[Tally, Tally], bad: Sequence[tuple[float, float]]) -> Iterator[float]:
    """One number, or none if nothing bad happened."""
    total = sum(canary + stable for canary, stable in bad)
    if total > 0:
        shares = (_share(tally, canary) for tally, (canary, _) in zip(pair, bad, strict=True))
        parts = (canary + stable for canary, stable in bad)
        yield sum(share * part for share, part in zip(shares, parts, strict=True)) / total


def _share(tally: Tally, canary_bad: float) -> float:
    """The largest share of the runs that the canary is taken to have had, unfinished ones included.

    Where only one release has runs nothing is compared, and such a segment must not become evidence.
    """
    segment, expected = tally.segment, tally.expected
    if not segment.compares:
        return 1.0 if canary_bad > 0 else 0.0
    own, share = segment.canary_total / _runs(segment), expected.share
    if share is None or not 0 < share < 1:
        return own
    return max(own, share if expected.is_counted else min(share, own + expected.underway * share))


def _runs(segment: Segment) -> float:
    return segment.canary_total + segment.stable_total
