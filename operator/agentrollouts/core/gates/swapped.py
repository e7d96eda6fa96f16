"""Gates whose `bad` counts more than their `total`: swapped selectors, or a total that leaves runs out.

Detected from the selectors, and from what was counted. Such counts prove nothing in either direction, so they
hold a rollout and never roll it back.
"""

from collections.abc import Sequence
from typing import Final

from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.kinds import Traits
from agentrollouts.core.gates.selector import Refusal, Selector
from agentrollouts.core.gates.wording import used

EXTRAPOLATED: Final = 4 / 3
"""How many times the truth Prometheus may make a count over four scrapes."""
FEW: Final = 3.0
"""Runs by which two counters that are scraped at different times may differ in any case."""


def swapped(bad: Selector, total: Selector, traits: Traits, field: str) -> Refusal | None:
    """Whether `total` selects only part of what `bad` selects, so that more than every run would be bad."""
    is_part = bad.metric == total.metric and set(bad.matchers) < set(total.matchers)
    if not (traits.counts_bad_runs and is_part):
        return None
    return Refusal(f"{field}.bad", f"{bad} includes all of total, {total}; swap bad and total")


def is_too_many(bad: float, total: float) -> bool:
    """Whether there are more bad runs than runs, by more than the way they are counted explains."""
    return bad > EXTRAPOLATED * total + FEW


def more_bad_than_runs(traits: Traits, segments: Sequence[Segment]) -> str:
    """The release that has more bad runs than runs, in a sentence; empty if none has."""
    if not traits.counts_bad_runs:
        return ""
    sides = (
        ("the canary", sum(s.canary_bad for s in segments), sum(s.canary_total for s in segments)),
        ("stable", sum(s.stable_bad for s in segments), sum(s.stable_total for s in segments)),
    )
    problems = [
        f"`bad` counts {used(bad)} runs of {name} and `total` only {used(total)}"
        for name, bad, total in sides
        if is_too_many(bad, total)
    ]
    cure = "swap the two selectors, or let `total` count every run"
    return f"{' and '.join(problems)}; {cure}" if problems else ""
