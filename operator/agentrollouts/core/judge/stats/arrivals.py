"""Runs that have started and not ended yet: failures are often instant, successes take minutes.

In the first minutes of a weight the finished runs of a canary are mostly its failures, so its share of the
finished runs understates what it was given. A run that must have started, by the weight on the route or
because runs are counted when they start, counts as a good one until it ends.
"""

import math
from typing import Final

from agentrollouts.core.gates.counts import Expected, Segment

CHANCE: Final = 2.0
"""Standard deviations of the split of the runs that are too few to count as unfinished: chance alone gives as
many, and to count them would delay every proof. If fewer can be in progress, by the duration of runs, none
count, however large the shortfall is."""
PATIENCE: Final = 3
"""Largest number of mean durations for which runs can be in progress: a canary can be slower than stable."""
SWAY: Final = 0.6
"""The same in standard deviations of the split of the bad outcomes: where bad is common, a small shortfall
of runs moves what is expected of them by more than it scatters."""


def underway(seconds: float, run_seconds: float) -> float:
    """The largest share of the runs of so many seconds that can be in progress at their end.

    The number in progress at any time is the number that begins within a mean duration (Little's law); 1 if
    the duration is unknown.
    """
    if run_seconds <= 0 or seconds <= 0:
        return 1.0
    return min(1.0, PATIENCE * run_seconds / seconds)


def filled(segment: Segment, expected: Expected, burst: float = 1.0) -> Segment:
    """The segment with the canary's unfinished runs counted as good; the same one where there are none.

    Its share of the runs is the larger of its share of the finished ones and of what it was given. All runs
    together stay as many as ended: what flows in flows out, whichever release it was routed to. Where no run
    of one release has ended there is nothing to compare yet.

    Args:
        segment: Counts of the finished runs.
        expected: What is known of those that began.
        burst: Factor by which bad outcomes come in clusters; for sums, in the unit of the sum. Positive.
    """
    share, runs = expected.share, segment.canary_total + segment.stable_total
    if share is None or not 0 < share < 1 or not segment.compares:
        return segment
    missing = share * runs - segment.canary_total
    if not expected.is_counted:
        missing = min(missing, expected.underway * share * runs)
    if missing <= 0 or (not expected.is_counted and missing < _by_chance(segment, share, burst)):
        return segment
    canary = segment.canary_total + missing
    return Segment(segment.canary_bad, canary, segment.stable_bad, runs - canary)


def filled_since(segment: Segment, weight: int) -> Segment:
    """The segment of a release that got all traffic again, beside itself before, with its unfinished runs.

    The time since the rollback takes the place of the canary, and the same length of time before the attempt
    that of stable. Of the runs that the canary would have had, as many can still be in progress as would make
    both alike; those of the traffic that the release never lost end as they always did.

    Args:
        segment: Counts of finished runs.
        weight: What the canary had before the rollback, in percent.
    """
    kept = 1 - weight / 100
    most = segment.canary_total / kept if kept > 0 else segment.stable_total
    runs = max(segment.canary_total, min(segment.stable_total, most))
    return Segment(segment.canary_bad, runs, segment.stable_bad, segment.stable_total)


def unfinished(segment: Segment, expected: Expected) -> float:
    """The share of the canary's runs that began and have not ended, between 0 and 1."""
    began = filled(segment, expected).canary_total
    return 1 - segment.canary_total / began if began else 0.0


def begun(recent: Segment, leaving: float, expected: Expected, burst: float) -> float:
    """Lower bound of the canary runs that began in a window; 0 if as many ended as began.

    Args:
        recent: Counts of the runs that ended in it.
        leaving: Runs of stable that ended in it though the canary has all the traffic: in their place others
            began.
        expected: What is known of those that began.
        burst: As for `filled`.
    """
    if expected.weight == 100:  # noqa: PLR2004 percent
        return recent.canary_total + leaving if leaving else 0.0
    estimate = filled(recent, expected, burst).canary_total
    return estimate if estimate > recent.canary_total else 0.0


def _by_chance(segment: Segment, share: float, burst: float) -> float:
    """How many runs fewer than its share may have ended by chance alone.

    A shortfall of z standard deviations of the runs moves the expected number of bad ones by z times the root
    of the share that is bad, in its own standard deviations.
    """
    runs = segment.canary_total + segment.stable_total
    often = (segment.canary_bad + segment.stable_bad) / burst / runs
    deviations = min(CHANCE, SWAY / math.sqrt(often)) if often > 0 else CHANCE
    return deviations * math.sqrt(runs * share * (1 - share))
