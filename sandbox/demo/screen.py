"""What the demo prints: acts with headings, a line for each change, and on a terminal a line that lives.

Color and the living line only where a person watches; a pipe or a file gets the same story as plain lines.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, Self, TextIO

_BOLD, _DIM, _GREEN, _RED = "1", "2", "32", "31"
_CLEAR_LINE: Final = "\r\033[K"
_INDENT: Final = 8
"""Columns of the clock before each line, and of the gap after it."""
_LIVE_SECONDS: Final = 0.5
"""How often the living line changes; more often is not readable."""


class Screen:
    """Prints lines with the time since the start before them.

    Args:
        out: where to; a terminal gets colors, unless NO_COLOR is set, and the living line.
    """

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._is_watched = out.isatty()
        self._is_colored = self._is_watched and "NO_COLOR" not in os.environ
        self._began = time.monotonic()
        self._living = ""
        self._lived = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wipe()

    def plain(self, text: str = "") -> None:
        """Print text as it is."""
        self._wipe()
        print(text, file=self._out, flush=True)

    def heading(self, text: str) -> None:
        """Open an act."""
        self.plain(f"\n{self._paint(_BOLD, text)}")

    def say(self, text: str) -> None:
        """Print what happened now."""
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        self.plain(f"{self._paint(_DIM, f'{minutes:3d}:{seconds:02d}')}  {text}")

    def good(self, text: str) -> None:
        """Print something that was to be seen, and was."""
        self.say(self._paint(_GREEN, "ok  ") + text)

    def bad(self, text: str) -> None:
        """Print something that was to be seen, and was not."""
        self.say(self._paint(_RED, "MISSED  ") + text)

    def quote(self, text: str) -> None:
        """Print what another program said."""
        for line in text.splitlines():
            self.plain(" " * _INDENT + self._paint(_DIM, line) if line else "")

    def live(self, text: str) -> None:
        """Replace the living line; nothing if nobody watches."""
        now = time.monotonic()
        if not self._is_watched or (self._living and now - self._lived < _LIVE_SECONDS):
            return
        self._living, self._lived = text, now
        width = shutil.get_terminal_size().columns - _INDENT - 1
        self._out.write(f"{_CLEAR_LINE}{' ' * _INDENT}{text[:width]}")
        self._out.flush()

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows in columns as wide as they need to be."""
        lines = [header, *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
        for index, line in enumerate(lines):
            text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            self.plain(self._paint(_BOLD, text) if index == 0 else text)

    def _wipe(self) -> None:
        if self._living:
            self._out.write(_CLEAR_LINE)
            self._living = ""

    def _paint(self, color: str, text: str) -> str:
        return f"\033[{color}m{text}\033[0m" if self._is_colored else text
