"""How the tables are printed, and what they are held to.

A target is missed only where chance alone does not explain it: a share of 1% is measured to about 0.4 with
500 repetitions.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bench.judge.tables.runs import mean_harm, median_minute, share_rolled_back
from bench.judge.tasks import OURS, End, Ends
from bench.rig.report import Check

LEEWAY: Final = 1.2
"""A median may be so many times the specification's, or one minute later."""
NOISE: Final = 0.01
"""A count above its target is chance where as many would be seen at least this often."""


@dataclass(frozen=True, slots=True)
class Table:
    """Cells by column, traffic and judge."""

    title: str
    columns: Sequence[str]
    cells: Sequence[Sequence[Ends]]
    """By column, then by traffic."""
    shown: Callable[[Sequence[End]], str]
    checks: Sequence[Check] = field(default=())

    def as_markdown(self) -> str:
        """Rows of judges, cells over the traffics, then the targets."""
        judges = self.cells[0][0]
        lines = [f"| judge | {' | '.join(self.columns)} |", "|---" * (1 + len(self.columns)) + "|"]
        for judge in judges:
            cells = (" / ".join(self.shown(ends[judge]) for ends in by_traffic) for by_traffic in self.cells)
            lines.append(f"| {judge} | {' | '.join(cells)} |")
        checks = (check.as_markdown() for check in self.checks)
        return "\n".join((f"## {self.title}", "", *lines, "", *checks))

    def as_json(self) -> dict[str, Any]:
        """Every cell with its numbers."""
        return {
            "title": self.title,
            "checks": [asdict(check) for check in self.checks],
            "columns": {
                column: [{judge: _numbers(numbers) for judge, numbers in ends.items()} for ends in by_traffic]
                for column, by_traffic in zip(self.columns, self.cells, strict=True)
            },
        }


def _numbers(ends: Sequence[End]) -> dict[str, Any]:
    median = median_minute(ends)
    return {
        "repetitions": len(ends),
        "rolledBack": share_rolled_back(ends),
        "medianMinute": None if math.isinf(median) else median,
        "meanHarm": mean_harm(ends),
    }


def as_share(ends: Sequence[End]) -> str:
    """Percent of the attempts that were rolled back."""
    return f"{100 * share_rolled_back(ends):.3g}"


def as_minutes(ends: Sequence[End]) -> str:
    """The median minute; the share where it was not every attempt."""
    median, share = median_minute(ends), share_rolled_back(ends)
    minute = "never" if math.isinf(median) else f"{median:.0f}"
    return minute if share in (0.0, 1.0) else f"{minute} ({100 * share:.3g}%)"


def as_minutes_and_harm(ends: Sequence[End]) -> str:
    """The median minute, and in brackets the bad runs caused until then."""
    return f"{as_minutes(ends)} [{mean_harm(ends):,.0f}]"


def at_most(column: str, shares: Sequence[float], by_traffic: Sequence[Ends]) -> Check:
    """Harmless attempts that may be rolled back, by traffic."""
    ours = [ends[OURS] for ends in by_traffic]
    is_met = all(
        is_chance(sum(end.minute is not None for end in ends), len(ends), share)
        for ends, share in zip(ours, shares, strict=True)
    )
    targets = " / ".join(f"{100 * share:g}" for share in shares)
    return Check(f"{column}: at most {targets}%", " / ".join(map(as_share, ours)) + "%", is_met)


def no_later(column: str, minutes: Sequence[float], by_traffic: Sequence[Ends]) -> Check:
    """Medians of the specification, by traffic; infinite where it finds too few to have one."""
    ours = [ends[OURS] for ends in by_traffic]
    is_met = all(
        is_chance(_later(ends, max(LEEWAY * target, target + 1)), len(ends), 0.5)
        for ends, target in zip(ours, minutes, strict=True)
    )
    times = " / ".join("never" if math.isinf(minute) else f"{minute:g}" for minute in minutes)
    return Check(f"{column}: within 20% of {times} min", " / ".join(map(as_minutes, ours)) + " min", is_met)


def _later(ends: Sequence[End], minute: float) -> int:
    """How many were rolled back later, or never."""
    return sum((math.inf if end.minute is None else end.minute) > minute for end in ends)


def is_chance(count: int, of: int, share: float) -> bool:
    """Whether at least `count` of `of` are to be expected at that share, more often than `NOISE`."""
    if count <= share * of:
        return True
    fewer = math.fsum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(count))
    return 1 - fewer >= NOISE


def merged(parts: Sequence[Mapping[str, Sequence[End]]]) -> Ends:
    """The repetitions of several processes as one."""
    return {judge: [end for part in parts for end in part.get(judge, ())] for judge in parts[0]}
