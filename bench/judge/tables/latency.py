"""Table 3: judges of latency, on the buckets of a histogram.

Thirteen bounds, each twice the one before; run times are lognormal with median 6 s, p95 19 s and p99 31 s.
"""

import bisect
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import accumulate
from statistics import NormalDist
from typing import Final

from agentrollouts.api.verdict import Verdict
from agentrollouts.core.analysis.baseline import factors
from agentrollouts.core.gates.counts import ORDINARY, Bound, Segment, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.metrics.poll import Series
from agentrollouts.core.metrics.queries import Term, tag
from bench.judge.ours import GATES, NOW, PLAN, RUN_SECONDS, TIMES, Past, shipped, surprise
from bench.judge.rules import EVERY, FLAGGER_THRESHOLD
from bench.judge.sampling import poisson
from bench.judge.streams import BLIP, HISTORY_MINUTES, MINUTES, PHASES, weight_at
from bench.judge.tasks import OURS, End, Task

BOUNDS: Final[tuple[float, ...]] = tuple(0.1 * 2**power for power in range(13))
_MEDIAN, _SIGMA = 6.0, math.log(19 / 6) / NormalDist().inv_cdf(0.95)
_QUANTILE: Final = 0.99
_MAX_P99_RATIO: Final = 1.5
_MAX_P99: Final = 40.0

