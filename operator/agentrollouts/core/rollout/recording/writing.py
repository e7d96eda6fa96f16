"""The record in a status: new entries get their place in the chain, and those that are written leave it.

An entry, its effect and the ledger are one write of the status. After a crash, the entries that might not be
written yet are still there.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.record.entry import RecordEvent, RecordIdentity
from agentrollouts.api.record.progress import MAX_ENTRIES, EvidenceState, RecordPart, RecordStatus
from agentrollouts.api.record.record import record_name
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.record.backlog import size_of
from agentrollouts.core.record.chain import HASH, sealed
from agentrollouts.core.rollout.desired import Desired
from agentrollouts.core.rollout.recording.draft import Draft, fitted
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_under_way

PART_BYTES: Final = 128 * 1024
"""Bytes of entries after which a record continues in another part: an append takes time by the size."""
CROWDED: Final = 32
"""Entries that are not written, beside which only those are made that report traffic or an end."""
ALWAYS: Final = frozenset(
    {
        RecordEvent.ATTEMPT_STARTED,
        RecordEvent.PHASE_STARTED,
        RecordEvent.ROSE,
        RecordEvent.BAKE_STARTED,
        RecordEvent.HEALTHY,
        RecordEvent.ROLLBACK_STARTED,
        RecordEvent.ROUTED,
        RecordEvent.ROLLED_BACK,
        RecordEvent.SUPERSEDED,
        RecordEvent.DETOUR_STARTED,
        RecordEvent.DETOUR_ENDED,
    }
)
RESUMED_HERE: Final = "The record begins here: the attempt began at {start} under an operator without records"


EVENT_OF_STATE: Final = {
    State.PENDING: RecordEvent.SUPERSEDED,
    State.INITIAL: RecordEvent.ATTEMPT_STARTED,
    State.CANARY: RecordEvent.PHASE_STARTED,
    State.AWAITING_APPROVAL: RecordEvent.HELD,
    State.HELD: RecordEvent.HELD,
    State.BAKING: RecordEvent.BAKE_STARTED,
    State.HEALTHY: RecordEvent.HEALTHY,
    State.ROLLING_BACK: RecordEvent.ROLLBACK_STARTED,
    State.VERIFYING: RecordEvent.ROUTED,
    State.ROLLED_BACK: RecordEvent.ROLLED_BACK,
    State.SUPERSEDED: RecordEvent.SUPERSEDED,
}
"""What an entry without details reports."""
NO_DETAILS: Final = "This entry has no details, because they could not be put into words ({error})"


def recorded(s: Situation, drafts: Iterable[Draft], after: AgentRolloutStatus) -> RecordStatus | None:
    """The record with new entries; the same value if there are none.

    Whatever is wrong with an entry, the decision stands: no rollback depends on its record.

    Args:
        s: What was decided on.
        drafts: What the decision tells.
        after: The next status.
    """
    try:
        return _recorded(s, drafts, after)
    except Exception as error:  # noqa: BLE001 a bug in here must not stop a rollback
        return _recorded(s, _without_details(s, after, type(error).__name__), after)


def _without_details(s: Situation, after: AgentRolloutStatus, error: str) -> Iterator[Draft]:
    if attempt := after.attempt:
        message = NO_DETAILS.format(error=error)
        event, state = EVENT_OF_STATE[attempt.state], attempt.state.value
        yield Draft.of(event, s.now, state=state, weight=attempt.weight, message=message)


def _recorded(s: Situation, drafts: Iterable[Draft], after: AgentRolloutStatus) -> RecordStatus | None:
    record = s.obs.status.record
    for draft in drafts:
        if record and len(record.unwritten) >= CROWDED and draft.event not in ALWAYS:
            continue
        attempt = after.attempt
        if attempt is None:
            continue
        if record is None or record.attempt < attempt.number:
            begun = _begun(s, record, after, attempt)
            is_known = draft.event is RecordEvent.ATTEMPT_STARTED or not _is_in_progress(s, attempt)
            record = begun if is_known else _with(s, begun, _what_is_known(s))
        if record.name == s.obs.record.lost:
            record = _next_part(record)
        record = _with(s, record, draft)
        if draft.event is RecordEvent.ROLLBACK_STARTED and s.analysis.gates:
            record = record.copy_with(evidence=EvidenceState.PENDING)
    return record


def may_be_cleared(status: AgentRolloutStatus) -> bool:
    """Whether entries that are written leave the status by a write of their own: no other follows at rest."""
    return not is_under_way(status)


def _is_in_progress(s: Situation, attempt: Attempt) -> bool:
    before = s.obs.status.attempt
    return before is not None and before.number == attempt.number and is_under_way(s.obs.status)


def _what_is_known(s: Situation) -> Draft:
    """The first entry of an attempt that an earlier version of the operator began."""
    attempt = s.attempt
    message = RESUMED_HERE.format(start=f"{attempt.start_time:%Y-%m-%d %H:%M:%S} UTC")
    return Draft.of(
        RecordEvent.ATTEMPT_STARTED,
        s.now,
        state=attempt.state.value,
        phase=attempt.phase_name,
        weight=attempt.weight,
        message=message,
        plan_hash=attempt.plan_hash or None,
    )


def _begun(
    s: Situation, before: RecordStatus | None, after: AgentRolloutStatus, attempt: Attempt
) -> RecordStatus:
    """The record of another attempt."""
    release, version = _release(s, after, attempt)
    previous = before.head if before else ""
    return RecordStatus(
        name=_name(s, attempt.number, 1),
        attempt=attempt.number,
        release=release,
        version=version,
        digest=attempt.digest,
        previous=previous,
        head=previous,
        unwritten=before.unwritten if before else (),
        earlier=_earlier(before),
    )


def _with(s: Situation, record: RecordStatus, draft: Draft) -> RecordStatus:
    """The record with one more entry, in another part if this one is full."""
    content = draft.content()
    content = fitted(content, size_of(content))
    if record.sequence >= MAX_ENTRIES or (record.sequence and record.bytes_ >= PART_BYTES):
        record = _next_part(record)
    if not record.sequence:
        content |= {"identity": _identity(s, record)}
    entry = sealed({"sequence": record.sequence + 1, **content}, record.head)
    is_refusal = draft.event is RecordEvent.ACTION_REFUSED
    return record.copy_with(
        sequence=record.sequence + 1,
        head=entry[HASH],
        bytes_=record.bytes_ + size_of(entry),
        refusals=record.refusals + is_refusal,
        evidence=_evidence(record, draft),
        unwritten=(*record.unwritten, entry),
    )


def _identity(s: Situation, record: RecordPart) -> dict[str, Any]:
    """What the first entry of a record says that it is about."""
    metadata = s.obs.rollout.metadata
    identity = RecordIdentity(
        rollout=metadata.name,
        rollout_uid=metadata.uid,
        agent=s.spec.agent,
        attempt=record.attempt,
        part=record.part,
        release=record.release,
        version=record.version,
        digest=record.digest,
    )
    return identity.to_json()


def _next_part(record: RecordStatus) -> RecordStatus:
    """The record continues in another object."""
    first = record.name.removesuffix(f"-{record.part}") if record.part > 1 else record.name
    return record.copy_with(
        name=f"{first}-{record.part + 1}",
        part=record.part + 1,
        previous=record.head,
        sequence=0,
        bytes_=0,
        earlier=_earlier(record),
    )


def _evidence(record: RecordStatus, draft: Draft) -> EvidenceState | None:
    if draft.event is not RecordEvent.EVIDENCE_CAPTURED:
        return record.evidence
    return EvidenceState.CAPTURED if draft.evidence else EvidenceState.UNAVAILABLE


def _earlier(record: RecordStatus | None) -> tuple[RecordPart, ...]:
    """The records that unwritten entries belong to, once another one follows."""
    if record is None or not record.unwritten:
        return ()
    part = RecordPart(
        name=record.name,
        attempt=record.attempt,
        part=record.part,
        release=record.release,
        version=record.version,
        digest=record.digest,
        previous=record.previous,
        sequence=record.sequence,
    )
    return (*record.earlier, part)


def _name(s: Situation, number: int, part: int) -> str:
    metadata = s.obs.rollout.metadata
    return record_name(metadata.name, metadata.uid, number, part)


def _release(s: Situation, after: AgentRolloutStatus, attempt: Attempt) -> tuple[str, str | None]:
    """Name and version of the release that the attempt is about."""
    desired = s.desired.record if isinstance(s.desired, Desired) else None
    known: list[ReleaseRecord | None] = [after.canary, s.status.canary, desired, after.stable]
    known += [entry.record for entry in after.history]
    found = next((each for each in known if each and each.digest == attempt.digest), None)
    return (found.release, found.version) if found else (s.spec.release_ref.name, None)
