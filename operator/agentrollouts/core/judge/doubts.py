"""What a verdict on counts must withstand before it is believed.

A Pass needs proof that a failure could have been seen. A Fail needs counts that belong to the releases.
Otherwise the verdict is neither.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import GateStatus, Numerator, Verdict
from agentrollouts.core.gates.counts import Recent, Segment
from agentrollouts.core.gates.reading import Lost, Present, Reading, Sight, Unfamiliar
from agentrollouts.core.gates.wording import count
from agentrollouts.core.judge.judge import Judgment

MANY: Final = 12.0
"""Bad outcomes that are expected; that none of them happens has a probability of 6 in a million."""


def doubted(
    judgment: Judgment,
    present: Present,
    again: Callable[[Reading], Judgment],
    *,
    before: GateStatus | None = None,
    sight: Sight | None = None,
) -> Judgment:
    """The judgment that can be believed, with what has to be remembered of it.

    Args:
        judgment: Result of the counts.
        present: The counts.
        again: Judges other counts in the same way.
        before: The gate as recorded in the status.
        sight: Whether a bad outcome could have been detected; None if that was not queried.
    """
    if not isinstance(present, Reading):
        kept = frozenset(before.first_values_ignored) if before and not judgment.recount else frozenset()
        return replace(judgment, ignored=kept, numerator=before.numerator if before else None)
    judgment = replace(judgment, ignored=present.ignored)
    if present.note:
        judgment = replace(judgment, message=f"{judgment.message}; {present.note}")
    if present.lost:
        judgment = _attributed(judgment, present, present.lost, again)
    if present.unfamiliar:
        judgment = _named(judgment, present, present.unfamiliar, again)
    return judgment if sight is None else _seen(judgment, sight)


def _seen(judgment: Judgment, sight: Sight) -> Judgment:
    """A Pass only where a bad outcome could have been seen; what failed has been seen."""
    judgment = replace(judgment, numerator=sight.numerator)
    if sight.is_pending:
        return _awaiting(judgment)
    is_open = judgment.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE} and not _may_fail(judgment)
    if sight.numerator is Numerator.NEVER_SEEN and is_open:
        return replace(judgment, verdict=Verdict.NO_DATA, reason=Reason.NEVER_SEEN, message=sight.message)
    return replace(judgment, message=f"{judgment.message}; {sight.message}") if sight.message else judgment


def _awaiting(judgment: Judgment) -> Judgment:
    """The judgment while it is not known whether a bad outcome could be detected: no Pass."""
    if judgment.verdict is not Verdict.PASS:
        return judgment
    message = f"{judgment.message}; it is not yet known whether a bad outcome could be detected"
    return replace(judgment, verdict=Verdict.INCONCLUSIVE, reason=Reason.INCONCLUSIVE, message=message)


def _attributed(
    judgment: Judgment, reading: Reading, lost: Lost, again: Callable[[Reading], Judgment]
) -> Judgment:
    """An error where the outcomes without a release would change the verdict, whosever they are."""
    if judgment.verdict is Verdict.FAIL:
        changes = again(_with_lost(reading, lost, on_canary=False)).verdict is not Verdict.FAIL
        whose = "on stable it would not fail"
    else:
        changes = not _may_fail(judgment) and _may_fail(again(_with_lost(reading, lost, on_canary=True)))
        whose = "on the canary it would fail"
    if not changes:
        return judgment
    message = (
        f"{_amount(judgment, lost)} of this agent have no known release, and with all of them {whose}; "
        f"label every run with its release ({judgment.message})"
    )
    return replace(judgment, verdict=Verdict.ERROR, reason=Reason.UNATTRIBUTED, message=message)


def _named(
    judgment: Judgment, reading: Reading, strange: Unfamiliar, again: Callable[[Reading], Judgment]
) -> Judgment:
    """No Pass where the canary seems to count its bad outcomes under another name than stable."""
    if judgment.verdict not in {Verdict.PASS, Verdict.INCONCLUSIVE} or _may_fail(judgment):
        return judgment
    if not strange.is_known:  # unless an earlier segment had the result, or bad outcomes of the canary
        had_runs = any(tally.segment.canary_total for tally in judgment.finished)
        return judgment if had_runs else _awaiting(judgment)
    all_bad = Lost(min(strange.runs, reading.segment.canary_total), 0.0)
    if strange.runs and _may_fail(again(_with_lost(reading, all_bad, on_canary=True))):
        problem = (
            f"{count(strange.runs)} {judgment.gate.words.total} of the canary have a value of "
            f"{strange.label} that stable never had, and if they are bad outcomes the canary fails"
        )
    elif not strange.has_series and _is_many(judgment):
        problem = (
            f"the canary has no series of {judgment.gate.bad.metric}, though stable has, and by its rate the "
            "canary must have had some too"
        )
    else:
        return judgment
    message = f"{problem}; count them under the same name as before, or set mayBeAbsent: true"
    return replace(judgment, verdict=Verdict.NO_DATA, reason=Reason.NEVER_SEEN, message=message)


def _is_many(judgment: Judgment) -> bool:
    """Whether at stable's rate the canary would certainly have had a bad outcome, or more than nothing."""
    total, finding = judgment.total, judgment.finding
    if total.canary_bad or not total.stable_total:
        return False
    burst = finding.burst if finding else max(1.0, judgment.burst or 1.0)
    return total.canary_total * total.stable_bad / total.stable_total >= MANY * burst


def _may_fail(judgment: Judgment) -> bool:
    since = judgment.memory.since
    return judgment.verdict is Verdict.FAIL or since.failing is not None or since.beyond is not None


def _amount(judgment: Judgment, lost: Lost) -> str:
    words = judgment.gate.words
    if judgment.gate.traits.is_sum:
        return f"{words.amount(lost.bad)}{words.named}"
    return f"{count(lost.bad)} {words.bad}"


def _with_lost(reading: Reading, lost: Lost, *, on_canary: bool) -> Reading:
    """The counts with everything without a release on one side, for the last minutes and for the runs."""
    segment, recent = reading.segment, reading.recent
    runs = segment.canary_total + segment.stable_total
    if recent is not None and runs:
        part = min(1.0, (recent.segment.canary_total + recent.segment.stable_total) / runs)
        lately = Lost(lost.bad * part, lost.total * part)
        recent = Recent(_added(recent.segment, lately, on_canary=on_canary), recent.bound, recent.bounds)
    return replace(reading, segment=_added(segment, lost, on_canary=on_canary), recent=recent, lost=None)


def _added(segment: Segment, lost: Lost, *, on_canary: bool) -> Segment:
    canary, stable = (segment.canary_bad, segment.canary_total), (segment.stable_bad, segment.stable_total)
    more = (lost.bad, lost.total)
    sides = (_sum(canary, more), stable) if on_canary else (canary, _sum(stable, more))
    return Segment(*sides[0], *sides[1])


def _sum(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return a[0] + b[0], a[1] + b[1]
