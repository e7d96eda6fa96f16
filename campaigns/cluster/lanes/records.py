"""What no version of a status or record may show: A2 and A3 of the invariants of a campaign."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import rfc8785

from campaigns.cluster.lanes.recorder import Manifest

_ENDS: Final = frozenset({"Healthy", "RollingBack", "Verifying", "RolledBack", "Superseded"})


def unwritten(before: Manifest, status: Manifest) -> Iterator[str]:
    """A2: a weight changes, and an attempt ends, only with an entry; A3: the entries are a chain."""
    old, new = before.get("record") or {}, status.get("record") or {}
    changed = (_stand(before), _stand(status))
    if new.get("head", "") == old.get("head", "") and not _is_kept(*changed) and (old or new):
        yield f"A2: from {changed[0]} to {changed[1]} without an entry"
    entries = new.get("unwritten") or ()
    if entries:
        yield from _chain(entries, entries[0]["previous"])
        if entries[-1]["hash"] != new["head"]:
            yield "A3: the head is not the hash of the last entry"


def _is_kept(before: tuple[object, ...], after: tuple[object, ...]) -> bool:
    """Whether nothing changed; that the next attempt is pending changes nothing of one that is over."""
    return before == after or (not after and before[-1] in _ENDS)


def grown(before: Manifest | None, record: Manifest) -> Iterator[str]:
    """A3: a record is a chain, and nothing that was there is changed or gone."""
    spec = record["spec"]
    entries = sorted(spec["entries"], key=lambda entry: entry["sequence"])
    yield from _chain(entries, spec["previous"])
    former = sorted(before["spec"]["entries"], key=lambda entry: entry["sequence"]) if before else []
    if entries[: len(former)] != former:
        yield f"A3: entries of {record['metadata']['name']} were changed"


def _stand(status: Manifest) -> tuple[object, ...]:
    """The weight of a canary that was begun, and how its attempt ended."""
    attempt = status.get("attempt") or {}
    state = attempt.get("state")
    is_begun = state not in {None, "Pending"} and (status.get("canary") or state in _ENDS)
    if not is_begun:
        return ()
    return attempt.get("number"), attempt.get("weight"), state if state in _ENDS else ""


def _chain(entries: Sequence[dict[str, Any]], previous: str) -> Iterator[str]:
    for entry in entries:
        bare = {key: value for key, value in entry.items() if key != "hash"}
        if entry["previous"] != previous:
            yield f"A3: entry {entry['sequence']} does not follow the one before"
        if entry["hash"] != f"sha256:{hashlib.sha256(rfc8785.dumps(bare)).hexdigest()}":
            yield f"A3: entry {entry['sequence']} has another hash than its content"
        previous = entry["hash"]
