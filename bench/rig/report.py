"""What a bench found, and how it is printed: medians and worst cases over several runs, never one number.

Every figure gives a `Result`; `__main__` prints them as Markdown for people, or as JSON for machines.
"""

import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

_KIB_PER_GIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one quantity, run by run."""

    what: str
    unit: str
    runs: tuple[tuple[float, ...], ...]

    @property
    def samples(self) -> tuple[float, ...]:
        """All samples of all runs."""
        return tuple(sample for run in self.runs for sample in run)

    @property
    def median(self) -> float:
        """Of all samples."""
        return statistics.median(self.samples)

    @property
    def p99(self) -> float:
        """The nearest rank: of up to 100 samples the largest."""
        ordered = sorted(self.samples)
        return ordered[math.ceil(0.99 * len(ordered)) - 1]

    @property
    def medians(self) -> tuple[float, ...]:
        """The median of each run: how far the runs agree."""
        return tuple(statistics.median(run) for run in self.runs if run)


@dataclass(frozen=True, slots=True)
class Check:
    """A target and whether it was met."""

    target: str
    found: str
    is_met: bool

    def as_markdown(self) -> str:
        """One line."""
        return f"- {'met' if self.is_met else '**missed**'}: {self.target}; found {self.found}"


@dataclass(frozen=True, slots=True)
class Result:
    """One figure."""

    title: str
    series: tuple[Series, ...] = ()
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = field(default=())


def load() -> str:
    """How many programs wanted a processor in the last minute, on average."""
    return f"load {os.getloadavg()[0]:.1f}"


def machine() -> str:
    """How large the machine is and how busy it was when asked."""
    memory = next(
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal")
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    return f"{os.cpu_count()} x {model}, {memory / _KIB_PER_GIB:.0f} GiB, {load()}"


def as_markdown(result: Result) -> str:
    """A section with its tables."""
    checks = "\n".join(check.as_markdown() for check in result.checks)
    parts = (f"## {result.title}", _table(result.series), checks, *result.notes)
    return "\n\n".join(part for part in parts if part)


def as_json(result: Result) -> dict[str, Any]:
    """All of a result, with the summaries beside the samples."""
    summaries = [
        asdict(series) | {"median": series.median, "p99": series.p99, "n": len(series.samples)}
        for series in result.series
    ]
    return asdict(result) | {"series": summaries}


def _table(series: Sequence[Series]) -> str:
    if not series:
        return ""
    head = ("| | n | median | p99 | max | median of each run |", "|---|---|---|---|---|---|")
    return "\n".join((*head, *map(_row, series)))


def _row(series: Series) -> str:
    values = (f"{_number(value)} {series.unit}" for value in (series.median, series.p99, max(series.samples)))
    cells = (series.what, str(len(series.samples)), *values, ", ".join(map(_number, series.medians)))
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    """Three digits, and no exponent."""
    return f"{value:.3g}" if abs(value) < 10**3 else f"{value:.0f}"
