"""The share test: how sure it is that a canary is worse, and by how much.

The canary had 5% of the runs but 27% of the failures: that is all that the test looks at. Under "no worse" a
bad outcome falls on the canary with probability at most its share of the runs, whatever happens to both
releases together. So the evidence may be evaluated as often as one likes: by Ville's inequality it ever
reaches 100 with a probability of at most 1%.

Counts stay floats, as Prometheus extrapolates.
"""

import math
from collections.abc import Sequence
from typing import Final

from agentrollouts.core.gates.counts import Segment

WORSE: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""How many times worse the canary might be; the evidence is the mean over these guesses."""

_GUESSES: Final = tuple((math.log(worse), worse - 1.0) for worse in WORSE)

MAX_EXPONENT: Final = 700.0
"""Evidence is capped at e^700, the largest power that a float holds."""


def evidence(phases: Sequence[Sequence[Segment]], *, planned_phases: int, burst: float = 1.0) -> float:
    """How many to one the counts speak for "the canary is worse".

    The mean, over the planned phases, of the evidence gathered since the start of that phase; 1 for phases to
    come. So it finds what was there from the start about as fast as what appears only later.

    Args:
        phases: Segments of each phase that has begun, in order; a ramp has several segments.
        planned_phases: Length of the plan.
        burst: Factor by which bad outcomes come in clusters; for sums, in the unit of the sum. Positive.

    Returns:
        At least 0, exactly 1 when nothing bad happened, at most e^700.
    """
    since: list[float] | None = None  # nothing bad yet: a logarithm of 0 for every guess
    by_start = [0.0] * (planned_phases - len(phases))
    for segments in reversed(phases):
        for segment in segments:
            if segment.compares and (segment.canary_bad or segment.stable_bad):
                logs = _log_ratios(segment, burst)
                since = logs if since is None else [a + b for a, b in zip(since, logs, strict=True)]
        by_start.append(0.0 if since is None else _log_mean_exp(since))
    return math.exp(min(_log_mean_exp(by_start), MAX_EXPONENT)) if by_start else 1.0


def _log_ratios(segment: Segment, burst: float) -> list[float]:
    """The log likelihood ratios of one segment, one for each guess in `WORSE`.

    With the share w of the canary, t = g w / (g w + 1 - w) has ln(t / w) = ln g - ln(1 + (g - 1) w) and
    ln((1 - t) / (1 - w)) = -ln(1 + (g - 1) w): no division, so a share near 0 or 1 needs no special case.
    """
    canary_bad, bad = segment.canary_bad / burst, (segment.canary_bad + segment.stable_bad) / burst
    share = segment.canary_total / (segment.canary_total + segment.stable_total)
    return [canary_bad * log_worse - bad * math.log1p(more * share) for log_worse, more in _GUESSES]


def _log_mean_exp(logs: Sequence[float]) -> float:
    """Logarithm of the mean of e^log, with the maximum subtracted so that no power overflows."""
    top = max(logs)
    return top + math.log(sum([math.exp(log - top) for log in logs]) / len(logs))


def bad_ratio(segments: Sequence[Segment]) -> float:
    """Bad outcomes of the canary over those that stable's rate would give, summed over segments.

    Raw counts of different weights are never pooled: a bad hour of both releases at 5% would hide a
    regression at 25%.

    Returns:
        1 when nothing was bad on either side, infinity when nothing was expected and something happened.
    """
    happened, expected = expectation(segments)
    if expected:
        return happened / expected
    return math.inf if happened else 1.0


def expectation(segments: Sequence[Segment]) -> tuple[float, float]:
    """Bad outcomes of the canary, and how many it would have had at stable's rate.

    Segments in which one of the two had no runs compare nothing and are left out.
    """
    happened = expected = 0.0
    for s in segments:
        if s.canary_total > 0 and s.stable_total > 0:
            happened += s.canary_bad
            expected += s.canary_total * s.stable_bad / s.stable_total
    return happened, expected


def good_ratio(segments: Sequence[Segment]) -> float:
    """Good outcomes of the canary over those that stable's rate would give; for completion, accuracy."""
    return bad_ratio([of_good(segment) for segment in segments])


def of_good(segment: Segment) -> Segment:
    """The segment with its good outcomes counted as if they were the bad ones."""
    return Segment(
        max(0.0, segment.canary_total - segment.canary_bad),
        segment.canary_total,
        max(0.0, segment.stable_total - segment.stable_bad),
        segment.stable_total,
    )
