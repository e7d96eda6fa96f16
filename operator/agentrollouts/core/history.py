"""What the history of a status says about a digest, and which past attempts a status keeps.

It keeps the newest ones, those without which no rollback target would be left, and the last that became
Healthy or was rolled back for harm.
"""

from collections.abc import Container, Iterable, Iterator
from typing import Final

from agentrollouts.api.attempt import AttemptKind, State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import LastRollback
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, ReleaseRecord

HEALTHY_KEPT: Final = 3
"""Healthy releases before stable that stay reachable, whatever `spec.historyLimit` is."""
MOST_ENTRIES: Final = 50
"""The bound of `status.history` in the CRD."""


def kept(
    history: tuple[HistoryEntry, ...],
    spec: AgentRolloutSpec,
    banned: Container[str],
    repaired: Container[int] = (),
) -> tuple[HistoryEntry, ...]:
    """The newest `spec.historyLimit` entries, and older ones that a later decision needs.

    Args:
        history: All entries, the newest first.
        spec: The plan.
        banned: Digests in quarantine.
        repaired: Attempts whose hooks still need to know what they repair.
    """
    needed = _reachable(history, 1 + max(HEALTHY_KEPT, spec.rollback.max_walk_back), banned)
    needed |= {entry.number for entry in (last_word(history),) if entry}
    needed |= {entry.number for entry in history if entry.number in repaired}
    needed |= _standbys(history, {each.release_ref.name for each in spec.standby})
    needed |= _drilled(history, {entry.digest for entry in history if entry.number in needed})
    others = [entry.number for entry in history[: spec.history_limit] if entry.number not in needed]
    chosen = needed | set(others[: MOST_ENTRIES - len(needed)])
    return tuple(entry for entry in history if entry.number in chosen)


def _reachable(history: tuple[HistoryEntry, ...], most: int, banned: Container[str]) -> set[int]:
    """Numbers of the newest healthy ends, one for each digest of which nothing else is known since."""
    status, numbers = AgentRolloutStatus().copy_with(history=history), dict[str, int]()
    for entry in history:
        is_able = entry.outcome is Outcome.HEALTHY and entry.digest not in banned
        if is_able and len(numbers) < most and was_healthy(entry.record, status):
            numbers.setdefault(entry.digest, entry.number)
    return set(numbers.values())


def _standbys(history: tuple[HistoryEntry, ...], names: Container[str]) -> set[int]:
    """Numbers of the newest end of each standby as a release, and of its newest drill: they may prove it."""
    numbers = {
        (entry.release, entry.kind is AttemptKind.DRILL): entry.number
        for entry in reversed(history)
        if entry.release in names and (entry.kind is not AttemptKind.DRILL or _is_drill_result(entry))
    }
    return set(numbers.values())


def _drilled(history: tuple[HistoryEntry, ...], digests: Container[str]) -> set[int]:
    """Numbers of the newest drills of these digests that showed something."""
    numbers = {entry.digest: entry.number for entry in reversed(history) if _is_drill_result(entry)}
    return {number for digest, number in numbers.items() if digest in digests}


def _is_drill_result(entry: HistoryEntry) -> bool:
    return entry.kind is AttemptKind.DRILL and entry.reason in {Reason.DRILL_PASSED, Reason.DRILL_FAILED}


def has_failed_drill(digest: str, status: AgentRolloutStatus) -> bool:
    """Whether the newest drill of this digest that showed anything has failed."""
    return _drill_result(digest, status) == Reason.DRILL_FAILED


def has_passed_drill(digest: str, status: AgentRolloutStatus) -> bool:
    """Whether the newest drill of this digest that showed anything has passed."""
    return _drill_result(digest, status) == Reason.DRILL_PASSED


def _drill_result(digest: str, status: AgentRolloutStatus) -> str | None:
    entries = (entry for entry in status.history if entry.digest == digest and _is_drill_result(entry))
    return next((entry.reason for entry in entries), None)


def is_drill(status: AgentRolloutStatus) -> bool:
    """Whether the attempt in progress, or the last one, is a drill."""
    return status.attempt is not None and status.attempt.kind is AttemptKind.DRILL


