"""The course of an attempt as a chart: weight and evidence over time."""

from agentrollouts.insight.impact import weights
from agentrollouts.insight.picture import NONE, curves, needed_tenths, picture
from agentrollouts.insight.plan import Plan
from agentrollouts.insight.records import AttemptRecord
from agentrollouts.insight.render.document import Block, Chart, Table, line
from agentrollouts.insight.timing import Timing, between


def chart(record: AttemptRecord, plan: Plan, found: Timing) -> tuple[Block, ...]:
    """The chart of an attempt; nothing if the record has no course of it."""
    if not record.course or not record.entries:
        return ()
    start = record.entries[0].time
    names = [str(gate.get("name")) for gate in plan.gates]
    needed = {name: needed_tenths(gate.needed) for name, gate in plan.resolved.items() if gate.is_share_test}
    steps = [(between(start, time) or 0.0, weight) for time, weight in weights(record)]
    end = max(record.course[-1].seconds, between(start, found.left or found.routed) or 0.0)
    lines = curves([(name, needed.get(name)) for name in names], record.course)
    title = f"Course of {record.release} in attempt {record.number} of {record.rollout}"
    rows = tuple(
        (
            line(f"{look.seconds:,} s"),
            line(f"{look.weight}%"),
            *(line(_odds(look.evidence[i]) if i < len(look.evidence) else "none") for i in range(len(names))),
        )
        for look in record.course
    )
    table = Table("All looks, with the evidence of each gate", ("Since the start", "Weight", *names), rows)
    return (Chart(title, picture(title, steps, lines, end), table),)


def _odds(tenths: int) -> str:
    """Evidence as odds to one."""
    if tenths == NONE:
        return "none"
    value = 10 ** (tenths / 10)
    return f"{value:,.0f}:1" if tenths >= 10 else f"{value:.2g}:1"  # noqa: PLR2004 two digits above 10:1
