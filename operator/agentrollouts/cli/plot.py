"""The picture of a simulation: the canary's share over time, and below it what each gate had to say.

Only `agentrollouts simulate --plot` imports this module, so that nothing else needs matplotlib.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from agentrollouts.simulation.timeline import Curve, Entry, Look, Timeline

INK, FAINT, LINE = "#1f2933", "#7b8794", "#e4e7eb"
BAD, CLEAR = "#d64545", "#3e4c59"
RELEASES: Final = ("#d5dae0", "#9bbcf2", "#96d5bd", "#c9b4ee", "#f0cd94")
"""Colors of the releases in the order in which they come; the first is mostly stable."""
TAKEN_BACK: Final = "#f2a5a5"
TINTS: Final = {
    "Held": ("#fdeeb9", "held"),
    "AwaitingApproval": ("#e3e0fb", "awaits approval"),
    "Baking": ("#d9f2e3", "bakes"),
    "Initial": ("#d9f2e3", "bakes"),
}
"""Background of the states in which the canary waits."""
STORY: Final = {
    "AttemptStarted": "starts",
    "RolledBack": "rolled back",
    "Promoted": "stable",
    "Superseded": "superseded",
}
"""What is written into the picture, of everything that happened."""
LEAST, MOST = 0.1, 1e4
"""Evidence beyond these values is drawn at the edge, since it does not change a decision."""
STYLE: Final = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "svg.fonttype": "path",
    "svg.hashsalt": "agentrollouts",
}


def draw(timeline: Timeline, end: datetime, path: Path) -> None:
    """Write the picture; the file's ending says in which format."""
    curves = {name: curve for name, curve in timeline.gates.items() if curve.compares and curve.looks}
    height = 3.3 + 1.15 * len(curves)
    with mpl.rc_context(STYLE):  # type: ignore[arg-type] # its keys are typed as literals
        figure = Figure(figsize=(10, height))
        figure.subplots_adjust(
            left=0.07, right=0.91, top=1 - 0.75 / height, bottom=0.55 / height, hspace=0.55
        )
        heights = [2.0] + [1.0] * len(curves)
        grid = figure.subplots(1 + len(curves), 1, sharex=True, squeeze=False, height_ratios=heights)
        share, *gates = grid[:, 0]
        _draw_shares(share, timeline, end)
        for axes, (name, curve) in zip(gates, curves.items(), strict=True):
            _draw_gate(axes, timeline, name, curve)
            _shade(axes, timeline, end)
        for axes in (share, *gates):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(length=0)
        _tell_time(grid[-1, 0], timeline, end)
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=160, facecolor="white", metadata=metadata)


def _hours(timeline: Timeline, time: datetime) -> float:
    return (time - timeline.start).total_seconds() / 3600


def _draw_shares(axes: Axes, timeline: Timeline, end: datetime) -> None:
    """Who serves, the newest release at the bottom; above it what happened to each."""
    times = [_hours(timeline, time) for time, _ in timeline.shares] + [_hours(timeline, end)]
    names = list(dict.fromkeys(name for _, shares in timeline.shares for name in shares))
    bad = {_subject(entry.message) for entry in timeline.entries if entry.reason == "RolledBack"}
    below = [0.0] * len(times)
    for name in reversed(names):
        shares = [shares.get(name, 0) for _, shares in timeline.shares]
        above = [low + share for low, share in zip(below, [*shares, shares[-1]], strict=True)]
        color = TAKEN_BACK if _version(name) in bad else RELEASES[names.index(name) % len(RELEASES)]
        axes.fill_between(times, below, above, step="post", color=color, linewidth=0)
        _name(axes, name, times, below, above)
        below = above
    axes.set_xlim(0, times[-1])
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100%"])
    marks = [entry for entry in timeline.entries if entry.reason in STORY]
    following, row = 2 * times[-1], 0
    for entry in reversed(
        marks
    ):  # the earlier of two that are close stands higher, so that no line crosses it
        hour = _hours(timeline, entry.time)
        row = (row + 1) % 3 if hour > following - 0.13 * times[-1] else 0
        following = hour
        _mark(axes, entry, hour, row)
    axes.set_title("Share of the traffic", loc="left", fontsize=9.5, fontweight="bold", pad=40)


