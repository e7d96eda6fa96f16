"""Whether records hold: that no entry was edited, removed, added or moved since it was written.

Everything is checked that can be checked without trust in the records: the hashes, their order over entries,
parts and attempts, and that identity, evidence and outcome are those that the entries name. Without a hash
from elsewhere, a chain that was rewritten to its end, or whose newest entries are gone, looks valid.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from agentrollouts.core.record.attempts import attempt_breaks, early_evidence
from agentrollouts.core.record.chain import HASH, IDENTITY, PREVIOUS, identity_of
from agentrollouts.core.record.exported import Line
from agentrollouts.core.record.lineage import depth, predecessors, uid_of, without_copies
from agentrollouts.core.record.stored import (
    Break,
    Place,
    StoredRecord,
    entry_problems,
    hash_problem,
    read,
    shown,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known besides the records, from a place that their writer does not control."""

    heads: tuple[str, ...] = ()
    """Hashes of entries that were once the newest."""
    latest: str | None = None
    """Hash of the newest entry, which no other can follow."""
    uid: str | None = None
    """UID of the rollout that names it. A rollout that was restored names a head of an earlier uid, whose
    records can have more entries. None if it is not known."""
    lines: Sequence[Line] = ()
    """Exported lines, also those of other rollouts."""
    pending: Sequence[object] = ()
    """Entries that are in the status and perhaps not in a record yet, in order."""
    since: int | None = None
    """Attempt that the records must reach back to; None if it does not matter."""


NOTHING = Known()
ABSENT: Final = (
    "is not in the records: they were rewritten, the newest entries are missing, or it is of another rollout"
)


@dataclass(frozen=True, slots=True)
class Chain:
    """The records of one rollout that were given, and what holds of them."""

    namespace: str
    rollout: str
    uid: str
    records: int
    entries: int
    first: Place
    """Where the chain begins: it holds from there on, unless it is broken."""
    last: Place
    is_whole: bool
    """Whether that is the first entry of the rollout. Otherwise the records before are gone, or of the uid
    that it continues."""
    continues: str
    """Earlier uid whose records it continues: the rollout was restored with its status. Empty without one."""
    continued_by: str
    """Later uid whose records continue it. Empty without one."""
    head: str
    """Hash of the newest entry."""
    unmatched: int
    """Newest entries that neither a head nor a line covers, so that they can have been rewritten."""
    uncovered: tuple[str, ...]
    """Records whose evidence no entry names yet, so that it can have been edited."""
    broken: Break | None
    """The first place that does not hold."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What holds of some records."""

    chains: tuple[Chain, ...]
    """One for each uid: a rollout that was recreated begins a new one."""
    broken: Break | None
    """The first place of all that does not hold."""

    @property
    def is_covered(self) -> bool:
        """Whether a head or a line covers everything."""
        return all(chain.unmatched == 0 and not chain.uncovered for chain in self.chains)


def verify(records: Iterable[object], known: Known = NOTHING) -> Verification:
    """What holds of these records.

    Args:
        records: AgentRolloutRecords as they are stored, in any order, of any number of rollouts. Anything
            else is a break.
        known: What is known besides them.
    """
    found = [read(value, number) for number, value in enumerate(records, 1)]
    stored = sorted((each for each in found if isinstance(each, StoredRecord)), key=_order)
    groups = [without_copies(group, lambda record: record.spec) for _, group in groupby(stored, key=uid_of)]
    before = predecessors(groups)
    groups.sort(key=lambda group: depth(uid_of(group[0]), before))
    begins = frozenset(group[0].spec[PREVIOUS] for group in groups)
    chains = tuple(_chain(group, known, before, begins) for group in groups)
    breaks = [
        *(each for each in found if isinstance(each, Break)),
        *(chain.broken for chain in chains if chain.broken),
        *_head_breaks(stored, known),
    ]
    return Verification(chains, breaks[0] if breaks else None)


def _order(record: StoredRecord) -> tuple[str, Place, int]:
    return uid_of(record), record.place, len(record.entries)


def _chain(
    records: Sequence[StoredRecord], known: Known, before: Mapping[str, str], begins: frozenset[str]
) -> Chain:
    """What holds of the records of one uid, which are in order.

    Args:
        records: The records.
        known: What is known besides them.
        before: The uid that each uid continues.
        begins: What the first record of each uid follows: a head as good as that of the later uid.
    """
    first, last = records[0], records[-1]
    uid, continues = uid_of(first), before.get(uid_of(first), "")
    lines = [line for line in known.lines if line.uid == uid]
    places = {entry[HASH]: place for record in records for place, entry in record.placed}
    trail = [entry[HASH] for record in records for entry in record.entries]
    trail += _following(known.pending, trail[-1])
    trusted = {*known.heads, known.latest, *(line.hash for line in known.lines), *begins}
    breaks = (
        *_link_breaks(records),
        *_naming_breaks(records),
        *attempt_breaks(records),
        *_line_breaks(lines, first.place, places, frozenset(trail)),
        *_end_breaks(records, trail, known, is_first=not continues),
    )
    return Chain(
        namespace=first.namespace,
        rollout=shown(first.spec["rollout"]),
        uid=shown(uid),
        records=len(records),
        entries=sum(len(record.entries) for record in records),
        first=first.place,
        last=last.place,
        is_whole=first.spec[PREVIOUS] == "",
        continues=shown(continues),
        continued_by=shown(next((later for later, earlier in before.items() if earlier == uid), "")),
        head=shown(trail[-1]),
        unmatched=next((index for index, each in enumerate(reversed(trail)) if each in trusted), len(trail)),
        uncovered=tuple(early_evidence(records)),
        broken=breaks[0] if breaks else None,
    )


