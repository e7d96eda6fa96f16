"""A record in a status that the API server refuses for a text: the same entries without it, sealed again."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from agentrollouts.core.record.chain import HASH, PREVIOUS, sealed

_TEXTS: Final = frozenset({"message", "reason", "query", "plan", "links"})
"""Fields of an entry, and of a gate in it, that hold what people or other programs wrote."""


def with_silent_record(statuses: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The statuses, and then the last one with entries that hold no text.

    An entry that its record has already is then another one, and the record continues in another part.
    """
    last: Mapping[str, Any] = {}
    for status in statuses:
        yield status
        last = status
    record = last.get("record") or {}
    entries = record.get("unwritten") or ()
    if not entries:
        return
    silent, previous = [], str(entries[0][PREVIOUS])
    for entry in entries:
        silent.append(sealed(_silent(entry), previous))
        previous = silent[-1][HASH]
    yield {**last, "record": {**record, "unwritten": silent, "head": previous}}


def _silent(entry: Mapping[str, Any]) -> dict[str, Any]:
    bare = {key: value for key, value in entry.items() if key not in _TEXTS}
    if "gates" in bare:
        bare["gates"] = [
            {key: value for key, value in gate.items() if key not in _TEXTS} for gate in bare["gates"]
        ]
    return bare
