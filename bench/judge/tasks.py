"""What a process is given to do: repetitions of one column of a table at one traffic."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

OURS: Final = "**agentrollouts**"


@dataclass(frozen=True, slots=True)
class End:
    """How one attempt ended under one judge."""

    minute: int | None
    """When it was rolled back."""
    harm: float = 0.0
    """Bad runs that stable would not have had, until then, where they are counted."""


Ends = Mapping[str, Sequence[End]]
"""By judge, one for each repetition."""


class Named(Protocol):
    """A column of a table."""

    @property
    def name(self) -> str:
        """Its head."""


C = TypeVar("C", bound=Named)


@dataclass(frozen=True, slots=True)
class Task(ABC, Generic[C]):
    """Repetitions of one column at one traffic."""

    column: C
    runs_per_hour: int
    seed: int
    repetitions: range

    def run(self) -> Ends:
        """Each judge's ends, of the same attempts."""
        ends: dict[str, list[End]] = {}
        for repetition in self.repetitions:
            # A start that depends on nothing else that is run.
            chance = random.Random(f"{self.seed}/{self.column.name}/{self.runs_per_hour}/{repetition}")
            for judge, end in self.judged(chance).items():
                ends.setdefault(judge, []).append(end)
        return ends

    @abstractmethod
    def judged(self, chance: random.Random) -> Mapping[str, End]:
        """One attempt, seen by every judge."""