def _link_breaks(records: Sequence[StoredRecord]) -> Iterator[Break]:
    """The entries that were edited or do not follow the one before them, in order."""
    expected, before = records[0].spec[PREVIOUS], None
    for record in records:
        if before is not None and record.place == before.place:
            yield Break(record.name, None, f"is there twice, with different content: {record.place}")
        if record.spec[PREVIOUS] != expected:
            gap = f"spec.{PREVIOUS}: is not the hash of the entry before it; entries or records are missing"
            yield Break(record.name, None, gap)
        for number, entry in enumerate(record.entries, 1):
            if problem := hash_problem(entry):
                yield Break(record.name, number, problem)
            if entry[PREVIOUS] != expected:
                moved = f"{PREVIOUS}: is not the hash of the entry before it; an entry was added or removed"
                yield Break(record.name, number, moved)
            expected = entry[HASH]
        before = record


def _naming_breaks(records: Sequence[StoredRecord]) -> Iterator[Break]:
    """The records that are about something else than their entries, or than the others of the rollout."""
    for record in records:
        if (record.spec["rollout"], record.namespace) != (records[0].spec["rollout"], records[0].namespace):
            yield Break(record.name, None, "has the rolloutUid of another rollout")
        stated, stored = record.entries[0].get(IDENTITY), identity_of(record.spec)
        if not isinstance(stated, dict):
            yield Break(
                record.name, 1, f"{IDENTITY}: must be what the record is about, or no hash covers that"
            )
        elif stated != stored:
            names = [name for name in {**stored, **stated} if stored.get(name) != stated.get(name)]
            yield Break(record.name, None, f"spec.{shown(names[0])}: is not what entry 1 says; it was edited")


def _line_breaks(
    lines: Sequence[Line], first: Place, places: Mapping[str, Place], trail: frozenset[str]
) -> Iterator[Break]:
    """The lines whose entry the records have not, or have elsewhere; those from before the first are old."""
    # one cluster can be a copy of the other, uids included
    is_mixed = len({line.cluster for line in lines}) > 1
    for line in lines:
        place = places.get(line.hash)
        entry = f"entry {line.place.sequence} of {line.place}"
        if place is None and line.hash not in trail and line.place >= first:
            lost = "is not in the records: a record was rewritten, cut off or dropped"
            lost += f", or is of cluster {line.cluster} alone" if is_mixed else ""
            yield Break(line.name, None, f"{entry} {lost}")
        if place is not None and place != line.place:
            yield Break(
                line.name, None, f"names {entry}, and the records have it as {place.sequence} of {place}"
            )


def _end_breaks(
    records: Sequence[StoredRecord], trail: Sequence[str], known: Known, *, is_first: bool
) -> Iterator[Break]:
    """A chain that begins too late, or continues behind the newest entry."""
    first, last = records[0], records[-1]
    if known.since is not None and is_first and first.place > Place(known.since, 1):
        yield Break(first.name, None, f"begins with {first.place}; the records before it are missing")
    if known.latest in trail[:-1] and known.uid in {None, uid_of(first)}:
        count = len(trail) - 1 - trail.index(known.latest)
        yield Break(
            last.name, None, f"{count} {'entry follows' if count == 1 else 'entries follow'} the head"
        )


def _head_breaks(records: Sequence[StoredRecord], known: Known) -> Iterator[Break]:
    """A head that is not in the records and does not follow from them."""
    hashes = {entry[HASH] for record in records for entry in record.entries}
    ends = [record.entries[-1][HASH] for record in records] or [""]
    hashes |= {following for end in ends for following in _following(known.pending, end)}
    for head in (*known.heads, *filter(None, (known.latest,))):
        if head not in hashes:
            yield Break(f"head {shown(head)}", None, ABSENT)


def _following(pending: Iterable[object], end: str) -> list[str]:
    """The hashes of those entries that continue the chain."""
    following: list[str] = []
    for entry in pending:
        if not isinstance(entry, dict) or any(entry_problems(entry)):
            continue
        if entry[PREVIOUS] == end and hash_problem(entry) is None:
            end = entry[HASH]
            following.append(end)
    return following
