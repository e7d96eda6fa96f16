"""The single values inside free-form content, each with its field path.

`bundle` and `credentials` both look at every value of a component; here is the one walk that they share. It
keeps its own stack, so that content nested a thousand deep is an answer and not a crash.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 64
"""Levels of nesting that content may have. What lies deeper is not opened; the caller refuses it."""

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value that holds no others, or a container that lies too deep to be opened."""

    path: str
    """Where it stands, `spec.components.tools.items[0].name`; a key with unusual characters as `["a.b"]`."""
    key: str
    """The nearest name above it; a list's items have the name of the list."""
    value: object


def child_path(path: str, key: str) -> str:
    """The path of a field below `path`, written so that it can be read back without doubt."""
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{json.dumps(key)}]"


def leaves(value: object, path: str, key: str = "") -> Iterator[Leaf]:
    """Walk `value` in document order."""
    stack: list[tuple[Leaf, int]] = [(Leaf(path, key, value), 0)]
    while stack:
        leaf, depth = stack.pop()
        children = _children(leaf) if depth < MAX_DEPTH else []
        if children:
            stack.extend((child, depth + 1) for child in reversed(children))
        else:
            yield leaf


def _children(parent: Leaf) -> list[Leaf]:
    if isinstance(parent.value, Mapping):
        return [Leaf(child_path(parent.path, key), key, value) for key, value in parent.value.items()]
    if isinstance(parent.value, list | tuple):
        return [
            Leaf(f"{parent.path}[{index}]", parent.key, value) for index, value in enumerate(parent.value)
        ]
    return []