def rollback_of(status: AgentRolloutStatus) -> LastRollback | None:
    """The rollback of the attempt in progress, or of the last one; a drill has one of its own."""
    if is_drill(status):
        return status.last_drill.rollback if status.last_drill else None
    return status.last_rollback


def is_just_back(status: AgentRolloutStatus) -> bool:
    """Whether stable is where the last attempt was rolled back to, and nothing was shipped since."""
    attempt, rollback, stable = status.attempt, status.last_rollback, status.stable
    is_last = attempt is not None and attempt.state is State.ROLLED_BACK and not is_drill(status)
    return is_last and rollback is not None and stable is not None and rollback.to == stable.release


def with_rollback(status: AgentRolloutStatus, rollback: LastRollback) -> AgentRolloutStatus:
    """The status with that rollback of the attempt."""
    if is_drill(status) and status.last_drill:
        return status.copy_with(last_drill=status.last_drill.copy_with(rollback=rollback))
    return status.copy_with(last_rollback=rollback)


def is_about_rest(number: int, status: AgentRolloutStatus) -> bool:
    """Whether an attempt is the last one, or only drills came after it: what serves did not change since."""
    drills = {entry.number for entry in status.history if entry.kind is AttemptKind.DRILL}
    last = status.attempt.number if status.attempt else 0
    if not last - MOST_ENTRIES <= number <= last:
        return False
    later = set(range(number + 1, last + 1)) - ({last} if is_drill(status) else set())
    return later <= drills


SAYS_NOTHING: Final = frozenset(
    {
        Reason.SPEC_REVERTED,
        Reason.SUPERSEDED,
        Reason.SWITCHED_OFF,
        Reason.TIMED_OUT,
        Reason.SHARED_CAUSE,
        Reason.TERMINATING,
    }
)
"""Reasons of an end that say nothing about the release itself."""


DRILLS: Final = frozenset({Reason.DRILL_PASSED, Reason.DRILL_FAILED, Reason.DRILL_SKIPPED})
"""Reasons of the end of a drill."""
SPARES: Final = SAYS_NOTHING - {Reason.TIMED_OUT} | DRILLS
"""Reasons of an end after which the next attempt needs no more care than before."""


def last_word(history: Iterable[HistoryEntry]) -> HistoryEntry | None:
    """The newest attempt that became Healthy, or that was rolled back for harm; None if there is none."""
    ends = (Outcome.HEALTHY, Outcome.ROLLED_BACK)
    return next((e for e in history if e.outcome in ends and e.reason not in SPARES), None)


def newest_word(digest: str, status: AgentRolloutStatus) -> Outcome | None:
    """The last that the history knows of this digest by itself; None if it knows nothing of it."""
    outcomes = (
        entry.outcome
        for entry in status.history
        if entry.digest == digest
        and entry.kind is not AttemptKind.DRILL
        and (entry.outcome is Outcome.HEALTHY or entry.reason not in SAYS_NOTHING)
    )
    return next(outcomes, None)


def was_healthy(record: ReleaseRecord, status: AgentRolloutStatus) -> bool:
    """Whether the last that the history knows of this digest by itself is that it was healthy."""
    return newest_word(record.digest, status) is Outcome.HEALTHY


def earlier_healthy(status: AgentRolloutStatus) -> Iterator[HistoryEntry]:
    """Each other digest than stable's that was healthy once, the newest first."""
    seen = {status.stable.digest} if status.stable else set()
    for entry in status.history:
        if entry.outcome is Outcome.HEALTHY and entry.digest not in seen:
            seen.add(entry.digest)
            yield entry


def is_trusted(entry: HistoryEntry, status: AgentRolloutStatus) -> bool:
    """Whether a release may serve again: the last known of it is good, and it is not in quarantine.

    One that was rolled back later is not trusted, though a person took it out of quarantine for another try.
    """
    is_banned = any(entry.digest == banned.digest for banned in status.quarantined)
    return not is_banned and was_healthy(entry.record, status)


def is_returning(record: ReleaseRecord | None, status: AgentRolloutStatus) -> bool:
    """Whether serving this release is a return to one that was healthy, which is how Git rolls back."""
    if is_drill(status) and status.canary is not None:
        return False
    return record is not None and status.stable is not None and was_healthy(record, status)
