"""What a terminal shows, and what a file or pipe gets: width, colors, marks, and text that cannot harm.

Without a terminal nothing is colored, wrapped or cut. Text of other people is shown as it is: Rich reads no
markup in it, and control characters, which terminals obey, are replaced.
"""

import os
import select
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from agentrollouts.api.model.text import visible

WITHOUT_UTF8: Final = str.maketrans(
    {"✓": "ok", "✗": "x", "…": "...", "●": "*", "○": "o", "█": "#", "░": ".", "→": "->", "—": "-", "·": "-"}
)
"""What stands for our marks where they cannot be shown."""
_UNLIMITED: Final = 100_000
_NARROWEST: Final = 24
"""Columns that a sentence has at least, however far it is indented."""
_INDENT: Final = 4
"""Columns before a sentence that begins on a line of its own."""
_LONGEST: Final = 32_768


def console(file: TextIO | None = None) -> Console:
    """A console for a file, by default standard output, that leaves our text alone."""
    return Console(file=file or sys.stdout, highlight=False, markup=False, emoji=False, legacy_windows=False)


def is_screen(out: Console) -> bool:
    """Whether lines can be drawn again, and have a width; FORCE_COLOR makes no screen of a file."""
    return out.is_terminal and not out.is_dumb_terminal and out.file.isatty()


def require_reader() -> None:
    """Raise `BrokenPipeError` if no one reads the output anymore, also while there is nothing to write."""
    try:
        output = sys.stdout.fileno()
    except (OSError, AttributeError):  # no file, or none at all
        return
    poll = select.poll()
    poll.register(output, 0)  # errors are always reported
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        raise BrokenPipeError


def has_utf8(out: Console) -> bool:
    """Whether it shows more than ASCII; `LC_ALL=C` says no, although Python then writes UTF-8."""
    return "utf" in out.encoding.lower() and os.environ.get("LC_ALL") not in {"C", "POSIX"}


def plain(text: object) -> str:
    """Text of other people on one line, without what a terminal obeys."""
    return visible(str(text), _LONGEST)


@dataclass(frozen=True, slots=True)
class Row:
    """A line: fixed cells, and a text that wraps below its own beginning."""

    text: Text = field(default_factory=Text)
    cells: tuple[Text, ...] = ()
    """What comes before the text, each already as wide as its column."""

    def lines(self, out: Console) -> Iterator[Text]:
        """The line as it fits the console."""
        head = Text("").join(self.cells)
        indent = cell_len(head.plain)
        width = out.width - indent if is_screen(out) else _UNLIMITED
        if width < _NARROWEST and self.text:  # below the cells, there is more room than beside them
            yield from Row(cells=self.cells).lines(out)
            head, indent, width = Text(" " * _INDENT), _INDENT, max(out.width - _INDENT, _NARROWEST)
        parts = list(self.text.wrap(out, max(width, 1))) or [Text()]
        for number, part in enumerate(parts):
            start = head if number == 0 else Text(" " * indent)
            line = Text.assemble(start, part)
            line.rstrip()
            yield line


def drawn(rows: Iterable[Row], out: Console) -> Text:
    """All rows as one text."""
    whole = Text("\n").join(line for row in rows for line in row.lines(out))
    return whole if has_utf8(out) else _ascii(whole)


def show(rows: Iterable[Row], out: Console) -> None:
    """Print rows."""
    if text := drawn(rows, out):
        out.print(text, soft_wrap=True)


def table(header: tuple[str, ...], rows: Iterable[tuple[Text | str, ...]]) -> list[Row]:
    """Aligned columns, two spaces apart; the last one wraps."""
    body = [tuple(Text(plain(cell)) if isinstance(cell, str) else cell for cell in row) for row in rows]
    every = [tuple(map(Text, header)), *body]
    widths = [max(cell_len(row[column].plain) for row in every) for column in range(len(header) - 1)]
    return [
        Row(row[-1], tuple(padded(cell, width + 2) for cell, width in zip(row[:-1], widths, strict=True)))
        for row in every
    ]


def padded(cell: Text | str, width: int) -> Text:
    """A cell as wide as its column."""
    text = cell.copy() if isinstance(cell, Text) else Text(cell)
    text.append(" " * max(0, width - cell_len(text.plain)))
    return text


def _ascii(text: Text) -> Text:
    """The text with other marks, and `?` for what cannot be shown; without colors, whose places differ."""
    return Text(text.plain.translate(WITHOUT_UTF8).encode("ascii", "replace").decode())
