"""What a gate counts, as it is queried: a selector with the time over which it is counted.

A decision looks up many numbers by their source, so each gate makes its sources once.
"""

from dataclasses import dataclass, field
from enum import StrEnum, auto
from functools import lru_cache
from typing import Final, NamedTuple

from agentrollouts.api.gates import GateLimit
from agentrollouts.core.gates.kinds import Traits
from agentrollouts.core.gates.selector import Selector

RECENT_SECONDS: Final = 300
"""The window in which a release is looked at by itself, where no limit sets another."""
RECENT_AMOUNT_SECONDS: Final = 900
"""That of amounts: a few expensive runs make a sum jump."""


class Start(StrEnum):
    """From when on a source is counted."""

    WEIGHT = auto()
    """From the first second of the weight: a failure is a failure."""
    WARM = auto()
    """From the end of the warm-up: cold caches are slow and expensive through no fault of the release."""
    ANY = auto()
    """As far back as its window reaches."""


@dataclass(frozen=True, slots=True)
class Source:
    """A selector as it is queried; gates share it."""

    selector: Selector
    by: str | None = None
    """Label by which its counts are grouped besides the release."""
    start: Start = Start.WEIGHT
    seconds: int | None = None
    """Length of a window that moves on; None to count from the start on."""
    past: bool = False
    """Whether it is the segment of the same length that ended at `QueryPlan.past_end`."""
    hashed: int = field(init=False, repr=False, compare=False)
    """Its hash, worked out once: every number of a result is looked up by its source."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "hashed", hash((self.selector, self.by, self.start, self.seconds, self.past))
        )

    def __hash__(self) -> int:
        return self.hashed


class GateSources(NamedTuple):
    """Where one gate counts."""

    bad: Source
    """Bad outcomes; all groups of them, for a histogram or a shift."""
    total: Source
    """Runs; the same groups, for a histogram or a shift."""
    recent: tuple[Source, Source] | tuple[()]
    """Bad outcomes (or the sum) and runs of the last few minutes, for which see `limits`.

    None for mixes, where no change is one for the worse, and for plain counts.
    """


def sources_of(
    traits: Traits, bad: Selector, total: Selector, *, by: str | None, limit: GateLimit | None
) -> GateSources:
    """The sources of a gate of this type."""
    start = Start.WARM if traits.is_amount else Start.WEIGHT
    return _shared(bad, total, by, start, recent_window(traits, limit) if traits.has_rate else None)


@lru_cache(maxsize=1024)
def _shared(bad: Selector, total: Selector, by: str | None, start: Start, recent: int | None) -> GateSources:
    """The same objects for all rollouts with such a gate: what is identical need not be compared."""
    whole = Source(bad, by, start), Source(total, by, start)
    lately = (Source(bad, by, start, recent), Source(total, by, start, recent)) if recent else ()
    return GateSources(*whole, lately)


def counts_amounts(traits: Traits, limit: GateLimit | None) -> bool:
    """Whether a gate is about how much a run takes (cost, time, steps), which moves with the hour.

    Not so a histogram with a limit, above which a run counts as bad.
    """
    return traits.is_sum or (traits.is_amount and limit is None)


def recent_window(traits: Traits, limit: GateLimit | None) -> int:
    """Length of the window of the last few minutes."""
    if limit:
        return limit.window_seconds
    return RECENT_AMOUNT_SECONDS if counts_amounts(traits, limit) else RECENT_SECONDS
