"""Reads a stored record without trust: every field that the chain depends on, or what is wrong with it.

It can come from someone who tampered with it. Nothing here raises, and its text is made fit for a terminal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from agentrollouts.api.model.text import writable
from agentrollouts.core.record.chain import HASH, PREVIOUS, hash_of

KIND: Final = "AgentRolloutRecord"
SEQUENCE: Final = "sequence"

UNHASHABLE: Final = (ValueError, TypeError, AttributeError, RecursionError)
"""What the hash of a value raises that RFC 8785 cannot express."""

_TEXTS: Final = ("rollout", "rolloutUid", "agent", "release", "digest", "previous")
_NUMBERS: Final = ("attempt", "part")
_LARGEST: Final = 2**31 - 1
_SHOWN: Final = 120
"""Characters of a text that a sentence repeats."""


class Break(NamedTuple):
    """A place at which something does not hold."""

    record: str
    """Name of the record, or where else it is."""
    entry: int | None
    """Number of the entry in that record; None if it is about all of it."""
    what: str
    """What does not hold, as a clause."""

    def __str__(self) -> str:
        entry = "" if self.entry is None else f", entry {self.entry}"
        return f"{self.record}{entry}: {self.what}"


class Place(NamedTuple):
    """Where an entry is in the records of a rollout; places compare in the order of the chain."""

    attempt: int
    part: int
    sequence: int = 1

    def __str__(self) -> str:
        return f"attempt {self.attempt}" + (f", part {self.part}" if self.part > 1 else "")


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record, whose fields have the types that the chain depends on."""

    name: str
    namespace: str
    spec: Mapping[str, Any]
    entries: tuple[Mapping[str, Any], ...]
    """Its entries by their numbers, which have no gap."""

    @property
    def place(self) -> Place:
        """Place of its first entry."""
        return Place(self.spec["attempt"], self.spec["part"])

    @property
    def placed(self) -> Iterator[tuple[Place, Mapping[str, Any]]]:
        """Its entries with their places."""
        attempt, part, _ = self.place
        return ((Place(attempt, part, entry[SEQUENCE]), entry) for entry in self.entries)


def read(value: object, number: int) -> StoredRecord | Break:
    """The record in a piece of JSON, or the first thing that is wrong with it.

    Args:
        value: Any JSON.
        number: Which record of the input it is, from 1, to name one without a name.
    """
    record = value if isinstance(value, dict) else {}
    metadata, spec = record.get("metadata"), record.get("spec")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = shown(metadata.get("name")) or f"record {number}"
    if record.get("kind") != KIND:
        return Break(name, None, f"is not an {KIND}")
    if not isinstance(spec, dict):
        return Break(name, None, "spec: must be an object")
    problem = next(_problems(spec), None)
    if problem:
        return Break(name, None, problem)
    entries = tuple(sorted(spec["entries"], key=lambda entry: entry[SEQUENCE]))
    for expected, entry in enumerate(entries, 1):
        if entry[SEQUENCE] != expected:
            found = f"entries are numbered from 1 without a gap, but after {expected - 1} comes"
            return Break(name, entry[SEQUENCE], f"{found} {entry[SEQUENCE]}")
    return StoredRecord(name, shown(metadata.get("namespace")), spec, entries)


def shown(value: object) -> str:
    """Text from outside, bounded and on one line; empty for anything else."""
    return writable(value, _SHOWN) if isinstance(value, str) else ""


def is_number(value: object) -> bool:
    """Whether it is a number of an attempt, a part or an entry; `true` is not a number."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST


def _problems(spec: Mapping[str, Any]) -> Iterator[str]:
    """The fields of `spec` that have the wrong type."""
    for name in _TEXTS:
        if not isinstance(spec.get(name), str):
            yield f"spec.{name}: must be text"
    for name in _NUMBERS:
        if not is_number(spec.get(name)):
            yield f"spec.{name}: must be a number, at least 1"
    for name in ("version", "outcome"):
        if name in spec and not isinstance(spec[name], str):
            yield f"spec.{name}: must be text"
    if "evidence" in spec and not isinstance(spec["evidence"], dict):
        yield "spec.evidence: must be an object"
    if not isinstance(spec.get("entries"), list) or not spec["entries"]:
        yield "spec.entries: must be a list of entries"
        return
    for index, entry in enumerate(spec["entries"]):
        yield from (f"spec.entries[{index}]{problem}" for problem in entry_problems(entry))


def entry_problems(entry: object) -> Iterator[str]:
    """The fields of an entry that have the wrong type, each with its path in the entry."""
    if not isinstance(entry, dict):
        yield ": must be an object"
        return
    if not is_number(entry.get(SEQUENCE)):
        yield f".{SEQUENCE}: must be a number, at least 1"
    for name in (PREVIOUS, HASH):
        if not isinstance(entry.get(name), str):
            yield f".{name}: must be text"


def hash_problem(entry: Mapping[str, Any]) -> str | None:
    """What is wrong with the hash of an entry; None if it fits the content."""
    try:
        expected = hash_of(entry)
    except UNHASHABLE:
        return "cannot be hashed: it is too deep, or has a number above 2^53 or a text that is not Unicode"
    return None if entry[HASH] == expected else "its hash does not fit its content; the entry was edited"
