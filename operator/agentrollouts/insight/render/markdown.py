"""A report as Markdown (CommonMark with the tables of GitHub).

What someone wrote becomes a code span, in which nothing is markup, a mention or a link. In all other texts
each character that could begin markup is escaped.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, assert_never

from agentrollouts.insight.render.document import (
    Block,
    Chart,
    Code,
    Document,
    Inline,
    Items,
    Line,
    Link,
    Paragraph,
    Table,
    Words,
    plain,
)

ROWS: Final = 12
"""Rows of a chart's table: in Markdown there is no picture, and all looks would fill pages."""
_Row = tuple[Line, ...]
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>&|~#$@])")
_AT_START: Final = re.compile(r"^(\d*)([-+=]|(?<=\d)[.)])")
_ADDRESS: Final = re.compile(r":(?=//)|(?<=\bwww)\.", re.IGNORECASE)


def to_markdown(document: Document) -> str:
    """The document as text."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield f"# {escaped(document.title)}"
    yield from ("", _line(document.summary))
    for section in document.sections:
        yield from ("", f"## {escaped(section.title)}")
        for block in section.blocks:
            yield ""
            yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(line):
            yield _line(line)
        case Items(lines):
            yield from (f"- {_line(line)}" for line in lines)
        case Table():
            yield from _table(block, block.rows)
        case Chart():
            yield from _table(block.table, thinned(block.table.rows))
        case Code(label, text):
            yield from (f"{escaped(label)}:", "", "```json", text, "```")
        case _:
            assert_never(block)


def thinned(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
    """At most `ROWS` of them, evenly chosen, with the first and the last one."""
    if len(rows) <= ROWS:
        return rows
    return tuple(rows[round(index * (len(rows) - 1) / (ROWS - 1))] for index in range(ROWS))


def _table(table: Table, rows: Iterable[_Row]) -> Iterator[str]:
    yield from (f"{escaped(table.caption)}:", "")
    yield f"| {' | '.join(map(escaped, table.head))} |"
    yield f"|{'|'.join(' --- ' for _ in table.head)}|"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(line: Line) -> str:
    """A cell; a vertical bar ends it even in a code span, unless it is escaped there as well."""
    return "".join(_inline(part, bar=r"\|") for part in line).strip()


def _line(line: Line) -> str:
    """A line of its own, which begins with no character that begins a list or a heading."""
    text = "".join(map(_inline, line)).strip()
    return _AT_START.sub(lambda match: f"{match[1]}\\{match[2]}", text)


def _inline(part: Inline, bar: str = "|") -> str:
    match part:
        case str():
            return escaped(part)
        case Words(text):
            return quoted(text).replace("|", bar)
        case Link(name, address):
            shown = f"<{address}>" if part.is_safe else quoted(address).replace("|", bar)
            return f"{quoted(name).replace('|', bar)}: {shown}"
        case _:
            assert_never(part)


def escaped(text: str) -> str:
    """A text that is text for every reader of Markdown."""
    return _ADDRESS.sub(lambda match: f"\\{match.group()}", _MARKUP.sub(r"\\\1", plain(text)))


def quoted(text: str) -> str:
    """A code span: its fence is longer than any in the text."""
    shown = plain(text).strip() or "-"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"
