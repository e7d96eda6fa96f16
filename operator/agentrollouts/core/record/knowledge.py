"""What is known of the writing of a rollout's record; an input of a decision, like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agentrollouts.core.effects import Problem


@dataclass(frozen=True, slots=True)
class Captured:
    """What became of the evidence of a rollback."""

    record: str
    """Name of the record."""
    hash: str = ""
    """Hash of the evidence that the record has; empty if it cannot be had."""
    problem: str = ""
    """Why it cannot."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """How far the record is written, and what became of its evidence."""

    head: str = ""
    """Hash of the newest entry that its record shows and that was exported, with all before it."""
    problem: Problem | None = None
    """Why entries cannot be written, if that does not pass by itself."""
    captured: Captured | None = None
    """What became of the evidence; None while that is not known."""
    lost: str = ""
    """Name of a record that is gone, or has other entries, so that nothing can be added to it."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Templates of addresses, by name."""


NOTHING_KNOWN: Final = Knowledge()
"""At the start of a process, and while there was nothing to write."""
