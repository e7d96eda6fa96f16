"""What a report consists of: sections of sentences, tables and charts, without any markup.

Every text in it is text. The renderers escape all of it in one place each, so no text of a record can become
markup, wherever it appears.
"""

import re
from dataclasses import dataclass
from typing import Final

from agentrollouts.api.model.text import visible

MOST: Final = 1024
"""Characters of a text that are shown, as many as a message has at most."""
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~:/?#@!$&()*+,;=%-]*)?")


def plain(text: str) -> str:
    """The text as one line in which every character can be seen."""
    return visible(text, MOST)


@dataclass(frozen=True, slots=True)
class Words:
    """What someone wrote, verbatim: a name, a reason, a version."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """An address under its name."""

    name: str
    address: str

    @property
    def is_safe(self) -> bool:
        """Whether the address is plain enough to be a link; anything else stays text."""
        return len(self.address) <= 2 * MOST and _ADDRESS.fullmatch(self.address) is not None


Inline = str | Words | Link
Line = tuple[Inline, ...]
"""A sentence, or the content of a cell. A `str` in it is ours, or a message of the operator."""


def line(*parts: Inline | None) -> Line:
    """The parts that there are."""
    return tuple(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences."""

    line: Line


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a heading; the first cell of a row says what the row is about."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """One line for a program."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, and the same as a table for who does not see it."""

    title: str
    svg: str
    table: Table


Block = Paragraph | Items | Table | Code | Chart


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report under its heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A report."""

    title: str
    summary: Line
    sections: tuple[Section, ...]
