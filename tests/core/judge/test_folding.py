"""Inputs: finished segments of an attempt. Outputs: fewer of them, and what the evidence is then."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.gates.counts import Bound, Expected, Segment, Started, Tally
from agentrollouts.core.judge.folding import BOUNDS, FINISHED_BYTES, folded, thinned
from agentrollouts.core.judge.stats.arrivals import filled
from agentrollouts.core.judge.stats.evidence import evidence
from testkit.properties import usually

SMALL = 64
"""A share of the room in which one segment fits."""

counts = st.one_of(st.just(0.0), st.floats(0.5, 1e5))


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """Counts of both releases; of bad outcomes there may be more, as for a sum."""
    return Segment(*(draw(counts) for _ in range(4)))


@st.composite
def tallies(draw: st.DrawFn, phases: int = 1, bounds: int = 0) -> list[Tally]:
    """Segments in order, of one phase or of several."""
    drawn, phase = [], 0
    for _ in range(draw(st.integers(1, 8))):
        phase = min(phases - 1, phase + draw(st.integers(0, 1)))
        weight = draw(st.one_of(st.none(), st.integers(1, 99)))
        began = draw(st.one_of(st.none(), st.builds(Started, counts, counts)))
        expected = Expected(weight, began, draw(st.floats(0, 1)))
        above = tuple(Bound(float(le), draw(counts), draw(counts)) for le in range(bounds))
        drawn.append(Tally(phase, draw(segments()), above, expected))
    return drawn


def strength(parts: list[Tally] | tuple[Tally, ...], le: float | None = None, burst: float = 1.0) -> float:
    """The evidence of segments of one phase, as they are compared; of one bound if one is given."""
    phase = [filled(_at(tally, le), tally.expected, burst) for tally in parts]
    return math.log(max(1e-300, evidence([phase], planned_phases=1, burst=burst)))


def _at(tally: Tally, le: float | None) -> Segment:
    if le is None:
        return tally.segment
    bad = next((bound for bound in tally.bounds if bound.le == le), Bound(le, 0.0, 0.0))
    return Segment(bad.canary, tally.segment.canary_total, bad.stable, tally.segment.stable_total)


def slack(parts: list[Tally]) -> float:
    """What arithmetic and `NEARLY_ALL` may add: a millionth for each bad outcome."""
    bad = [s.canary_bad + s.stable_bad for s in (tally.segment for tally in parts)]
    bad += [bound.canary + bound.stable for tally in parts for bound in tally.bounds]
    return 2e-6 * (1 + sum(bad))


def fold_all(parts: list[Tally], gates: int = FINISHED_BYTES // SMALL) -> tuple[Tally, ...]:
    """As few segments as there can be."""
    return folded(parts, gates)


@given(tallies(), st.floats(1, 5))
@usually(200)
def test_a_fold_never_proves_more_than_what_was_folded(parts: list[Tally], burst: float) -> None:
    """A rollback for a reason that the counts do not give is worse than a late one."""
    (one,) = fold_all(parts)
    before, after = strength(parts, burst=burst), strength((one,), burst=burst)
    assert after <= before + slack(parts)


@given(tallies(bounds=3))
@usually(200)
def test_nor_does_it_above_any_bound(parts: list[Tally]) -> None:
    """One share of the runs stands for all bounds, the one that accuses the canary least."""
    (one,) = fold_all(parts)
    for le in range(3):
        before, after = strength(parts, float(le)), strength((one,), float(le))
        assert after <= before + slack(parts)


@given(tallies(phases=4, bounds=2))
def test_everything_that_was_counted_is_still_there(parts: list[Tally]) -> None:
    """A count above its limit, and the numbers that people read, are those of the whole attempt."""
    (one,) = fold_all(parts)
    whole = Segment.sum(tally.segment for tally in parts)
    for field in ("canary_bad", "canary_total", "stable_bad", "stable_total"):
        assert math.isclose(getattr(one.segment, field), getattr(whole, field), rel_tol=1e-9)
    for le in range(2):
        bad = [bound for tally in parts for bound in tally.bounds if bound.le == le]
        kept = next(bound for bound in one.bounds if bound.le == le)
        assert math.isclose(kept.canary, sum(bound.canary for bound in bad), rel_tol=1e-9)
        assert math.isclose(kept.stable, sum(bound.stable for bound in bad), rel_tol=1e-9)
    assert one.phase == parts[0].phase, "runs of an earlier phase let no later one pass"


@given(tallies(phases=3), st.integers(1, 16))
def test_what_fits_is_not_touched_and_what_was_folded_stays(parts: list[Tally], gates: int) -> None:
    """The status of an ordinary plan is exact, and a status that is read and written again is the same."""
    assert folded(parts, gates) == tuple(parts)
    once = folded(parts, FINISHED_BYTES // 700)
    assert folded(once, FINISHED_BYTES // 700) == once


def test_a_long_ramp_loses_next_to_nothing() -> None:
    """A hundred weights in the room of thirty: a canary that is twice as bad is as surely found."""
    ramp = [
        Tally(0, Segment(2 * weight, 20 * weight, 100 - weight, 20 * (100 - weight)), (), Expected(weight))
        for weight in range(1, 100)
    ]
    short = folded(ramp, 4)
    assert len(short) == FINISHED_BYTES // 4 // 240
    assert strength(short) > 0.98 * strength(ramp)


def test_a_bad_hour_at_another_weight_proves_nothing() -> None:
    """Pooled as they are, these counts accuse the canary: everyone failed while it had half of the runs."""
    calm, storm = Segment(1, 100, 9, 900), Segment(250, 500, 250, 500)
    parts = [Tally(0, calm, (), Expected(10)), Tally(0, storm, (), Expected(50))]
    pooled = Segment.sum((calm, storm))
    assert math.log(evidence([[pooled]], planned_phases=1)) > math.log(100)
    assert strength(fold_all(parts)) <= strength(parts) < 0


def test_many_histograms_share_the_bounds() -> None:
    """Evenly spread, the first and the last among them; a few histograms keep all that they have."""
    bounds = tuple(Bound(float(le), 1.0, 2.0) for le in range(62))
    assert thinned(bounds, 3) == bounds
    kept = thinned(bounds, 16)
    assert len(kept) == BOUNDS // 16
    assert (kept[0], kept[-1]) == (bounds[0], bounds[-1])
    gaps = {round(after.le - before.le) for before, after in pairwise(kept)}
    assert gaps <= {5, 6}
