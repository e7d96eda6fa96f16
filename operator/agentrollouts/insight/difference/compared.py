"""How two bundles differ, component by component, with their texts line by line. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from agentrollouts.api.components import COMPONENTS
from agentrollouts.core.release.diff import diff

_VERSION: Final = "version"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a field: gone (`-`) or new (`+`)."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a component that differs."""

    path: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """A component that differs."""

    name: str
    change: str
    before: str | None
    after: str | None
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bundles."""

    changed: tuple[Component, ...]
    unchanged: tuple[str, ...]


def compare(before: str, after: str) -> Comparison:
    """How a bundle differs from another one; both are texts of `bundle.json`."""
    old, new = json.loads(before), json.loads(after)
    found = diff(before, after)
    changed = tuple(
        Component(
            name=each.component,
            change=each.change,
            before=each.from_,
            after=each.to,
            fields=tuple(_fields("", old.get(each.component) or {}, new.get(each.component) or {})),
        )
        for each in found
    )
    names = {each.name for each in changed}
    return Comparison(changed, tuple(each for each in COMPONENTS if each in new and each not in names))


def _fields(path: str, old: Any, new: Any) -> Iterator[Field]:  # noqa: ANN401 any JSON
    """Each field that differs, as deep as both sides are objects."""
    if old == new or path == _VERSION:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            yield from _fields(f"{path}.{key}" if path else key, old.get(key), new.get(key))
        return
    yield Field(path.removeprefix("content."), tuple(_lines(_text(old), _text(new))))


def _text(value: Any) -> list[str]:  # noqa: ANN401 any JSON
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text.splitlines()


def _lines(old: list[str], new: list[str]) -> Iterator[Line]:
    for tag, i, j, k, m in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from (Line("-", each) for each in old[i:j])
            yield from (Line("+", each) for each in new[k:m])
