"""What agents count when they run: a release's behavior becomes growing counters, by name and labels.

First part of the simulated world; `prometheus` scrapes what is made here. The names are those of the
AgentRollouts convention, as an agent exports them, so that gates find them by the selectors they use anyway.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Final, Protocol

from agentrollouts.core.gates.selector import BOUND_LABEL

BOUNDS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, math.inf)
"""Bucket bounds of a run's duration in seconds."""
COST_SPREAD: Final = 1.0
"""Variance of a run's cost over its squared mean."""

OUTCOMES: Final = ("completed", "failed", "escalated", "refused", "aborted")
"""The values of `outcome` in the convention."""

Labels = frozenset[tuple[str, str]]
Growth = tuple[str, Labels, float]
"""Metric, labels other than the release's own, and by how much it grew."""


class Chance(Protocol):
    """Turns what is expected into what happens."""

    @property
    def grain(self) -> float:
        """Seconds that can be simulated at once; events within them are spread evenly."""

    def count(self, mean: float) -> float:
        """How many things happened of which so many were expected."""

    def split(self, total: float, shares: Sequence[float]) -> list[float]:
        """How many of `total` fell to each share; the shares sum up to 1."""

    def total(self, runs: float, mean: float) -> float:
        """The sum over runs of an amount with that mean."""


@dataclass(frozen=True, slots=True)
class Even:
    """What is expected happens, in fractions of a run if need be: for tests that count with it."""

    @property
    def grain(self) -> float:
        """As long as nothing changes."""
        return math.inf

    def count(self, mean: float) -> float:
        """As expected."""
        return mean

    def split(self, total: float, shares: Sequence[float]) -> list[float]:
        """As expected."""
        return [total * share for share in shares]

    def total(self, runs: float, mean: float) -> float:
        """As expected."""
        return runs * mean


@dataclass(frozen=True, slots=True)
class Drawn:
    """Runs arrive at random (Poisson), each with an outcome of its own; what a run costs is spread widely."""

    rng: random.Random
    grain: float = 15.0
    """About a scrape."""

    def count(self, mean: float) -> float:
        """Of a Poisson distribution."""
        return float(_poisson(self.rng, mean))

    def split(self, total: float, shares: Sequence[float]) -> list[float]:
        """Of a multinomial distribution, as one binomial after the other."""
        left, probability, counts = int(total), 1.0, []
        for share in shares[:-1]:
            taken = _binomial(self.rng, left, share / probability if probability > 0 else 0.0)
            counts.append(float(taken))
            left, probability = left - taken, probability - share
        return [*counts, float(left)]

    def total(self, runs: float, mean: float) -> float:
        """Of a gamma distribution."""
        if runs <= 0 or mean <= 0:
            return 0.0
        return self.rng.gammavariate(runs / COST_SPREAD, mean * COST_SPREAD)


@dataclass(frozen=True, slots=True)
class Agent:
    """How the runs of one release go."""

    outcomes: Mapping[str, float] = field(default_factory=lambda: {"failed": 0.02})
    """Shares of the runs by `outcome`; the others are completed."""
    seconds: float = 4.0
    """Median duration of a run."""
    spread: float = 0.4
    """Standard deviation of the logarithm of the duration; 0 if all runs take as long."""
    cost: float = 0.05
    """Mean cost of a run in dollars."""
    per_run: Mapping[tuple[str, Labels], float] = field(default_factory=dict)
    """Any other counter: by how much a run adds to it on average."""

    def created(self) -> Iterator[tuple[str, Labels]]:
        """The counters that an agent creates at 0 when it starts, as the convention requires."""
        yield from (("agent_runs_total", frozenset({("outcome", outcome)})) for outcome in OUTCOMES)
        yield "agent_violations_total", frozenset({("kind", "policy")})
        yield from self.per_run

    def grow(self, expected: float, chance: Chance) -> Iterator[Growth]:
        """What the counters grow by while so many runs are expected; a counter at rest is not named."""
        runs = chance.count(expected)
        if runs <= 0:
            return
        shares = {**self.outcomes, "completed": max(0.0, 1 - sum(self.outcomes.values()))}
        ended = chance.split(runs, list(shares.values()))
        for outcome, amount in zip(shares, ended, strict=True):
            if amount > 0:
                yield "agent_runs_total", frozenset({("outcome", outcome)}), amount
        yield from _buckets(chance.split(runs, _durations(self.seconds, self.spread)))
        yield "agent_run_cost_usd_count", frozenset(), runs
        yield "agent_run_cost_usd_sum", frozenset(), chance.total(runs, self.cost)
        for (metric, labels), mean in self.per_run.items():
            amount = chance.count(runs * mean)
            if amount > 0:
                yield metric, labels, amount


def _buckets(runs: Sequence[float]) -> Iterator[Growth]:
    """Cumulative; all of them exist once there is a run, as client libraries have it."""
    below = 0.0
    for bound, amount in zip(BOUNDS, runs, strict=True):
        below += amount
        text = "+Inf" if math.isinf(bound) else f"{bound:g}"
        yield "agent_run_duration_seconds_bucket", frozenset({(BOUND_LABEL, text)}), below


@lru_cache(maxsize=256)
def _durations(median: float, spread: float) -> tuple[float, ...]:
    """Shares of the runs by bucket: lognormal."""
    reached = [0.0] + [_share_within(bound, median, spread) for bound in BOUNDS]
    return tuple(after - before for before, after in pairwise(reached))


def _share_within(bound: float, median: float, spread: float) -> float:
    if math.isinf(bound) or spread <= 0:
        return float(median <= bound)
    return 0.5 * (1 + math.erf(math.log(bound / median) / (spread * math.sqrt(2))))


SMALL: Final = 30.0
"""Up to here distributions are drawn exactly, above by the normal one that they come close to."""


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > SMALL:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    drawn, product, floor = 0, rng.random(), math.exp(-mean)
    while product > floor:
        drawn += 1
        product *= rng.random()
    return drawn


def _binomial(rng: random.Random, number: int, probability: float) -> int:
    if number <= 0 or probability <= 0:
        return 0
    if probability >= 1:
        return number
    if probability > 0.5:  # noqa: PLR2004 the rarer side is counted
        return number - _binomial(rng, number, 1 - probability)
    if number * probability > SMALL:
        spread = math.sqrt(number * probability * (1 - probability))
        return min(number, max(0, round(rng.gauss(number * probability, spread))))
    drawn, place, miss = 0, 0, math.log1p(-probability)
    while True:  # from one hit to the next
        place += math.floor(math.log(1 - rng.random()) / miss) + 1
        if place > number:
            return drawn
        drawn += 1
