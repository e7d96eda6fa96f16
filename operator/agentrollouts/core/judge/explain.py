"""The sentence of a verdict: its numbers in the order in which a person checks them.

First the share of the runs and the share of the bad outcomes, then the two rates, then what is required: a
reader needs Prometheus and no statistics.
"""

from collections.abc import Sequence
from typing import Final

from agentrollouts.api.gates import Better
from agentrollouts.api.verdict import Baseline
from agentrollouts.core.gates.counts import Recent, Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.wording import (
    Words,
    chance,
    number,
    odds,
    percent,
    precise,
    share_of,
    times,
    used,
)
from agentrollouts.core.judge.comparison import Comparison
from agentrollouts.core.judge.facts import Facts, allowed
from agentrollouts.core.judge.limits import threshold
from agentrollouts.core.judge.stats.evidence import expectation, of_good
from agentrollouts.core.judge.stats.rare_values import SHOWN
from agentrollouts.core.judge.stats.shifts import Shift

NAMED: Final = 0.01
"""Share of its release's outcomes from which on a value that the other one lacks is named."""


def describe(case: Facts) -> str:
    """What was counted, how the releases compare, and how sure that is against how sure it must be."""
    if case.finding is not None:
        return _compared(case.gate, case.finding)
    total, words = Segment.sum(tally.segment for tally in case.tallies), case.gate.words
    runs = f"{used(total.canary_total)} {words.total} of the canary"
    if case.gate.traits.takes_count:
        return f"{used(total.canary_bad)} {words.bad} in {runs}, {case.gate.max_count:,} allowed"
    if case.gate.traits.is_shift:
        return _shift(case, runs)
    recent = case.reading.recent
    return f"{_recently(case.gate, recent)}, {_limit(case.gate)}" if recent else runs


def _compared(gate: ResolvedGate, finding: Comparison) -> str:
    compared = [segment for segment in finding.segments if segment.compares]
    weighed = [segment for segment in finding.weighed if segment.compares]
    if not compared:
        total, words = finding.total, finding.words
        return f"{used(total.canary_total)} {words.total} of the canary, {used(total.stable_total)} of stable"
    if not any(segment.canary_bad or segment.stable_bad for segment in compared):
        return _nothing_bad(finding, compared)
    sides = (
        _side_by_side(gate, finding, compared[0], weighed[0])
        if len(compared) == 1
        else _expected(gate, finding, compared, weighed)
    )
    return f"{sides} = {_weighed(gate, finding)}"


def beyond(gate: ResolvedGate, recent: Recent, seconds: float) -> str:
    """The canary by itself, above its limit, with stable for comparison."""
    now = recent.segment
    stable = f"; stable {percent(now.stable_bad / now.stable_total)}" if now.stable_total else ""
    return f"{_recently(gate, recent)}, above {_limit(gate)} for {seconds:.0f} s{stable}"


def degraded(gate: ResolvedGate, recent: Recent, baseline: Baseline) -> str:
    """Stable by itself, now and before."""
    now, words = recent.segment, _words(gate, recent)
    is_sum = gate.traits.is_sum
    bad, runs = (words.summed if is_sum else used)(now.stable_bad), used(now.stable_total)
    had = f"{bad}{words.named}" if is_sum else f"{bad} {words.bad}"
    if baseline.bound is not None:
        had += ", averaged over this bound and the higher ones,"
    return (
        f"stable itself has {had} in {runs} {words.total} "
        f"of the last {gate.recent_seconds} s ({_rate(gate, number(bad) / number(runs))}) and had "
        f"{_rate(gate, baseline.bad / baseline.total)} before the attempt, so the cause is not the canary"
    )


def degraded_too(gate: ResolvedGate, recent: Recent, baseline: Baseline) -> str:
    """Stable by itself, if the canary is worse still: a rollback might not be enough."""
    now = recent.segment
    return (
        f"stable itself has {_rate(gate, now.stable_bad / now.stable_total)} and had "
        f"{_rate(gate, baseline.bad / baseline.total)} before the attempt, so a rollback might not be enough"
    )


def since_rollback(gate: ResolvedGate, finding: Comparison) -> str:
    """Stable now, in the canary's place of the comparison, beside stable before the attempt."""
    total, words = finding.total, finding.words
    runs = f"{used(total.canary_total)} {words.total} since the rollback"
    if not total.compares:
        return f"{runs}, {used(total.stable_total)} before the attempt"
    if not total.canary_bad and not total.stable_bad:
        return f"no {words.bad_word} in {runs}, and none before the attempt"
    rates = f"{_rates(gate, words, total)} before the attempt, in {runs}"
    return f"{rates} = {_weighed(gate, finding)}"


def _weighed(gate: ResolvedGate, finding: Comparison) -> str:
    """Both keys: by how much, and how sure."""
    sure = f"evidence {odds(finding.evidence, gate.needed)}, needed {gate.needed:,.0f}:1"
    return f"{times(finding.ratio)}, limit {times(gate.margin)}; {sure}"


