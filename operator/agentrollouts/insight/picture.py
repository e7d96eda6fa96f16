"""Charts of an attempt as inline SVG: the weight of the canary, and below it the evidence of each gate.

All charts have one time axis. Nothing depends on color alone: a limit is dashed and labeled, and the title
and the description say in words what is drawn.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from agentrollouts.api.record.course import Look
from agentrollouts.insight.render.document import plain

WIDTH, LEFT, RIGHT = 720, 76, 700
TOP, HEIGHT, GAP = 20, 90, 48
LOWEST, HIGHEST = -20, 60
"""Tenths of a power of ten between which evidence is drawn, that is 1:100 to 1,000,000:1."""
NONE: Final = -99
"""Evidence of a gate that has none."""
LEVELS: Final = ((0, "1:1"), (20, "100:1"), (40, "10,000:1"), (60, "1,000,000:1"))
STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
TICKS: Final = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """The evidence of one gate."""

    gate: str
    needed: float | None
    """Evidence from which on it fails, in tenths of a power of ten; None if it does not fail by evidence."""
    points: tuple[tuple[float, int], ...]
    """Seconds, and the evidence then."""


def needed_tenths(odds: float) -> float:
    """Odds in tenths of a power of ten."""
    return 10 * math.log10(odds)


def curves(gates: Sequence[tuple[str, float | None]], course: Sequence[Look]) -> tuple[Curve, ...]:
    """The evidence of each gate by its place in the plan."""
    return tuple(
        Curve(name, needed, tuple((x.seconds, x.evidence[i]) for x in course if i < len(x.evidence)))
        for i, (name, needed) in enumerate(gates)
    )


def picture(title: str, weights: Sequence[tuple[float, int]], lines: Sequence[Curve], end: float) -> str:
    """The charts.

    Args:
        title: What they show, for those who do not see them.
        weights: Seconds since the start, and the weight from then on.
        lines: Evidence of each gate.
        end: Seconds at which the charts end.
    """
    end = max(end, 1.0)
    height = TOP + (1 + len(lines)) * (HEIGHT + GAP)
    body = "".join(_charts(weights, lines, end))
    highest = max((weight for _, weight in weights), default=0)
    text = f"Weight of the canary, at most {highest}%, and evidence of {len(lines)} gates over {end:,.0f} s"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="chart-title chart-text">\n'
        f'<title id="chart-title">{escape(plain(title))}</title>\n'
        f'<desc id="chart-text">{escape(text)}</desc>\n'
        f"{body}</svg>"
    )


def _charts(weights: Sequence[tuple[float, int]], lines: Sequence[Curve], end: float) -> Iterator[str]:
    yield _label(LEFT, TOP - 7, "weight of the canary")
    for share in (0, 50, 100):
        yield _level(TOP, share, 100, 0, f"{share}%", "grid")
    yield f'<path class="area" d="{_steps(weights, end)}"/>\n'
    yield from _axis(TOP, end)
    for index, curve in enumerate(lines, start=1):
        top = TOP + index * (HEIGHT + GAP)
        yield _label(LEFT, top - 7, f"{curve.gate}: evidence that the canary is worse")
        for value, text in LEVELS:
            yield _level(top, value, HIGHEST, LOWEST, text, "grid")
        if curve.needed is not None:
            yield _level(top, curve.needed, HIGHEST, LOWEST, "", "mark")
            yield _label(RIGHT, _y(top, curve.needed, HIGHEST, LOWEST) - 3, "fails from here", "end")
        yield from (f'<polyline class="curve" points="{p}"/>\n' for p in _stretches(top, curve, end))
        yield from _axis(top, end)


def _x(seconds: float, end: float) -> float:
    return LEFT + (RIGHT - LEFT) * min(max(seconds / end, 0.0), 1.0)


def _y(top: float, value: float, high: float, low: float) -> float:
    return top + HEIGHT * (high - min(max(value, low), high)) / (high - low)


def _steps(weights: Sequence[tuple[float, int]], end: float) -> str:
    """An area whose upper edge is the weight."""
    parts, bottom = [f"M{LEFT} {TOP + HEIGHT}"], TOP + HEIGHT
    for seconds, weight in weights:
        parts.append(f"H{_x(seconds, end):.1f}V{_y(TOP, weight, 100, 0):.1f}")
    return f"{''.join(parts)}H{RIGHT}V{bottom}Z"


def _stretches(top: float, curve: Curve, end: float) -> Iterator[str]:
    """Looks with evidence that follow each other; a gap is a gap in the line."""
    stretch: list[str] = []
    for seconds, value in (*curve.points, (end, NONE)):
        if value != NONE:
            stretch.append(f"{_x(seconds, end):.1f},{_y(top, value, HIGHEST, LOWEST):.1f}")
        elif stretch:
            yield " ".join(stretch if len(stretch) > 1 else 2 * stretch)
            stretch = []


def _level(top: float, value: float, high: float, low: float, text: str, kind: str) -> str:
    y = _y(top, value, high, low)
    drawn = f'<path class="{kind}" d="M{LEFT} {y:.1f}H{RIGHT}"/>\n'
    return drawn + (_label(LEFT - 6, y + 4, text, "end") if text else "")


def _axis(top: float, end: float) -> Iterator[str]:
    """The time since the start of the attempt."""
    step = next((each for each in STEPS if end / each <= TICKS), 86400 * (1 + end // (TICKS * 86400)))
    for number in range(int(end // step) + 1):
        x = _x(number * step, end)
        yield f'<path class="grid" d="M{x:.1f} {top + HEIGHT}v4"/>\n'
        yield _label(x, top + HEIGHT + 15, _span(number * step), "middle")


def _span(seconds: float) -> str:
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds and seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(plain(text))}</text>\n'
