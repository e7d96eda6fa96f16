"""From the path of a field to its line."""

import json
import re
from dataclasses import dataclass
from typing import Final

import yaml

_INDEX: Final = re.compile(r"\[(\d+)\]")
_ENDS: Final = (".", "[", ":", "")
"""What can follow a key in a path."""
_MOST: Final = 40
"""Levels that are followed; no path of a message is longer."""


@dataclass(frozen=True, slots=True)
class Place:
    """An object in a file."""

    node: yaml.Node
    text: str
    """The document that it is in."""
    lines: int
    """Lines of the file before the document."""

    def of(self, message: str) -> tuple[int, str, str]:
        """Line, field and sentence of a message `spec.gates[0].maxRatio: problem; remedy`.

        A field that is absent has the line of the nearest one around it. Keys can contain dots and colons, so
        the path is read beside the document.
        """
        position, blamed, node = 0, self.node, self.node
        for _ in range(_MOST):
            step = _step(node, message, position)
            if step is None:
                break
            position, blamed, node = step
        rest, colon, sentence = message[position:].partition(": ")
        if not colon:
            rest, sentence = "", message[position:].removeprefix(":")
        line = self.lines + self.text.count("\n", 0, blamed.start_mark.index) + 1
        return line, f"{message[:position]}{rest}", sentence.strip()

    def below(self, key: str, index: int) -> "Place":
        """The place of an item of a list in it."""
        step = _step(self.node, f"{key}[{index}]", 0)
        item = step and _step(step[2], f"{key}[{index}]", step[0])
        return Place(item[2], self.text, self.lines) if item else self


def _step(node: yaml.Node, message: str, position: int) -> tuple[int, yaml.Node, yaml.Node] | None:
    """Where the path continues, the node that has the line, and the one below which it continues."""
    if isinstance(node, yaml.SequenceNode):
        index = _INDEX.match(message, position)
        if index is None or int(index[1]) >= len(node.value):
            return None
        item = node.value[int(index[1])]
        return index.end(), item, item
    found = None
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        for text in _forms(str(key.value), is_first=position == 0):
            end = position + len(text)
            if message.startswith(text, position) and message[end : end + 1] in _ENDS:
                found = max((end, key, value), found or (0, key, value), key=lambda step: step[0])
    return found


def _forms(key: str, *, is_first: bool) -> tuple[str, ...]:
    """How a path continues by a key."""
    return (key if is_first else f".{key}", f"[{json.dumps(key)}]")
