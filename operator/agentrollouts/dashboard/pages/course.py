"""The course of the attempt in progress, or of the last one, as a chart; the report has it as a table."""

from collections.abc import Sequence

from agentrollouts.api.record.course import Look
from agentrollouts.dashboard.markup import Markup, element, joined
from agentrollouts.insight.picture import curves, needed_tenths, picture
from agentrollouts.insight.view.shape import View


def course(view: View, looks: Sequence[Look], gates: Sequence[str], report: str) -> Markup | None:
    """The chart, and where all of its numbers are.

    Args:
        view: The rollout.
        looks: What the status keeps of the attempt.
        gates: Names of the gates in the order of the plan, which is that of the evidence.
        report: Address of the report of the attempt.
    """
    if not looks:
        return None
    needed = {gate.name: gate.evidence_needed for gate in view.gates}
    limits = [(name, needed_tenths(odds) if (odds := needed.get(name)) else None) for name in gates]
    weights = [(look.seconds, look.weight) for look in looks]
    title = f"Course of {view.headline.release} in attempt {view.headline.attempt}"
    drawn = picture(title, weights, curves(limits, looks), looks[-1].seconds)
    link = element("p", element("a", "The numbers of all looks", href=report))
    return joined(element("figure", Markup(drawn)), link)
