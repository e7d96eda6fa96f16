"""Which records belong together beyond one uid and one moment.

A rollout that was deleted and restored with its status has another uid, and the head of the chain that it
left, which its next record continues. And a record that was saved twice is there twice, once with fewer
entries. Neither is a break. Used by `verify`, and by all that reads records from a cluster or from files.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from agentrollouts.core.record.chain import HASH, PREVIOUS, hash_of
from agentrollouts.core.record.stored import UNHASHABLE, StoredRecord, read

Record = TypeVar("Record")

ENTRIES: Final = "entries"
_ADDED: Final = frozenset({"evidence", "outcome"})
"""Fields of a record that are set once, and later than the record is created."""


def uid_of(record: StoredRecord) -> str:
    """UID of the rollout that a record is of."""
    return str(record.spec["rolloutUid"])


def without_copies(records: Iterable[Record], spec_of: Callable[[Record], Mapping[str, Any]]) -> list[Record]:
    """The records without those that another one repeats or continues.

    Args:
        records: Those of one attempt and part beside each other, the ones with fewer entries first.
        spec_of: What a record says.
    """
    distinct: list[Record] = []
    for record in records:
        spec, before = spec_of(record), spec_of(distinct[-1]) if distinct else {}
        if is_copy(before, spec):
            distinct[-1] = record
        elif not is_copy(spec, before):
            distinct.append(record)
    return distinct


def is_copy(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a `spec` is the other one, or what that was before something was added to it.

    Args:
        one: What might be a copy. Neither has to be valid.
        other: What might have more entries, evidence or an outcome.
    """
    entries, later = one.get(ENTRIES), other.get(ENTRIES)
    if any(one.get(name) != other.get(name) for name in ("attempt", "part")):
        return False
    if not isinstance(entries, list) or not isinstance(later, list):
        return False
    was = {name: value for name, value in other.items() if name in one or name not in _ADDED}
    earlier = {**was, ENTRIES: _in_order(later)[: len(entries)]}
    try:
        return hash_of({"spec": {**one, ENTRIES: _in_order(entries)}}) == hash_of({"spec": earlier})
    except UNHASHABLE:
        return False


def _in_order(entries: list[Any]) -> list[Any]:
    """Entries by their numbers; as they are if they have none."""
    try:
        return sorted(entries, key=lambda entry: entry["sequence"])
    except (TypeError, KeyError):
        return entries


def predecessors(groups: Iterable[Sequence[StoredRecord]]) -> dict[str, str]:
    """The uid whose records another uid continues, by that other uid.

    Args:
        groups: The records of each uid, in order.
    """
    known = {entry[HASH]: uid_of(record) for group in groups for record in group for entry in record.entries}
    begins = {uid_of(group[0]): group[0].spec[PREVIOUS] for group in groups}
    return {uid: known[previous] for uid, previous in begins.items() if known.get(previous, uid) != uid}


def depth(uid: str, before: Mapping[str, str]) -> int:
    """How many uids a rollout had before this one, by `predecessors`."""
    found = 0
    while uid in before and found < len(before):
        uid, found = before[uid], found + 1
    return found


def of_lineage(records: Sequence[Any], uid: object, hashes: Iterable[object]) -> list[Any]:
    """The records of a rollout, and those of its earlier uids that lead to it.

    Args:
        records: All records of that name, as they are stored.
        uid: The uid that it has now.
        hashes: Hashes that its status names: of the newest entry, and of those before entries that wait.
    """
    found = [
        each
        for number, value in enumerate(records, 1)
        if isinstance(each := read(value, number), StoredRecord)
    ]
    uids, wanted = [uid], {each for each in hashes if isinstance(each, str) and each}
    while True:
        wanted |= {each.spec[PREVIOUS] for each in found if uid_of(each) in uids}
        more = {
            uid_of(each) for each in found if any(entry[HASH] in wanted for entry in each.entries)
        }.difference(uids)
        if not more:
            return [record for record in records if uid_in(record) in uids]
        uids += more


def uid_in(record: object) -> object:
    """The same of a record as it is stored, which can be anything; None if it names none."""
    spec = record.get("spec") if isinstance(record, Mapping) else None
    return spec.get("rolloutUid") if isinstance(spec, Mapping) else None
