"""The sentence of a gate: its numbers in the order in which a person checks them.

Used by `gates`. First the share of the runs and the share of what was bad, then the two rates, then what it
takes: a reader needs Prometheus and no statistics.
"""

from collections.abc import Sequence

from agentrollouts.api.rollout import Better, GateType
from agentrollouts.core.catalogue import ResolvedGate
from agentrollouts.core.evidence import Segment, expectation, of_good
from agentrollouts.core.findings import Finding
from agentrollouts.core.words import Words, count, odds, percent, times


def describe(gate: ResolvedGate, finding: Finding) -> str:
    """What was counted, how the releases compare, and how sure that is against how sure it must be."""
    compared = [segment for segment in finding.segments if segment.compares]
    if not compared:
        total, words = finding.total, finding.words
        return (
            f"{count(total.canary_total)} {words.total} of the canary, {count(total.stable_total)} of stable"
        )
    if not any(segment.canary_bad or segment.stable_bad for segment in compared):
        return _nothing_bad(finding, compared)
    told = (
        _side_by_side(gate, finding, compared[0])
        if len(compared) == 1
        else _expected(gate, finding, compared)
    )
    sure = f"evidence {odds(finding.evidence, gate.needed)}, needed {gate.needed:,.0f}:1"
    return f"{told} = {times(finding.ratio)}, limit {times(gate.margin)}; {sure}"


def _nothing_bad(finding: Finding, compared: Sequence[Segment]) -> str:
    words = finding.words
    canary, stable = sum(s.canary_total for s in compared), sum(s.stable_total for s in compared)
    return f"no {words.bad_word} in {count(canary)} {words.total} of the canary and {count(stable)} of stable"


def _side_by_side(gate: ResolvedGate, finding: Finding, segment: Segment) -> str:
    """One segment: shares and rates can be read off the counts."""
    words = finding.words
    runs = segment.canary_total + segment.stable_total
    bad = segment.canary_bad + segment.stable_bad
    share, blame = segment.canary_total / runs, segment.canary_bad / bad
    turn = "but" if blame > share else "and"
    served = f"canary served {percent(share)} of {count(runs)} {words.total}"
    had = f"{words.amount(segment.canary_bad)} of {words.amount(bad)}{words.named} ({percent(blame)})"
    return f"{served} {turn} had {had}; {_rates(gate, words, segment)}"


def _rates(gate: ResolvedGate, words: Words, segment: Segment) -> str:
    told = of_good(segment) if gate.better is Better.HIGHER else segment
    canary, stable = told.canary_bad / told.canary_total, told.stable_bad / told.stable_total
    if gate.kind is GateType.MEAN:
        return f"{words.amount(canary)} vs {words.amount(stable)} per run"
    name = words.good if gate.better is Better.HIGHER else "rate"
    return f"{name} {percent(canary)} vs {percent(stable)}"


def _expected(gate: ResolvedGate, finding: Finding, compared: Sequence[Segment]) -> str:
    """Several segments at different weights: never pooled, so the canary is held against stable's rates."""
    words = finding.words
    is_good = gate.better is Better.HIGHER
    happened, expected = expectation([of_good(s) for s in compared] if is_good else compared)
    runs = sum(s.canary_total for s in compared)
    name = f" {words.good}" if is_good else words.named
    return (
        f"canary had {words.amount(happened)}{name} in {count(runs)} {words.total} "
        f"where stable's rate gives {words.amount(expected)}"
    )
