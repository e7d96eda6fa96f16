"""The formats of eval tools that can be read, and what is read of each: cases, and those that failed."""

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """A format of results."""

    PROMPTFOO = "promptfoo"
    INSPECT = "inspect"
    JUNIT = "junit"


@dataclass(frozen=True, slots=True)
class Cases:
    """The results of one release."""

    failed: int
    """Cases that did not pass, those with an error among them."""
    total: int
    errors: int = 0
    """Cases that ended in an error, so that nothing is known of the answer."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What counts as passed, where a format has scores."""

    scorer: str | None = None
    pass_at: float = 1.0
