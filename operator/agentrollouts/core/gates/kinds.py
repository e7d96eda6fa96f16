"""What each type of gate can do: one row per type.

All other code reads the row, so another type is a row here, and a rule in `judge.rules` for when it fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from types import MappingProxyType
from typing import Final

from agentrollouts.api.gates import During, GateType
from agentrollouts.core.gates.wording import Words

DEFAULT: Final = GateType.RATIO
"""The type of a source of the user's own that names none."""


_RUNS: Final = Words()
_ABOVE: Final = Words("runs", "runs above {bound}")


class Rate(Enum):
    """What a release does per run, which is a number of its own also with nothing beside it."""

    SHARE = auto()
    """Bad runs of all runs."""
    SUM = auto()
    """An amount per run, such as dollars: its burst factor and its minimum have that unit."""
    BOUNDS = auto()
    """Runs above each bound of a histogram."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What one type of gate can do, and its defaults."""

    rate: Rate | None = None
    """None if a release by itself has no rate that could be too high."""
    is_share_test: bool = False
    """Whether the rates of canary and stable are compared, at every check."""
    is_shift: bool = False
    """Whether their distributions are compared, at a few planned looks."""
    takes_limit: bool = False
    needs_limit: bool = False
    """Whether the limit is the whole gate."""
    takes_count: bool = False
    """Whether `maxCount` says how often something may happen; then one event may be one too many."""
    margin: float = 1.0
    """`maxRatio` for a source of the user's own."""
    min_bad: float = 3.0
    """Bad outcomes needed to fail; of a sum, in units of its burst factor."""
    confidence: float | None = None
    """None if the severity decides."""
    words: Words = _RUNS
    """What the counts of a source of the user's own are called."""
    usual_bad: float = 0.0
    """Share of stable's runs that a forecast takes to be bad; only for a share."""
    usual_worse: float = 1.0
    """How many times worse the regression is that a forecast looks for."""

    @cached_property
    def is_sum(self) -> bool:
        """Whether what is bad is an amount."""
        return self.rate is Rate.SUM

    @cached_property
    def by_bounds(self) -> bool:
        """Whether each bound of a histogram is judged."""
        return self.rate is Rate.BOUNDS

    @cached_property
    def counts_bad_runs(self) -> bool:
        """Whether bad outcomes are some of the runs, so that there cannot be more of them."""
        return self.rate is Rate.SHARE

    @cached_property
    def is_amount(self) -> bool:
        """Whether it is about how much a run takes, which cold caches and fresh pods raise.

        Failures are failures from the first second.
        """
        return self.is_sum or self.by_bounds

    @cached_property
    def has_rate(self) -> bool:
        """Whether each release is also judged by itself; then its burst factor is measured."""
        return self.rate is not None

    @cached_property
    def is_outcome(self) -> bool:
        """Whether shares of bad runs are compared; only these can be turned into shares of good ones."""
        return self.is_share_test and self.counts_bad_runs

    @cached_property
    def compares(self) -> bool:
        """Whether it says nothing without stable, unless it has a limit."""
        return self.is_share_test or self.is_shift

    @cached_property
    def has_evidence(self) -> bool:
        """Whether chance may explain what it finds, so that a burst factor means something."""
        return self.compares or self.has_rate

    def stages(self, *, has_limit: bool) -> frozenset[During]:
        """When it can be evaluated: at 100% without a comparison, after a rollback by one alone."""
        full = {During.FULL} if has_limit or self.takes_count else set()
        verify = {During.VERIFY} if self.is_share_test else set()
        return frozenset({During.CANARY, *full, *verify})


TRAITS: Final[Mapping[GateType, Traits]] = MappingProxyType(
    {
        GateType.RATIO: Traits(
            rate=Rate.SHARE,
            is_share_test=True,
            takes_limit=True,
            margin=1.10,
            usual_bad=0.02,
            usual_worse=3.0,
        ),
        GateType.MEAN: Traits(
            rate=Rate.SUM,
            is_share_test=True,
            margin=1.25,
            min_bad=2.0,
            words=Words("runs", ""),
            usual_worse=2.0,
        ),
        GateType.HISTOGRAM: Traits(
            rate=Rate.BOUNDS,
            is_share_test=True,
            takes_limit=True,
            margin=1.25,
            words=_ABOVE,
            usual_worse=1.5,
        ),
        # It only warns by default, and its power was measured at this confidence.
        GateType.SHIFT: Traits(is_shift=True, confidence=0.95, words=_ABOVE),
        GateType.LIMIT: Traits(rate=Rate.SHARE, takes_limit=True, needs_limit=True),
        GateType.COUNT: Traits(takes_count=True),
    }
)
"""By type."""


def traits_of(kind: GateType) -> Traits:
    """The row of a type."""
    return TRAITS[kind]
