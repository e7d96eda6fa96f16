"""What a campaign is made of: cases, each of which held or broke, and how to play one of them again.

A campaign is a generator of cases. It states what must hold, disturbs the real thing, and looks from outside:
nothing that judges here imports the operator's code.
"""

import asyncio
import queue
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of a campaign is wanted."""

    seed: int
    """From which everything random follows."""
    size: int | None = None
    """How many cases at the most; None for all, or the campaign's own number."""
    only: str | None = None
    """Name of the one case to play again; None for all."""

    def wants(self, case: str) -> bool:
        """Whether this case is to be played."""
        return self.only in {None, case}

    def spread(self, items: Sequence[_T]) -> Sequence[_T]:
        """As many as are wanted, spread over all of them."""
        if self.size is None or self.size >= len(items):
            return items
        return [items[index * len(items) // self.size] for index in range(self.size)]


@dataclass(frozen=True, slots=True)
class Case:
    """One disturbance and what came of it."""

    name: str
    """Unique in its campaign, so that it can be played again by itself."""
    broken: str | None = None
    """What did not hold, in a sentence with its numbers; None if everything did."""
    counts: int = 1
    """How many checks, states or sequences it stands for."""
    measured: str = ""
    """Figures of the case, broken or not."""


Play = Callable[[Choice], Iterator[Case]]
"""Plays what is wanted, case by case."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A kind of disturbance, and the claim that it tests."""

    name: str
    shows: str
    """What holds where no case is broken, in a sentence."""
    play: Play
    unit: str = "cases"
    """What `Case.counts` counts."""
    draws_seed: bool = False
    """Whether each run draws a new seed, unless the command names one."""


Tell = Callable[[Case], None]
"""How a campaign that plays many cases at once says that one of them is over."""


def as_told(play: Callable[[Tell], Coroutine[Any, Any, None]]) -> Iterator[Case]:
    """The cases of a campaign that runs in an event loop of its own, as they are told."""
    cases: queue.SimpleQueue[Case | None] = queue.SimpleQueue()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="campaign") as pool:
        playing = pool.submit(asyncio.run, play(cases.put))
        playing.add_done_callback(lambda _: cases.put(None))
        yield from iter(cases.get, None)
        playing.result()
