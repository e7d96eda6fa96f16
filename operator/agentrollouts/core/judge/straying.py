"""Traffic that does not follow the weight: runs that never reach the canary, never end, or take another way.

Nothing here says that the canary is bad. But where its runs are not what its weight gives it, nothing that it
does well says that it is good.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentrollouts.core.gates.counts import Expected, Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.wording import share_of, used
from agentrollouts.core.judge.stats.evidence import MAX_EXPONENT

FEWER: Final = 0.5
MORE: Final = 3.0
"""Less, or more, than this many times its share of the runs is far from the weight."""
LOST: Final = (1 / 2, 1 / 3)
FLOODED: Final = (3.0, 5.0)
"""Times its share that a canary might get where runs are lost, or routed wrongly; the evidence is the mean
over these."""
FEWER_THINGS: Final = 0.2
MORE_THINGS: Final = 5.0
LOST_THINGS: Final = (1 / 5, 1 / 10)
FLOODED_THINGS: Final = (5.0, 10.0)
"""The same for totals that need not be runs: a canary may well call half as many tools."""
RUNS_PER_VISIT: Final = 5.0
RUNS_PER_LONG_VISIT: Final = 10.0
"""Runs of one conversation go to one release, so that about so many are one proof of where traffic goes. A
long one adds more to a small share than it takes from it, so on that side more are needed."""
STRAY_SECONDS: Final = 120
"""How long traffic must be far from the weight: agents that split by themselves learn of it late."""


@dataclass(frozen=True, slots=True)
class Stray:
    """What is far from the weight."""

    message: str
    may_be_slow: bool
    """Whether runs that take long, and end later, would look the same."""


def has_strayed(gate: ResolvedGate, counts: Segment, weight: float, *, of_runs: bool = True) -> bool:
    """Whether the canary finished far fewer runs than its weight gives it, or far more.

    The share test with the runs themselves for bad outcomes: at the share w of the traffic each run falls on
    the canary with probability w, so that g times as many have t = g w / (g w + 1 - w). Where the weight is
    large, far more for the canary is far fewer for stable.

    Args:
        gate: Its odds say how sure is sure.
        counts: Of the current segment.
        weight: The canary's share of the traffic, between 0 and 1.
        of_runs: Whether these are runs, not something of which each run may have many or none.
    """
    canary, stable = counts.canary_total, counts.stable_total
    runs = canary + stable
    fewer, lost = (FEWER, LOST) if of_runs else (FEWER_THINGS, LOST_THINGS)
    more, flooded = (MORE, FLOODED) if of_runs else (MORE_THINGS, FLOODED_THINGS)
    if canary < fewer * weight * runs:
        return _odds(canary, runs, weight, lost, RUNS_PER_VISIT) >= gate.needed
    if canary > more * weight * runs:
        return _odds(canary, runs, weight, flooded, RUNS_PER_LONG_VISIT) >= gate.needed
    if stable < fewer * (1 - weight) * runs:
        return _odds(stable, runs, 1 - weight, lost, RUNS_PER_LONG_VISIT) >= gate.needed
    return False


def _odds(part: float, runs: float, share: float, guesses: Sequence[float], visit: float) -> float:
    """How many to one for a part that is some guess times its share."""
    logs = [(part * math.log(g) - runs * math.log1p((g - 1) * share)) / visit for g in guesses]
    return sum(math.exp(min(log, MAX_EXPONENT)) for log in logs) / len(logs)


def stray(gate: ResolvedGate, counts: Segment, expected: Expected, *, is_only: bool) -> Stray | None:
    """How the canary's runs are far from what its weight gives it; None if they are not.

    Args:
        gate: Whose totals these are.
        counts: Of the current segment; runs that ended, or whatever else the gate counts.
        expected: The weight, and the runs that began where agents count them.
        is_only: Whether nothing in the rollout counts runs, so that this total has to do.
    """
    weight = expected.weight
    if weight is None or not 0 < weight < 100:  # noqa: PLR2004 percent
        return None
    share, began = weight / 100, expected.started
    if began and began.share is not None:
        begun = Segment(0.0, began.canary, 0.0, began.stable)
        if has_strayed(gate, begun, share):
            return Stray(_sentence("began", "runs", begun, weight), may_be_slow=False)
        share = min(max(began.share, 1e-6), 1 - 1e-6)
    of_runs = gate.counts_runs
    if not (of_runs or is_only) or not has_strayed(gate, counts, share, of_runs=of_runs):
        return None
    runs = counts.canary_total + counts.stable_total
    is_less = counts.canary_total < share * runs
    if is_less and expected.is_counted and began:
        ended = f"{used(counts.canary_total)} of the {used(runs)} {gate.words.total} that ended"
        all_begun = used(began.canary + began.stable)
        message = f"canary began {used(began.canary)} of {all_begun} runs but has {ended}; do its runs end?"
        return Stray(message, may_be_slow=True)
    message = _sentence("finished" if of_runs else "has", gate.words.total, counts, weight)
    return Stray(message, may_be_slow=is_less)


def _sentence(did: str, what: str, counts: Segment, weight: int) -> str:
    canary, runs = counts.canary_total, counts.canary_total + counts.stable_total
    is_less = 100 * canary < weight * runs
    ends = "" if did == "began" else ", and do its runs end"
    question = f"do requests reach it{ends}" if is_less else "is there a second way to it"
    part, whole = used(canary), used(runs)
    text = f"canary {did} {part} of {whole} {what} ({share_of(part, whole)})"
    return f"{text} at a weight of {weight}%; {question}?"
