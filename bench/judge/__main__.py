"""Figures of the judge: false rollbacks and minutes to the right one, ours beside others on the same minutes.

`python -m bench.judge` takes about a minute; `--full` has the repetitions of the specification.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from math import inf
from typing import Any, Final

from bench.judge import speed
from bench.judge.streams import HARMLESS, WORSE
from bench.judge.table import Table, as_minutes, as_minutes_and_harm, as_share, at_most, merged, no_later
from bench.judge.tables import believed, cost, labels, latency, slow
from bench.judge.tables.believed import BelievedTask, stopped
from bench.judge.tables.cost import CostTask
from bench.judge.tables.labels import LabelTask
from bench.judge.tables.latency import LatencyTask
from bench.judge.tables.runs import TRAFFIC, RunTask
from bench.judge.tables.slow import SlowTask
from bench.judge.tasks import Ends, Task

SEED: Final = 20261121
QUICK, FULL, FULL_SLOW = 100, 500, 300
KAYENTA: Final = 100
"""Repetitions of the rank test, which is slow."""
CHUNK: Final = 50
"""Repetitions that a process does at once."""

AnyTask = Task[Any]

HARMLESS_TARGETS: Final = [
    (0.06, 0.02, 0.02) if c.is_clustered else (0.03,) * 3 if c.canary != c.stable else (0.01,) * 3
    for c in HARMLESS
]
WORSE_TARGETS: Final = [
    (70, 10, 2), (80, 11, 2), (163, 54, 6), (95, 20, 3), (151, 45, 5), (211, 100, 64), (4, 1, 1),
]  # fmt: skip
LATENCY_SHARES: Final = (0.01, 0.01)
LATENCY_MINUTES: Final = ((98, 15, 2), (51, 5, 1), (inf, 119, 23))
COST_SHARES: Final = (0.01, 0.02)
"""A heavy tail has no proof: a sum is judged by a quasi-likelihood."""
COST_MINUTES: Final = ((92, 15, 2), (44, 5, 1), (17, 2, 1))
LABEL_SHARES: Final = (0.05, 0.05)
"""A shift only warns by default, and has a confidence of 0.95."""
LABEL_MINUTES: Final = ((300, 80, 10), (300, 80, 10))
SLOW_SHARES: Final = (0.01,) * len(slow.EQUAL)
SLOW_MINUTES: Final = ((70, 11, 2),) * len(slow.WORSE)
"""As fast as where runs end at once, to a minute."""

Run = Callable[[Sequence[AnyTask]], list[list[Ends]]]
"""Runs the tasks of a table; gives its cells by column, then by traffic."""


def tables(run: Run, repetitions: int, fewer: int, seed: int) -> list[Table]:
    """All tables, each with its targets."""
    everyone = range(repetitions)
    harmless = run([RunTask(c, traffic, seed, everyone) for c in HARMLESS for traffic in TRAFFIC])
    worse = run([RunTask(c, traffic, seed, everyone) for c in WORSE for traffic in TRAFFIC])
    slower = run([LatencyTask(c, t, seed, range(fewer)) for c in latency.COLUMNS for t in TRAFFIC])
    dearer = run([CostTask(c, t, seed, range(fewer)) for c in cost.COLUMNS for t in TRAFFIC])
    shifted = run([LabelTask(c, t, seed, range(fewer)) for c in labels.COLUMNS for t in TRAFFIC])
    unended = run([SlowTask(c, t, seed, everyone) for c in slow.COLUMNS for t in TRAFFIC])
    few = range(min(fewer, believed.REPETITIONS))
    seeming = run([BelievedTask(c, t, seed, few) for c in believed.COLUMNS for t in TRAFFIC])
    return [
        Table(
            "False rollbacks on harmless releases, %",
            [c.name for c in HARMLESS],
            harmless,
            as_share,
            [at_most(c.name, t, e) for c, t, e in zip(HARMLESS, HARMLESS_TARGETS, harmless, strict=True)],
        ),
        Table(
            "Median minutes to rollback [bad runs caused until then]",
            [c.name for c in WORSE],
            worse,
            as_minutes_and_harm,
            [no_later(c.name, t, e) for c, t, e in zip(WORSE, WORSE_TARGETS, worse, strict=True)],
        ),
        _mixed("Latency", latency.COLUMNS, slower, LATENCY_SHARES, LATENCY_MINUTES),
        _mixed("Cost per run", cost.COLUMNS, dearer, COST_SHARES, COST_MINUTES),
        _mixed("Mix of labels", labels.COLUMNS, shifted, LABEL_SHARES, LABEL_MINUTES),
        _mixed("Runs that take minutes", slow.COLUMNS, unended, SLOW_SHARES, SLOW_MINUTES),
        _believed(seeming),
    ]


def _believed(cells: list[list[Ends]]) -> Table:
    """Equal releases are not rolled back; worse ones are, or are held for the right reason."""
    columns = believed.COLUMNS
    return Table(
        "Counts that are not what they seem: median minutes to rollback or hold (% stopped)",
        [column.name for column in columns],
        cells,
        as_minutes,
        [
            stopped(column.name, ends)
            if column.is_worse
            else at_most(column.name, [0.01] * len(TRAFFIC), ends)
            for column, ends in zip(columns, cells, strict=True)
        ],
    )


def _mixed(
    subject: str,
    columns: Sequence[Any],
    cells: list[list[Ends]],
    shares: Sequence[float],
    minutes: Sequence[Sequence[float]],
) -> Table:
    """A table whose first columns are harmless, as many as have a share, and whose others have minutes."""
    names = [column.name for column in columns]
    harmless = zip(names, cells, shares, strict=False)
    worse = zip(names[len(shares) :], cells[len(shares) :], minutes, strict=True)
    return Table(
        f"{subject}: median minutes to rollback (% rolled back)",
        names,
        cells,
        as_minutes,
        [
            *(at_most(name, [share] * len(TRAFFIC), ends) for name, ends, share in harmless),
            *(no_later(name, target, ends) for name, ends, target in worse),
        ],
    )


def _runner(each: Callable[[Sequence[AnyTask]], list[Ends]]) -> Run:
    """Cuts the tasks into chunks, has them run, and puts the cells together again."""

    def run(tasks: Sequence[AnyTask]) -> list[list[Ends]]:
        chunks = [_chunks(task) for task in tasks]
        ends = iter(each([chunk for parts in chunks for chunk in parts]))
        cells = [merged([next(ends) for _ in parts]) for parts in chunks]
        return [cells[i : i + len(TRAFFIC)] for i in range(0, len(cells), len(TRAFFIC))]

    return run


def _chunks(task: AnyTask) -> list[AnyTask]:
    starts = range(0, len(task.repetitions), CHUNK)
    parts = [replace(task, repetitions=task.repetitions[start : start + CHUNK]) for start in starts]
    return [
        replace(part, kayenta=part.repetitions.start < KAYENTA) if isinstance(part, RunTask) else part
        for part in parts
    ]


def main() -> int:
    """Run the bench; the exit code is 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="bench.judge", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--full", action="store_true", help=f"{FULL} repetitions, on all processors")
    parser.add_argument("--repetitions", type=int, help=f"instead of {QUICK} ({FULL} with --full)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of all that is random (default: {SEED})")
    options = parser.parse_args()
    repetitions = options.repetitions or (FULL if options.full else QUICK)
    fewer = min(repetitions, FULL_SLOW)
    if options.full:
        with multiprocessing.Pool() as pool:
            results = tables(
                _runner(lambda tasks: pool.map(Task.run, tasks, 1)), repetitions, fewer, options.seed
            )
    else:
        results = tables(_runner(lambda tasks: [*map(Task.run, tasks)]), repetitions, fewer, options.seed)
    title = f"{repetitions} repetitions ({fewer} of latency, cost and labels), seed {options.seed}"
    fast = speed.check()
    if options.json:
        parts = {"tables": [table.as_json() for table in results], "speed": asdict(fast)}
        print(json.dumps({"title": title, **parts}))
    else:
        intro = "Cells: 1,000 / 10,000 / 100,000 runs per hour; 5% for 60 min, then 25% for 240 min."
        print(f"# The judge\n\n{title}. {intro}", *(table.as_markdown() for table in results), sep="\n\n")
        print(f"\n## Speed\n\n{fast.as_markdown()}")
    return 0 if fast.is_met and all(check.is_met for table in results for check in table.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
