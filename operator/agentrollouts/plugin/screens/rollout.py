"""The screens of the terminal: they draw the view, and know nothing that it does not say."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final

from rich.text import Text

from agentrollouts.insight.view.shape import GIT, Action, GateView, Next, Running, Step, View
from agentrollouts.insight.view.words import Mark, Needs, Progress, StepKind
from agentrollouts.plugin.screens.terminal import Row, padded, plain

MARKS: Final = {
    Mark.GOOD: ("✓", "green"),
    Mark.BAD: ("✗", "red"),
    Mark.OPEN: ("…", ""),
    Mark.WARNING: ("!", "yellow"),
}
STEPS: Final = {
    Progress.DONE: ("✓", "green"),
    Progress.CURRENT: ("●", "bold"),
    Progress.TO_COME: ("○", "dim"),
}
STALE: Final = "the status is of an older spec; the operator has not read the new one yet"
ACTIONS: Final = "You can"
_LABEL: Final = 11
"""Columns before the text of a section."""
_BAR: Final = 30
_WIDEST: Final = 60
"""Columns of the time and the condition of an event, above which they are not a column of their own."""
_FULL: Final = 100
_DAY: Final = 86_400
_HOUR: Final = 3600
_MINUTE: Final = 60


def status(view: View, silent: str = "", *, is_wide: bool = False) -> list[Row]:
    """One rollout: what runs, why, what happens next, what one can do, what was before."""
    blocks = (
        [*_headline(view, silent)],
        [*_running(view.running)],
        [*_plan(view), *_why(view), *_around(view), *_next(view), *_changed(view)],
        [*_gates(view.gates)],
        [
            *_label("Outlook", [plain(view.outlook)] if view.plan and view.outlook else []),
            *_after(view),
            *_actions(view, is_wide=is_wide),
        ],
    )
    return [row for block in blocks if block for row in (*block, Row())][:-1]


def fitted(screen: Text, width: int, height: int) -> Text:
    """As much of a screen as a terminal shows at once; what one can do stays, since it comes last."""
    lines = screen.split()
    rows = [max(1, -(-line.cell_len // width)) for line in lines]
    last = next((n for n, line in enumerate(lines) if line.plain.startswith(f"  {ACTIONS}")), len(lines))
    room = height - 1 - sum(rows[last:])
    kept = sum(total <= room for total in accumulate(rows[:last]))
    if sum(rows) <= height or kept == 0:
        return screen
    left_out = Text(f"  ({last - kept} lines are left out)", "dim")
    return Text("\n").join([*lines[:kept], left_out, *lines[last:]])


def _headline(view: View, silent: str) -> Iterator[Row]:
    head = view.headline
    attempt = f"   attempt {head.attempt}" if head.attempt else ""
    style = "bold yellow" if head.needs is Needs.PERSON else "bold"
    cells = (Text(f"{plain(view.namespace)}/{plain(view.name)}   "), Text(f"{plain(head.state)}   ", style))
    yield Row(Text(f"{plain(head.sentence)}{attempt}"), cells)
    if head.is_stale:
        yield Row(Text(STALE, "yellow"))
    if silent:
        yield Row(Text(silent, "yellow"))


def _running(running: Sequence[Running]) -> Iterator[Row]:
    width = max((len(each.name) for each in running), default=0)
    for each in running:
        share = "unknown" if each.weight is None else f"{each.weight:>3}%"
        late = "" if each.desired is None else f"   not yet on the route: {each.desired}%"
        cells = (
            Text("  "),
            padded(plain(each.name), width + 3),
            padded(each.role.lower(), 9),
            Text(bar(each.weight or 0)),
        )
        yield Row(Text(f"  {share}{late}"), cells)


def bar(percent: int) -> str:
    """A share as a bar; what is not nothing has at least one block."""
    blocks = min(_BAR, max(round(percent * _BAR / _FULL), 1 if percent > 0 else 0))
    return "█" * blocks + "░" * (_BAR - blocks)


def _plan(view: View) -> list[Row]:
    return _label("Plan", [Text("   ").join(map(_step, view.plan))] if view.plan else [])


def _step(step: Step) -> Text:
    mark, style = STEPS[step.progress]
    ramp = step.kind is StepKind.RAMP
    text = f"{mark} {f'ramp to {step.weight}%' if ramp else plain(step.name)}"
    if step.elapsed_seconds is not None:
        text += f"  {clock(step.elapsed_seconds)} of {clock(step.duration_seconds)}"
        text += ", clock stopped" if step.is_stopped else ""
    return Text(text, style)


def _why(view: View) -> list[Row]:
    """The reason in words, unless the gates below say it."""
    is_shown = view.headline.why and (view.headline.needs is Needs.PERSON or not view.gates)
    return _label("Why", [plain(view.headline.why)] if is_shown else [])


def _around(view: View) -> list[Row]:
    rows = []
    for each in view.around:
        mark = "! " if each.needs is Needs.PERSON else ""
        rows += _label(str(each.topic), [f"{mark}{plain(each.state)}: {plain(each.sentence)}"])
    return rows


def _next(view: View) -> Iterator[Row]:
    """When or if, then what; a time that two events share is written once."""
    before: list[datetime | None] = [None, *(each.time for each in view.next)]
    when = [_when(each, view.time, last) for each, last in zip(view.next, before, strict=False)]
    width = max((len(each) + 3 for each in when if len(each) < _WIDEST), default=0)
    for number, (each, time) in enumerate(zip(view.next, when, strict=True)):
        cells = [_head("Next" if number == 0 else "")]
        text = plain(each.sentence)
        if len(time) < _WIDEST:
            cells.append(padded(time, width if time else 0))
        else:
            text = f"{time}   {text}"
        yield Row(Text(text), tuple(cells))


def _when(each: Next, now: datetime, last: datetime | None) -> str:
    """At which time unless it is that of the line before, and on what condition."""
    if each.time and each.time != last:
        left = (each.time - now).total_seconds()
        late = f" to {each.latest:%H:%M:%S}" if each.latest and each.latest != each.time else ""
        at = f"{each.time:%H:%M:%S}{late} UTC ({f'in {clock(left)}' if left > 0 else 'now'})"
        return f"{at} {plain(each.condition)}".rstrip()
    return plain(each.condition)


def _changed(view: View) -> list[Row]:
    found = [
        f"{plain(each.component)} {versions(each.before, each.after)} ({plain(each.change)})"
        for each in view.changed
    ]
    return _label("Changed", [", ".join(found)] if found else [])


def versions(before: str | None, after: str | None) -> str:
    """From one version to another; a component that is new or gone has one alone."""
    return " → ".join(each for each in (before, after) if each)


def _gates(gates: Sequence[GateView]) -> Iterator[Row]:
    names = max((len(each.name) for each in gates), default=0) + 2
    verdicts = max((len(each.verdict) for each in gates), default=0) + 2
    odds = max((len(each.odds) for each in gates), default=0) + 2
    for each in gates:
        mark, style = MARKS[each.mark]
        cells = (
            Text("  "),
            padded(Text(mark, style), 2),
            padded(plain(each.name), names),
            padded(Text(each.verdict, style), verdicts),
            padded(plain(each.odds), odds),
        )
        yield Row(Text(plain(each.sentence)), cells)


def _after(view: View) -> Iterator[Row]:
    """What the last rollback did."""
    if view.result:
        yield from _label("Result", [plain(f"{view.result.outcome}: {view.result.sentence}").rstrip(": ")])
    if view.window and view.window.sentence:
        yield from _label("Window", [plain(view.window.sentence)])
    if view.before.sentence:
        yield from _label("Before", [plain(view.before.sentence)])


def _actions(view: View, *, is_wide: bool) -> list[Row]:
    """The exact commands; in the wide form with what follows."""
    return _label(ACTIONS, [line for each in view.actions for line in _action(each, is_wide=is_wide)])


def _action(action: Action, *, is_wide: bool) -> Iterator[str]:
    command = f"{action.label} ({action.command})" if action.verb == GIT else action.command
    yield plain(f"{command}{f'   ({action.warning})' if action.warning else ''}")
    if is_wide:
        yield plain(f"  {action.consequence}")


def _label(label: str, lines: Iterable[str | Text]) -> list[Row]:
    """A section: its label before its first line."""
    texts = [each if isinstance(each, Text) else Text(each) for each in lines]
    return [Row(text, (_head(label if number == 0 else ""),)) for number, text in enumerate(texts)]


def _head(label: str) -> Text:
    return padded(Text(f"  {label}", "bold"), max(_LABEL, len(label) + 3))


def traffic(running: Sequence[Running]) -> str:
    """The shares on one line, such as `2.1.0 25%, 2.0.3 75%`; a backend without traffic is left out."""
    shares = [f"{plain(each.version or each.name)} {each.weight}%" for each in running if each.weight]
    return ", ".join(shares) or "none"


def clock(seconds: float) -> str:
    """A duration as `3:13`, or `2:00:00`."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(seconds: float) -> str:
    """A duration in its largest unit, as kubectl writes an age."""
    for unit, letter in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= unit:
            return f"{int(seconds // unit)}{letter}"
    return f"{max(0, int(seconds))}s"