Buckets = tuple[int, ...]
"""Runs between two bounds, the last one above all."""
Pair = tuple[Buckets, Buckets]
"""Of canary and stable."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """A column: how many times slower, in which share of the runs."""

    name: str
    canary: float = 1.0
    share: float = 1.0
    blip: float = 1.0
    """Of both, during the blip."""


COLUMNS: Final = (
    Slowness("A/A"),
    Slowness("provider x 3 slow, 10 min", blip=3.0),
    Slowness("x 1.5 everywhere", canary=1.5),
    Slowness("x 2 everywhere", canary=2.0),
    Slowness("3% of runs x 4", canary=4.0, share=0.03),
)


class LatencyTask(Task[Slowness]):
    """Of one slowness at one traffic."""

    def judged(self, chance: random.Random) -> Mapping[str, End]:
        """Harm is not counted here."""
        gate, runs = GATES["latency"], self.runs_per_hour / 60
        burst = _burst(gate, runs, chance)
        minutes = list(attempt(self.column, runs, chance))
        return {
            "playbook p99 ratio 1.5 on 5 min": End(_ratio_often(minutes)),
            "same at phase end": End(_ratio_at_end(minutes)),
            "Flagger-like p99 ≤ 40 s, 5 min x 5": End(_flagger(minutes)),
            OURS: End(first_fail(gate, minutes, burst)),
        }


def first_fail(
    gate: ResolvedGate, minutes: Sequence[Pair], burst: float | None, *, screened: bool = True
) -> int | None:
    """The minute after which the shipped judge says Fail; None if it never does."""
    finished: list[Tally] = []
    phase, left = 0, PHASES[0][1]
    canary, stable = [0] * (len(BOUNDS) + 1), [0] * (len(BOUNDS) + 1)
    for minute, (more, more_stable) in enumerate(minutes, start=1):
        canary = [a + b for a, b in zip(canary, more, strict=True)]
        stable = [a + b for a, b in zip(stable, more_stable, strict=True)]
        left -= 1
        course = PlanPosition(
            phase,
            len(PHASES),
            time_over=left == 0,
            weight=PHASES[phase][0],
            run_seconds=RUN_SECONDS,
            counted_seconds=60.0 * (PHASES[phase][1] - left),
        )
        present = replace(_tally(phase, canary, stable), expected=course.expected)
        if not screened or may_fail(gate, (*finished, present), burst or 1.0):
            reading = Reading(present.segment, present.bounds, NOW + timedelta(minutes=minute))
            if shipped(gate, reading, course, Past(tuple(finished), burst)).verdict is Verdict.FAIL:
                return minute
        if left == 0 and phase + 1 < len(PHASES):
            finished.append(present)
            phase, left = phase + 1, PHASES[phase + 1][1]
            canary, stable = [0] * len(canary), [0] * len(stable)
    return None


def may_fail(gate: ResolvedGate, tallies: Sequence[Tally], burst: float) -> bool:
    """As `ours.may_fail`: some bound must be beyond the margin, and the mean over all bounds must suffice."""
    runs = sum(tally.segment.stable_total for tally in tallies)
    is_far, total = False, 0.0
    for index in range(len(BOUNDS)):
        happened = expected = bound = slow = 0.0
        for tally in tallies:
            s, b = tally.segment, tally.bounds[index]
            slow += b.stable
            if s.canary_total and s.stable_total:
                happened += b.canary
                expected += s.canary_total * b.stable / s.stable_total
                bound += surprise(b.canary, b.stable, s.canary_total / (s.canary_total + s.stable_total))
        is_judged = slow < ORDINARY * runs
        is_far |= is_judged and happened > gate.margin * expected * (1 - 1e-9)
        total += math.exp(min(bound / burst, 700.0)) if is_judged else 1.0
    return is_far and total / len(BOUNDS) > gate.needed * (1 - 1e-6)


def _tally(phase: int, canary: Sequence[int], stable: Sequence[int]) -> Tally:
    above, stable_above = above_each(canary), above_each(stable)
    return Tally(
        phase,
        Segment(0.0, above[0], 0.0, stable_above[0]),
        tuple(Bound(le, a, b) for le, a, b in zip(BOUNDS, above[1:], stable_above[1:], strict=True)),
    )


def above_each(buckets: Sequence[int]) -> list[int]:
    """All runs, then the runs above each bound."""
    return list(accumulate(reversed(buckets)))[::-1]


def shares_of(slower: float, share: float = 1.0) -> tuple[float, ...]:
    """Share of the runs in each bucket, where a share of them is so many times slower."""

    def below(factor: float) -> list[float]:
        return [NormalDist().cdf(math.log(le / factor / _MEDIAN) / _SIGMA) for le in BOUNDS]

    mixed = [share * a + (1 - share) * b for a, b in zip(below(slower), below(1.0), strict=True)]
    return tuple(b - a for a, b in zip([0.0, *mixed], [*mixed, 1.0], strict=True))


def attempt(column: Slowness, runs: float, chance: random.Random) -> Iterator[Pair]:
    """An attempt over the whole plan, at so many runs a minute of both releases."""
    ordinary, slow, blip = shares_of(1.0), shares_of(column.canary, column.share), shares_of(column.blip)
    for minute in range(MINUTES):
        is_blip = minute in BLIP and column.blip > 1
        weight = weight_at(minute)
        yield (
            drawn(blip if is_blip else slow, runs * weight, chance),
            drawn(blip if is_blip else ordinary, runs * (1 - weight), chance),
        )


def drawn(shares: Sequence[float], runs: float, chance: random.Random) -> Buckets:
    """So many runs, in their buckets."""
    return tuple(poisson(chance, runs * share) for share in shares)


def _burst(gate: ResolvedGate, runs: float, chance: random.Random) -> float | None:
    """The shipped burst factor, from four hours of stable alone."""
    return factors(PLAN, [gate], stable_before(gate, runs, chance)).get(gate.name)


def stable_before(gate: ResolvedGate, runs: float, chance: random.Random) -> Series:
    """Four hours of stable alone, as Prometheus answers `promql.render_burst`."""
    shares = shares_of(1.0)
    below = [tuple(accumulate(drawn(shares, runs, chance))) for _ in range(HISTORY_MINUTES)]
    source = tag(PLAN, gate.sources.bad, Term.INCREASE)
    les = (*(f"{le:g}" for le in BOUNDS), "+Inf")
    return [
        (
            {"src": source, "le": le},
            [(time, float(counts[i])) for time, counts in zip(TIMES, below, strict=True)],
        )
        for i, le in enumerate(les)
    ]


def p99(buckets: Sequence[float]) -> float:
    """As Prometheus's `histogram_quantile`: interpolated within its bucket; NaN without runs."""
    below = list(accumulate(buckets))
    rank = _QUANTILE * below[-1]
    if not below[-1]:
        return math.nan
    index = bisect.bisect_left(below, rank)
    if index >= len(BOUNDS):
        return BOUNDS[-1]
    start, before = (BOUNDS[index - 1], below[index - 1]) if index else (0.0, 0.0)
    return start + (BOUNDS[index] - start) * (rank - before) / buckets[index]


def _window(minutes: Sequence[Pair], start: int, stop: int) -> tuple[float, float]:
    """p99 of canary and stable."""
    canary, stable = zip(*minutes[max(0, start) : stop], strict=True)
    return p99([sum(c) for c in zip(*canary, strict=True)]), p99([sum(s) for s in zip(*stable, strict=True)])


def _is_slower(pair: tuple[float, float]) -> bool:
    return pair[0] > _MAX_P99_RATIO * pair[1]


def _ratio_often(minutes: Sequence[Pair]) -> int | None:
    checks = range(EVERY, len(minutes) + 1, EVERY)
    return next((m for m in checks if _is_slower(_window(minutes, m - EVERY, m))), None)


def _ratio_at_end(minutes: Sequence[Pair]) -> int | None:
    ends = accumulate(length for _, length in PHASES)
    phases = ((end - length, end) for (_, length), end in zip(PHASES, ends, strict=True))
    return next((end for start, end in phases if _is_slower(_window(minutes, start, end))), None)


def _flagger(minutes: Sequence[Pair]) -> int | None:
    failed = 0
    for m in range(1, len(minutes) + 1):
        failed += not _window(minutes, m - EVERY, m)[0] <= _MAX_P99
        if failed == FLAGGER_THRESHOLD:
            return m
    return None
