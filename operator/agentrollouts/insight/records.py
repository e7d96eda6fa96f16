"""Records as they are stored, read into one value for each attempt.

A report must be possible of a damaged record too, so nothing here fails: `verify` says what does not hold,
what cannot be read is named beside it, and the rest is used.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from agentrollouts.api.model.base import ApiModel, Time
from agentrollouts.api.record.course import Look
from agentrollouts.api.record.entry import RecordEntry, RecordEvent
from agentrollouts.core.record.chain import HASH, PREVIOUS
from agentrollouts.core.record.lineage import without_copies
from agentrollouts.core.record.verify import Known, verify

Json = Mapping[str, Any]


class _Series(ApiModel):
    gate: str
    source: str
    release: str
    values: tuple[str, ...]


class _Evidence(ApiModel):
    start_time: Time
    step_seconds: int
    series: tuple[_Series, ...]


@dataclass(frozen=True, slots=True)
class Increase:
    """How much one count grew in each step of time before a rollback."""

    gate: str
    source: str
    release: str
    values: tuple[tuple[datetime, float], ...]
    """The end of a step, and the increase in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt: all parts of its record, in order."""

    namespace: str
    rollout: str
    uid: str
    number: int
    release: str
    digest: str
    entries: tuple[RecordEntry, ...]
    course: tuple[Look, ...] = ()
    """Evidence of all gates over time, from the entry that ends the attempt; until then from the status."""
    evidence: tuple[Increase, ...] = ()
    gaps: tuple[str, ...] = ()
    """What does not hold of the records of the rollout, and what cannot be read of this attempt."""
    status_of: str = ""
    """UID of the AgentRollout whose status is about these records; empty if there is none. It is another one
    than `uid` after a rollout was restored with its status."""

    def first(self, *events: RecordEvent) -> RecordEntry | None:
        """The first entry of one of these events."""
        return next((entry for entry in self.entries if entry.event in events), None)

    def last(self, *events: RecordEvent) -> RecordEntry | None:
        """The last entry of one of these events."""
        return next((entry for entry in reversed(self.entries) if entry.event in events), None)

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Which attempt it is."""
        return self.namespace, self.rollout, self.uid, self.number


def attempts(records: Iterable[Json], rollouts: Iterable[Json] = ()) -> tuple[AttemptRecord, ...]:
    """The attempts that the records are about, by rollout and number.

    Args:
        records: AgentRolloutRecords, in any order.
        rollouts: AgentRollouts, whose status has the newest entries and the head of the chain.
    """
    given = tuple(rollouts)
    standing = {str(_metadata(rollout).get("uid")): _object(rollout.get("status")) for rollout in given}
    named = dict(filter(None, map(_record_named, given)))
    ordered = sorted(records, key=_order)
    found: list[AttemptRecord] = []
    for (namespace, rollout, uid), of_rollout in groupby(ordered, key=lambda record: _key(record)[:3]):
        kept = list(of_rollout)
        names = ((namespace, str(_metadata(record).get("name"))) for record in kept)
        owner = uid if uid in standing else next((named[each] for each in names if each in named), "")
        status = standing.get(owner, {})
        problems = _problems(kept, _object(status.get("record")), is_restored=owner != uid)
        for number, of_attempt in groupby(kept, key=lambda record: _key(record)[3]):
            key = (namespace, rollout, uid, number)
            attempt = _attempt(key, without_copies(of_attempt, _spec), status, problems)
            found.append(replace(attempt, status_of=owner))
    return tuple(found)


def _order(record: Json) -> tuple[str, str, str, int, int, int]:
    return (*_key(record), _number(record, "part"), len(_entries(record)))


def _record_named(rollout: Json) -> tuple[tuple[str, str], str] | None:
    """Namespace and name of the record that a status continues, and the uid of its rollout."""
    name, metadata = _object(_object(rollout.get("status")).get("record")).get("name"), _metadata(rollout)
    place = str(metadata.get("namespace") or ""), str(name)
    return (place, str(metadata.get("uid"))) if name else None