def _rate(gate: ResolvedGate, rate: float) -> str:
    """What one release does per run."""
    return f"{gate.words.amount(rate)} per run" if gate.traits.is_sum else percent(rate)


def _words(gate: ResolvedGate, recent: Recent) -> Words:
    return gate.words if recent.bound is None else gate.words.about(recent.bound)


def _limit(gate: ResolvedGate) -> str:
    if gate.limit is None:
        return "no limit"
    share = threshold(gate)
    if gate.traits.by_bounds:
        return f"the limit of {percent(1 - share)} within {gate.limit.value:g}"
    return f"the limit of {percent(share)}"


def _recently(gate: ResolvedGate, recent: Recent) -> str:
    now, words = recent.segment, _words(gate, recent)
    bad, runs = used(now.canary_bad), used(recent.canary_runs)
    share = f" ({share_of(bad, runs)})" if recent.canary_runs else ""
    ended = f", {used(now.canary_total)} of them ended" if recent.canary_runs > now.canary_total else ""
    counted = f"{bad} {words.bad} in {runs} {words.total}"
    return f"canary had {counted} of the last {gate.recent_seconds} s{share}{ended}"


def _shift(case: Facts, runs: str) -> str:
    """How far apart, where, and how often chance gives as much."""
    result = case.shift
    if result is None:
        return f"{runs}, too few to compare"
    words = case.gate.words
    where = result.where if case.reading.mix else words.bad.format(bound=result.where)
    return (
        f"{runs}: {where} {percent(result.canary)} vs {percent(result.stable)} of stable; "
        f"{percent(result.effect)} moved, by chance {chance(result.chance)} of the time, "
        f"needed at most {percent(allowed(case.gate, case.course))}{_one_sided(result, case.reading.segment)}"
    )


def _one_sided(result: Shift, total: Segment) -> str:
    """The values that only one release has, with their counts; those too rare to matter are left out."""
    named = [
        f"; {'only stable' if not mix.canary else 'only the canary'} has {mix.group} "
        f"({used(mix.canary)} of {used(total.canary_total)} vs {used(mix.stable)} of "
        f"{used(total.stable_total)})"
        for mix in result.one_sided
        if max(mix.canary / total.canary_total, mix.stable / total.stable_total) >= NAMED
    ]
    return "".join(named[:SHOWN])


def _nothing_bad(finding: Comparison, compared: Sequence[Segment]) -> str:
    words = finding.words
    canary, stable = sum(s.canary_total for s in compared), sum(s.stable_total for s in compared)
    return f"no {words.bad_word} in {used(canary)} {words.total} of the canary and {used(stable)} of stable"


def _side_by_side(gate: ResolvedGate, finding: Comparison, segment: Segment, weighed: Segment) -> str:
    """One segment: shares and rates can be read off the counts."""
    words = finding.words
    runs = segment.canary_total + segment.stable_total
    bad = segment.canary_bad + segment.stable_bad
    share, blame = weighed.canary_total / runs, segment.canary_bad / bad
    turn = "but" if blame > share else "and"
    served, unfinished = f"canary served {percent(share)} of {used(runs)} {words.total}", ""
    if weighed != segment:
        served = (
            f"canary finished {used(segment.canary_total)} of {used(runs)} {words.total}, "
            f"was assigned {percent(share)} of them ({used(weighed.canary_total)}),"
        )
        unfinished = f" if its other {words.total} end well"
    shown = words.summed if gate.traits.is_sum else used
    part, whole = shown(segment.canary_bad), shown(bad)
    had = f"{part} of {whole}{words.named} ({share_of(part, whole)})"
    return f"{served} {turn} had {had}; {_rates(gate, words, weighed)}{unfinished}"


def _rates(gate: ResolvedGate, words: Words, segment: Segment) -> str:
    counted = of_good(segment) if gate.better is Better.HIGHER else segment
    canary, stable = counted.canary_bad / counted.canary_total, counted.stable_bad / counted.stable_total
    if gate.traits.is_sum:
        return f"{words.amount(canary)} vs {words.amount(stable)} per run"
    name = words.good if gate.better is Better.HIGHER else "rate"
    return f"{name} {percent(canary)} vs {percent(stable)}"


def _expected(
    gate: ResolvedGate, finding: Comparison, compared: Sequence[Segment], weighed: Sequence[Segment]
) -> str:
    """Several segments at different weights: never pooled, so the canary is compared with stable's rates."""
    words = finding.words
    is_good = gate.better is Better.HIGHER
    happened, expected = expectation([of_good(s) for s in weighed] if is_good else weighed)
    runs, begun = (sum(s.canary_total for s in segments) for segments in (compared, weighed))
    unfinished = f" ({used(begun)} with those that have not ended)" if begun > runs else ""
    name = f" {words.good}" if is_good else words.named
    shown, gives = (words.summed, words.summed) if gate.traits.is_sum else (used, precise)
    return (
        f"canary had {shown(happened)}{name} in {used(runs)} {words.total}{unfinished} "
        f"where stable's rate gives {gives(expected)}"
    )
