"""Shared causes of amounts: how often stable's hour is taken for an incident, and how soon one is found.

`python -m bench.judge.shared` prints the tables of the decision notes on shared causes of sums and of
durations. Stable alone is looked at every minute of the plan, in the gate's window, beside four hours of
itself.
"""

import argparse
import random
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agentrollouts.api.verdict import Baseline
from agentrollouts.core.analysis.baseline import baselines, factors
from agentrollouts.core.gates.counts import Bound, Recent, Segment
from agentrollouts.core.judge.limits import is_degraded
from agentrollouts.core.judge.stats.burst import effective
from bench.judge.ours import GATES, PLAN, burst_of
from bench.judge.sampling import Lognormal, poisson
from bench.judge.streams import HISTORY_MINUTES, MINUTES, weight_at
from bench.judge.tables import latency

TRAFFIC: Final = (1_000, 10_000)
SEED, REPETITIONS = 20261121, 300
SOON: Final = 60
INCIDENT: Final = 60
"""The minute from which on stable is dearer or slower, where it is."""
TWICE: Final = 2.0
"""From here on it is an incident."""


def steady(minute: int) -> float:
    """As before."""
    return 1.0 + 0 * minute


def by_the_hour(times: float) -> Callable[[int], float]:
    """So many times as much after an hour: another time of day, other questions."""
    return lambda minute: 1.0 + (times - 1.0) * min(1.0, minute / 60)


def more(times: float) -> Callable[[int], float]:
    """So many times as much from `INCIDENT` on."""
    return lambda minute: times if minute >= INCIDENT else 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """What happens to what a run of stable costs, or to how long it takes."""

    name: str
    factor: Callable[[int], float]
    sigma: float = 1.2
    """Of the cost."""
    share: float = 1.0
    """Of the runs that take so much longer."""


ROWS: Final = (
    Row("as before", steady),
    Row("as before, heavy tail", steady, sigma=1.6),
    Row("x 1.5 over an hour", by_the_hour(1.5)),
    Row("x 1.5 over an hour, heavy tail", by_the_hour(1.5), sigma=1.6),
    Row("x 2.5", more(2.5)),
    Row("x 2.5, heavy tail", more(2.5), sigma=1.6),
    Row("x 4", more(4.0)),
    Row("x 4, heavy tail", more(4.0), sigma=1.6),
)

DURATIONS: Final = (
    Row("as before", steady),
    Row("x 1.25 over an hour", by_the_hour(1.25)),
    Row("x 1.5 over an hour", by_the_hour(1.5)),
    Row("x 2", more(2.0)),
    Row("x 3", more(3.0)),
    Row("x 4", more(4.0)),
    Row("5% of the runs x 10", more(10.0), share=0.05),
)


def minutes_of_cost(row: Row, runs_per_hour: int, chance: random.Random) -> list[int]:
    """The minutes of one plan at which stable is found to be worse than by itself."""
    gate, usual, runs = GATES["cost"], Lognormal(0.02, row.sigma), runs_per_hour / 60

    def spent(minute: int, weight: float) -> tuple[float, int]:
        count = poisson(chance, runs * weight)
        return row.factor(minute) * usual.total(chance, count), count

    before = [spent(0, 1.0) for _ in range(HISTORY_MINUTES)]
    baseline = Baseline(bad=sum(x for x, _ in before), total=sum(n for _, n in before))
    measured, window = burst_of(gate, before), deque[tuple[float, int]](maxlen=gate.recent_seconds // 60)
    minutes = []
    for minute in range(MINUTES):
        window.append(spent(minute, 1 - weight_at(minute)))
        now = Segment(0.0, 0.0, sum(x for x, _ in window), sum(n for _, n in window))
        if is_degraded(gate, Recent(now), baseline, effective(measured, [now], is_sum=gate.traits.is_sum)):
            minutes.append(minute)
    return minutes


def minutes_of_durations(row: Row, runs_per_hour: int, chance: random.Random) -> list[int]:
    """The same for how long runs take, on the buckets of `latency`."""
    gate, runs = replace(GATES["latency"], limit=None), runs_per_hour / 60
    before = tuple(latency.stable_before(gate, runs, chance))
    baseline = baselines(PLAN, [gate], before)[gate.name]
    measured = factors(PLAN, [gate], before).get(gate.name, 1.0)
    window = deque[list[int]](maxlen=gate.recent_seconds // 60)
    minutes = []
    for minute in range(MINUTES):
        shares = latency.shares_of(row.factor(minute), row.share)
        window.append(latency.above_each(latency.drawn(shares, runs * (1 - weight_at(minute)), chance)))
        total, *above = map(sum, zip(*window, strict=True))
        bounds = tuple(Bound(le, 0.0, n) for le, n in zip(latency.BOUNDS, above, strict=True))
        recent = Recent(Segment(0.0, 0.0, 0.0, total), bounds=bounds).above(baseline.bound or 0.0)
        if is_degraded(gate, recent, baseline, measured):
            minutes.append(minute)
    return minutes


def cell(row: Row, plans: Sequence[Sequence[int]]) -> str:
    """Plans with a finding, and how long it stood; of an incident, how many minutes until it was found."""
    share = 100 * sum(map(bool, plans)) / len(plans)
    if row.factor(INCIDENT) < TWICE:
        return f"{share:.1f}% of plans held, {statistics.fmean(map(len, plans)):.2f} min each"
    waits = [next((m - INCIDENT + 1 for m in plan if m >= INCIDENT), MINUTES) for plan in plans]
    soon = 100 * sum(wait <= SOON for wait in waits) / len(waits)
    return f"{soon:.0f}% found in an hour; median {statistics.median(waits):.0f} min"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="bench.judge.shared", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    for title, rows, search in (
        ("cost per run", ROWS, minutes_of_cost),
        ("durations", DURATIONS, minutes_of_durations),
    ):
        print(f"\n| stable's {title} | {' | '.join(f'{runs:,} runs/h' for runs in TRAFFIC)} |\n|---|---|---|")
        for row in rows:
            cells = []
            for runs in TRAFFIC:
                chances = (
                    random.Random(f"{options.seed}/{row.name}/{runs}/{i}") for i in range(options.repetitions)
                )
                cells.append(cell(row, [search(row, runs, chance) for chance in chances]))
            print(f"| {row.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
