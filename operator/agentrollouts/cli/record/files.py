"""Reads records and exported lines from files that someone may have tampered with.

What cannot be opened is a mistake of the user. What can be opened and not read is a break of the record: a
text that two readers take for two records must not be verified as one of them.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import yaml

from agentrollouts.api.model.text import writable
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.reading import Loader
from agentrollouts.core.record.exported import CutOff, Line, read_line
from agentrollouts.core.record.stored import Break
from agentrollouts.core.record.strict_json import DECODER

LARGEST: Final = 64 * 2**20
"""Bytes of a file of records; a record has at most 1.5 MiB in a cluster."""
LARGEST_YAML: Final = 4 * 2**20
"""Bytes of a file in YAML, which takes a hundred times as long to read as JSON."""
_LONGEST_LINE: Final = 4 * 2**20
_SHOWN: Final = 200
UNREADABLE: Final = (ValueError, TypeError, AttributeError, OverflowError, yaml.YAMLError)
"""What the readers of JSON and YAML raise, and what YAML raises for a text that its type does not have."""


def read_records(name: str) -> list[object] | Break:
    """The objects in a file, or in standard input for `-`: one, a list, or several documents.

    Raises:
        WrongUseError: the file cannot be opened.
    """
    with _opened(name) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        return Break(name, None, f"is larger than {LARGEST // 2**20} MiB; give the records in several files")
    try:
        return objects_in(content.decode("utf-8-sig"))
    except RecursionError:
        return Break(name, None, "cannot be read: it is nested too deeply")
    except UNREADABLE as error:
        return Break(name, None, f"cannot be read: {writable(str(error), _SHOWN)}")


def objects_in(text: str) -> list[object]:
    """The objects of a text. Raises one of `UNREADABLE`, or `RecursionError`."""
    return [each for document in _documents(text) for each in _items(document)]


def read_lines(name: str) -> Iterator[Line | Break | CutOff]:
    """The exported lines in a log, or in standard input for `-`; other lines are left out.

    Raises:
        WrongUseError: the file cannot be opened.
    """
    with _opened(name) as file:
        number = 0
        while content := file.readline(_LONGEST_LINE):
            number += 1
            found = read_line(content.decode(errors="replace"), f"{name}, line {number}")
            if found is not None:
                yield found


def _opened(name: str) -> BinaryIO:
    try:
        return io.BytesIO(sys.stdin.buffer.read(LARGEST + 1)) if name == "-" else Path(name).open("rb")
    except OSError as error:
        raise WrongUseError(f"{name}: cannot be read: {error.strerror}") from None


def _documents(text: str) -> Iterator[Any]:
    """JSON values one after the other, or YAML documents."""
    if text.lstrip()[:1] in {"{", "["}:
        yield from _values(text)
    elif len(text) > LARGEST_YAML:
        raise ValueError(f"it has more than {LARGEST_YAML // 2**20} MiB of YAML; write it as JSON")
    else:
        for document in yaml.load_all(text, Loader=Loader):
            _refuse_other_than_json(document)
            if document is not None:
                yield document


def _values(text: str) -> Iterator[Any]:
    place = len(text) - len(text.lstrip())
    while place < len(text):
        value, end = DECODER.raw_decode(text, place)
        yield value
        while end < len(text) and text[end].isspace():
            end += 1
        place = end


def _refuse_other_than_json(document: object) -> None:
    """YAML has more than JSON: an alias makes a small text huge, and a key can be anything.

    Raises:
        ValueError: it has something like that.
    """
    seen, waiting = set[int](), [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            if id(value) in seen:
                raise ValueError("it has a YAML alias, which no record has")
            seen.add(id(value))
        match value:
            case dict():
                if not all(isinstance(key, str) for key in value):
                    raise ValueError("it has a key that is not text")
                waiting += value.values()
            case list():
                waiting += value
            case str() | int() | float() | None:
                pass
            case _:
                raise ValueError(f"it has a value of type {type(value).__name__}, which JSON does not have")


def _items(document: object) -> list[Any]:
    """The objects of a document: those of a list, or itself."""
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        return list(document["items"])
    return [document]