def _name(axes: Axes, name: str, times: list[float], below: list[float], above: list[float]) -> None:
    """The release's version, where its area is largest, if there is room for it."""
    spans = zip(times, times[1:], below, above, strict=False)
    area, hour, height = max(
        ((t1 - t0) * (high - low), (t0 + t1) / 2, (low + high) / 2) for t0, t1, low, high in spans
    )
    if area > 8 * times[-1]:
        axes.text(hour, height, _version(name), color=INK, fontsize=9, ha="center", va="center")


def _mark(axes: Axes, entry: Entry, hour: float, row: int) -> None:
    color = BAD if entry.reason == "RolledBack" else CLEAR
    height = 104 + 9 * row
    axes.plot([hour, hour], [0, height], color=color, linewidth=0.8, clip_on=False)
    label = f" {_subject(entry.message)} {STORY[entry.reason]}"
    axes.text(hour, height + 1, label, color=color, fontsize=8, va="center", clip_on=False)


def _version(release: str) -> str:
    return release.rpartition("-")[2]


def _subject(message: str) -> str:
    """The version of the release that the sentence is about."""
    release = next((word for word in message.split() if word.count(".") >= 2 and word[0].isalpha()), "")  # noqa: PLR2004 a semver has two
    return _version(release).rstrip(".,:")


def _draw_gate(axes: Axes, timeline: Timeline, name: str, curve: Curve) -> None:
    """Evidence on a logarithmic scale, with what it takes to fail; what fails is red."""
    axes.set_yscale("log")
    axes.set_ylim(LEAST, MOST)
    axes.axhline(curve.needed, color=BAD, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.text(
        1.005,
        curve.needed,
        f"{curve.needed:,.0f}:1 fails",
        color=BAD,
        fontsize=8,
        va="center",
        transform=axes.get_yaxis_transform(),
    )
    for looks in _stretches(curve):
        times = [_hours(timeline, look.time) for look in looks]
        axes.plot(times, [_clipped(look) for look in looks], color=CLEAR, linewidth=1.2)
    failed = [look for look in curve.looks if look.verdict == "Fail" and look.evidence is not None]
    places = [_hours(timeline, look.time) for look in failed]
    axes.plot(places, [_clipped(look) for look in failed], "o", markersize=3, color=BAD, clip_on=False)
    axes.yaxis.set_major_locator(FixedLocator([1, 100, MOST]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda odds, _: f"{odds:,.0f}:1"))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(name, loc="left", fontsize=9.5, fontweight="bold", pad=4)
    axes.set_title("evidence that the canary is worse", loc="right", fontsize=8, color=FAINT, pad=4)


def _stretches(curve: Curve) -> Iterator[list[Look]]:
    """Looks of one attempt that follow each other with evidence; a gap is a gap in the line."""
    for (_, has_evidence), looks in groupby(
        curve.looks, key=lambda look: (look.attempt, look.evidence is not None)
    ):
        if has_evidence:
            yield list(looks)


def _clipped(look: Look) -> float:
    return min(MOST, max(LEAST, look.evidence or LEAST))


def _shade(axes: Axes, timeline: Timeline, end: datetime) -> None:
    """The background says where the attempt waits."""
    until = [time for time, _ in timeline.states[1:]] + [end]
    for (since, state), then in zip(timeline.states, until, strict=True):
        if state in TINTS and then > since:
            tint, word = TINTS[state]
            begun, ended = _hours(timeline, since), _hours(timeline, then)
            axes.axvspan(begun, ended, color=tint, linewidth=0, zorder=0)
            axes.text((begun + ended) / 2, MOST / 4, word, color=FAINT, fontsize=7, ha="center", va="center")


def _tell_time(axes: Axes, timeline: Timeline, end: datetime) -> None:
    axes.set_xlim(0, _hours(timeline, end))
    axes.xaxis.set_major_locator(MaxNLocator(13, steps=[1, 2, 3, 4, 6, 10], integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda hour, _: f"{hour:g} h"))
    axes.set_xlabel(f"since {timeline.start:%Y-%m-%d %H:%M} {timeline.start:%Z}")
