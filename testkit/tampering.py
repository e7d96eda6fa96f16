"""Nine kinds of tampering with records, each at random: what an attacker does who can write them.

Each takes valid records and returns others that are not what the operator wrote. Where it is possible, the
attacker also repairs what would show it: numbers, hashes, evidence and outcome.
"""

import copy
import random
from collections.abc import Callable, Mapping
from typing import Final

from agentrollouts.core.record.chain import HASH, PREVIOUS, hash_of, sealed
from testkit.records import Json, Records

Tampering = Callable[[list[Json], random.Random], list[Json]]
"""Changes records, which are a copy; returns those that are left."""


def tampered(records: Records, tampering: Tampering, draw: random.Random) -> Records:
    """The records after a tampering, in no particular order of entries."""
    return Records(tuple(tampering(copy.deepcopy([*records.objects]), draw)))


def edit(records: list[Json], draw: random.Random) -> list[Json]:
    """One value changes: of an entry, of the evidence, or of what else the record says."""
    spec = draw.choice(records)["spec"]
    _change(spec if draw.random() < 1 / 4 else draw.choice(spec["entries"]), draw)
    return records


def edit_and_rehash(records: list[Json], draw: random.Random) -> list[Json]:
    """One value of an entry changes, and the entry gets the hash of that."""
    entry = draw.choice(draw.choice(records)["spec"]["entries"])
    before = entry[HASH]
    while entry[HASH] == before:
        _change(entry, draw)
        entry[HASH] = hash_of(entry)
    return records


def delete(records: list[Json], draw: random.Random) -> list[Json]:
    """One entry is gone, and perhaps the others of its record are numbered again."""
    spec = draw.choice([each["spec"] for each in records if len(each["spec"]["entries"]) > 1])
    spec["entries"].pop(draw.randrange(len(spec["entries"])))
    _number(spec, draw)
    return records


def insert(records: list[Json], draw: random.Random) -> list[Json]:
    """An entry appears that never was, with a valid hash after the one before it."""
    spec = draw.choice(records)["spec"]
    entries = spec["entries"]
    place = draw.randint(0, len(entries))
    previous = entries[place - 1][HASH] if place else spec[PREVIOUS]
    made = {"time": entries[0]["time"], "event": "ApprovalCounted", "by": "lee@example.com", "proved": True}
    entries.insert(place, sealed({"sequence": place + 1, **made}, previous))
    for entry in entries[place + 1 :]:
        entry["sequence"] += 1
    return records


def swap(records: list[Json], draw: random.Random) -> list[Json]:
    """Two entries change places."""
    entries = [entry for each in records for entry in each["spec"]["entries"]]
    one, other = draw.sample(entries, 2)
    first, second = one["sequence"], other["sequence"]
    content = dict(one)
    for entry, source, sequence in ((one, dict(other), first), (other, content, second)):
        entry.clear()
        entry.update(source | {"sequence": sequence})
    return records


def truncate(records: list[Json], draw: random.Random) -> list[Json]:
    """The newest entries are gone, and with them the outcome and the evidence that they name."""
    keep = draw.randrange(1, sum(len(each["spec"]["entries"]) for each in records))
    return _cut(records, keep)


def drop(records: list[Json], draw: random.Random) -> list[Json]:
    """One record is gone."""
    records.pop(draw.randrange(len(records)))
    return records


def replay(records: list[Json], draw: random.Random) -> list[Json]:
    """Something old appears again: an entry, a record as another attempt, or all as it was earlier."""
    match draw.randrange(3):
        case 0:
            entry = copy.deepcopy(draw.choice(draw.choice(records)["spec"]["entries"]))
            entries = draw.choice(records)["spec"]["entries"]
            entries.append(entry | {"sequence": len(entries) + 1})
        case 1:
            again = copy.deepcopy(draw.choice(records))
            again["spec"] |= {"attempt": records[-1]["spec"]["attempt"] + 1, "part": 1}
            records.append(again)
        case _:
            records = _cut(records, draw.randrange(1, sum(len(each["spec"]["entries"]) for each in records)))
    return records


def forge(records: list[Json], draw: random.Random) -> list[Json]:
    """What an entry says changes, or what an attempt shipped, and all is chained again: valid to its end."""
    spec = draw.choice(records)["spec"]
    if draw.random() < 1 / 2:
        draw.choice(spec["entries"])["message"] = f"nothing happened, {draw.randrange(10**6)}"
    else:
        digest, attempt = f"sha256:{draw.getrandbits(256):064x}", spec["attempt"]
        for part in (each["spec"] for each in records if each["spec"]["attempt"] == attempt):
            part["digest"] = part["entries"][0]["identity"]["digest"] = digest
    chain_again(records)
    return records


TAMPERINGS: Final[Mapping[str, Tampering]] = {
    "edit": edit,
    "edit and rehash": edit_and_rehash,
    "delete": delete,
    "insert": insert,
    "swap": swap,
    "truncate": truncate,
    "drop a record": drop,
    "replay": replay,
    "forge everything": forge,
}
"""All kinds, by name."""


def chain_again(records: list[Json]) -> None:
    """Give every entry the hashes with which it looks valid."""
    previous = records[0]["spec"][PREVIOUS]
    for record in records:
        spec = record["spec"]
        spec[PREVIOUS] = previous
        for index, entry in enumerate(spec["entries"]):
            spec["entries"][index] = sealed(entry, previous)
            previous = spec["entries"][index][HASH]


def _cut(records: list[Json], keep: int) -> list[Json]:
    """The first entries and their records, as they were when there were no more."""
    left = []
    for record in records:
        spec = record["spec"]
        spec["entries"] = spec["entries"][:keep]
        keep -= len(spec["entries"])
        events = {entry["event"] for entry in spec["entries"]}
        if spec.get("outcome") not in events:
            spec.pop("outcome", None)
        if "EvidenceCaptured" not in events:
            spec.pop("evidence", None)
        if events:
            left.append(record)
    return left


def _number(spec: Json, draw: random.Random) -> None:
    """Close the gap in the numbers, half of the time."""
    if draw.random() < 1 / 2:
        for sequence, entry in enumerate(spec["entries"], 1):
            entry["sequence"] = sequence


def _change(value: Json, draw: random.Random) -> None:
    """Change or remove one value in an object, however deep, other than its entries and its hash."""
    names = [name for name in value if name not in {"entries", HASH}]
    name = draw.choice(names)
    old = value[name]
    if isinstance(old, dict) and old:
        _change(old, draw)
    elif isinstance(old, list) and old and isinstance(old[0], dict):
        _change(draw.choice(old), draw)
    elif draw.random() < 1 / 8:
        del value[name]
    else:
        value[name] = _other(old)


def _other(old: object) -> object:
    """A value of the same type that is not this one."""
    match old:
        case bool():
            return not old
        case int():
            return old + 1
        case str():
            return old[:-1] + ("1" if old[-1:] != "1" else "2")
        case list():
            return [*map(_other, old), "1"]
        case _:
            return "1"
