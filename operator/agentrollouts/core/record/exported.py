"""Reads exported lines: the copies of entries that a log store keeps, one CloudEvents object per line.

A log can hold anything else between them, also lines of other rollouts, and before each line what a tool puts
there: a time, or the name of a pod. A line proves what it contains: its `id` is the hash of its entry.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import Any, Final

from agentrollouts.core.record.chain import HASH
from agentrollouts.core.record.stored import (
    SEQUENCE,
    Break,
    Place,
    entry_problems,
    hash_problem,
    is_number,
    shown,
)
from agentrollouts.core.record.strict_json import read_json

TYPE: Final = "dev.agentrollouts.record.v1"

_SUBJECT: Final = re.compile(r"([0-9]{1,10})/([0-9]{1,10})/([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class Line:
    """One exported entry, whose hash fits its content."""

    name: str
    """Where it is, such as `line 4`."""
    uid: str
    place: Place
    hash: str
    cluster: str = field(default="", compare=False)
    """Name of the cluster that wrote it, by its `source`."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """A line that ends too early: its writer was ended, or the disk was full. It proves nothing."""

    name: str
    """Where it is."""


def read_line(text: str, name: str) -> Line | Break | CutOff | None:
    """The exported entry in a line of a log; None if the line is something else, or what is wrong with it.

    Args:
        text: The line.
        name: What to call it.
    """
    written = text[text.find("{") :].strip() if "{" in text else ""
    if f'"{TYPE}"' not in written:
        return None
    try:
        event = read_json(written)
    except (ValueError, RecursionError) as error:
        return CutOff(name) if _is_cut_off(written, error) else _unreadable(name, error)
    if not isinstance(event, dict) or event.get("type") != TYPE:
        return None
    problem, place = next(_problems(event), None), _place(event.get("subject"))
    if problem or place is None:
        return Break(name, None, problem or "subject: must be <attempt>/<part>/<sequence>")
    source = event.get("source")
    cluster = source.split("/")[1] if isinstance(source, str) and source.startswith("/") else ""
    return Line(name, event["rolloutuid"], place, event["id"], shown(cluster))


def _is_cut_off(text: str, error: Exception) -> bool:
    """Whether a text is the beginning of an object: a whole one ends with its brace."""
    if not isinstance(error, JSONDecodeError) or error.msg == "Extra data":
        return False
    return not text.endswith("}") or error.pos >= len(text) or error.msg.startswith("Unterminated string")


def _unreadable(name: str, error: Exception) -> Break:
    return Break(name, None, f"cannot be read: {shown(str(error))}")


def _problems(event: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with an exported entry and what surrounds it."""
    entry, place = event.get("data"), _place(event.get("subject"))
    if not isinstance(event.get("rolloutuid"), str):
        yield "rolloutuid: must be text"
    yield from (f"data{problem}" for problem in entry_problems(entry))
    if not isinstance(entry, dict):
        return
    if problem := hash_problem(entry):
        yield problem
    if event.get("id") != entry.get(HASH):
        yield "its id is not the hash of its entry; the line was edited"
    if place is not None and place.sequence != entry.get(SEQUENCE):
        yield f"its subject names entry {place.sequence}, and its data is another one"


def _place(subject: object) -> Place | None:
    match = _SUBJECT.fullmatch(subject) if isinstance(subject, str) else None
    place = Place(*map(int, match.groups())) if match else None
    return place if place and all(map(is_number, place)) else None