def _problems(records: Sequence[Json], status: Json, *, is_restored: bool) -> tuple[str, ...]:
    """What does not hold of the records of one rollout; `status` is what its status says about them.

    A status that was restored can be older than the records: then they have its head, and more.
    """
    verification = verify(records, Known(pending=_unwritten(status)))
    broken = (f"{verification.broken}.",) if verification.broken else ()
    head, ends = status.get("head"), [chain.head for chain in verification.chains]
    if is_restored:
        ends += [str(entry.get(HASH)) for entry in _chain(records, {})]
    if not head or head in ends:
        return broken
    return (*broken, "The newest entries are missing: the rollout names another head than the record has.")


def _unwritten(status: Json) -> list[Any]:
    entries = status.get("unwritten")
    return entries if isinstance(entries, list) else []


def _chain(stored: Sequence[Json], status: Json) -> list[Json]:
    """The entries of an attempt: those in its record, and those that follow in the status."""
    chain: list[Json] = []
    for record in stored:
        chain += [each for each in _entries(record) if isinstance(each, Mapping)]
    for entry in _unwritten(status):
        if isinstance(entry, Mapping) and chain and entry.get(PREVIOUS) == chain[-1].get(HASH):
            chain.append(entry)
    return chain


def _attempt(
    key: tuple[str, str, str, int], stored: Sequence[Json], status: Json, problems: Sequence[str]
) -> AttemptRecord:
    spec, newest = _spec(stored[0]), _object(status.get("record"))
    is_newest = newest.get("attempt") == key[3]
    entries: list[RecordEntry] = []
    unreadable: list[str] = []
    for entry in _chain(stored, newest if is_newest else {}):
        try:
            entries.append(RecordEntry.model_validate(entry))
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            unreadable.append(
                f"An entry cannot be read, because of its field {place}: "
                f"sequence {entry.get('sequence')}, event {entry.get('event')}, time {entry.get('time')}."
            )
    return AttemptRecord(
        namespace=key[0],
        rollout=key[1],
        uid=key[2],
        number=key[3],
        release=str(spec.get("release", "")),
        digest=str(spec.get("digest", "")),
        entries=tuple(entries),
        course=next((e.course for e in reversed(entries) if e.course), _course(status) if is_newest else ()),
        evidence=next((found for record in stored if (found := _evidence(_spec(record)))), ()),
        gaps=(*problems, *unreadable),
    )


def _evidence(spec: Json) -> tuple[Increase, ...]:
    try:
        evidence = _Evidence.model_validate(spec.get("evidence"))
        return tuple(
            Increase(series.gate, series.source, series.release, tuple(_values(evidence, series.values)))
            for series in evidence.series
        )
    except (ValidationError, ValueError, OverflowError):
        return ()


def _values(evidence: _Evidence, values: Iterable[str]) -> Iterator[tuple[datetime, float]]:
    for index, value in enumerate(values):
        if value:  # Prometheus had none where it is empty
            yield evidence.start_time + timedelta(seconds=index * evidence.step_seconds), float(value)


def _course(status: Json) -> tuple[Look, ...]:
    looks = status.get("course")
    try:
        return tuple(map(Look.model_validate, looks if isinstance(looks, list) else ()))
    except ValidationError:
        return ()


def _object(value: object) -> Json:
    """An object of JSON; an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def _spec(manifest: Json) -> Json:
    return _object(manifest.get("spec"))


def _entries(record: Json) -> list[Any]:
    entries = _spec(record).get("entries")
    return entries if isinstance(entries, list) else []


def _metadata(manifest: Json) -> Json:
    return _object(manifest.get("metadata"))


def _key(record: Json) -> tuple[str, str, str, int]:
    spec, namespace = _spec(record), _metadata(record).get("namespace")
    return (
        str(namespace or ""),
        str(spec.get("rollout")),
        str(spec.get("rolloutUid")),
        _number(record, "attempt"),
    )


def _number(record: Json, field: str) -> int:
    value = _spec(record).get(field)
    return value if isinstance(value, int) else 1
