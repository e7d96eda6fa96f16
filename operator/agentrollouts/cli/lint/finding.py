"""A finding as one line of output, whatever the texts in it contain."""

from dataclasses import dataclass
from typing import Final

from agentrollouts.cli.mistakes import printable

_MOST: Final = 1000
"""Characters of a sentence; a key of a file can be longer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, or doubtful, and where."""

    file: str
    line: int
    title: str
    """`AgentRollout/support-agent`; empty if the file cannot be read there."""
    field: str
    """Path of the field; empty if the whole document is meant."""
    sentence: str
    is_warning: bool = False

    def as_text(self) -> str:
        """`FILE:LINE KIND/NAME FIELD sentence`."""
        sentence = f"warning: {self.sentence}" if self.is_warning else self.sentence
        parts = (f"{self.file}:{self.line}", self.title, self.field, sentence)
        return " ".join(_printable(part) for part in parts if part)

    def as_github(self) -> str:
        """A workflow command of GitHub Actions, which shows the finding beside its line."""
        level = "warning" if self.is_warning else "error"
        where = f"file={_property(self.file)},line={self.line}"
        title = f",title={_property(self.title)}" if self.title else ""
        message = " ".join(_printable(part) for part in (self.field, self.sentence) if part)
        return f"::{level} {where}{title}::{message.replace('%', '%25')}"


def _printable(text: str) -> str:
    """Text that can be shown, of a bounded length."""
    return printable(text if len(text) <= _MOST else f"{text[: _MOST - 1]}…")


def _property(text: str) -> str:
    """Text in a property of a workflow command, where commas and colons separate."""
    text = _printable(text).replace("%", "%25")
    return text.replace(":", "%3A").replace(",", "%2C")
