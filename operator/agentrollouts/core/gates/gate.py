"""A gate with everything filled in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

from agentrollouts.api.gates import Better, During, GateLimit, GateType, NoDataPolicy, OnFail
from agentrollouts.api.verdict import Severity
from agentrollouts.core.gates.kinds import Traits, traits_of
from agentrollouts.core.gates.selector import Selector
from agentrollouts.core.gates.sources import GateSources, counts_amounts, recent_window, sources_of
from agentrollouts.core.gates.templates import Grade
from agentrollouts.core.gates.wording import Words

ACTIONS: Final[Mapping[Severity, OnFail]] = MappingProxyType(
    {
        Severity.CRITICAL: OnFail.ROLL_BACK,
        Severity.HIGH: OnFail.ROLL_BACK,
        Severity.MEDIUM: OnFail.HOLD,
        Severity.LOW: OnFail.WARN,
    }
)
ROLLING_BACK: Final = frozenset({OnFail.ROLL_BACK, OnFail.SWITCH_OFF})
"""Consequences that take the traffic of the canary away."""

_SHOWN: Final = 440
"""Characters of a long `source` that are shown; a digest stands for the rest."""
_LONG: Final = 512


def shortened(source: str) -> str:
    """A short text that is equal only for equal sources: sixteen gates can name 2 KiB of selectors each."""
    if len(source) <= _LONG:
        return source
    return f"{source[:_SHOWN]}... sha256:{hashlib.sha256(source.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, kw_only=True)
class ResolvedGate:
    """A gate with every question about it answered."""

    name: str
    kind: GateType
    bad: Selector
    """Bad outcomes; the sum, for a mean; the buckets or labeled counts, for a histogram or a shift."""
    total: Selector
    """Runs; the same series again, for a histogram or a shift."""
    by: str | None = None
    """Label by which counts are grouped."""
    better: Better
    margin: float
    """`maxRatio`, or `minRatio` where more is better."""
    confidence: float
    min_samples: int
    min_bad: float
    severity: Severity
    grades: tuple[Grade, ...] = ()
    own_action: OnFail | None = None
    """What the user wants to follow from a Fail, whatever its severity."""
    fuse_seconds: int | None = None
    """How long a Fail may hold before it rolls back; None if it may do so indefinitely."""
    for_seconds: int = 0
    limit: GateLimit | None = None
    limit_is_own: bool = False
    """Whether the user set the limit; one of the template's only applies where it fits the agent."""
    max_count: int = 0
    no_data: NoDataPolicy
    burst: float | None
    """As the user set it; None to measure it."""
    words: Words
    may_be_absent: bool = False
    """Whether its bad outcomes may never have been seen."""
    is_template: bool = False
    """Whether its selectors are those of a convention."""
    counts_runs: bool = False
    """Whether the total is runs, so that their split between the releases must follow the weights."""
    during: frozenset[During]
    """When it is evaluated."""

    @cached_property
    def traits(self) -> Traits:
        """What its type can do."""
        return traits_of(self.kind)

    @cached_property
    def sources(self) -> GateSources:
        """Where it counts."""
        return sources_of(self.traits, self.bad, self.total, by=self.by, limit=self.limit)

    @property
    def counts_amounts(self) -> bool:
        """Whether it is about how much a run takes (cost, time, steps), without a limit for it."""
        return counts_amounts(self.traits, self.limit)

    @property
    def recent_seconds(self) -> int:
        """Length of the window of the last few minutes."""
        return recent_window(self.traits, self.limit)

    @property
    def is_share_test(self) -> bool:
        """Whether the two releases are compared by the share test."""
        return self.traits.is_share_test

    @property
    def compares(self) -> bool:
        """Whether it says nothing without stable."""
        return self.traits.compares

    @property
    def needed(self) -> float:
        """Evidence from which on a Fail is sure enough: 100 for a confidence of 0.99."""
        return 1 / (1 - self.confidence)

    @property
    def counted(self) -> str:
        """What is counted, in what: the identity of everything that was ever measured for this gate."""
        grouped = f" by {self.by}" if self.by else ""
        limited = f" above {self.limit.value:g}" if self.limit and self.by else ""
        return shortened(f"{self.bad} of {self.total}{grouped}{limited}")

    def severity_at(self, ratio: float) -> Severity:
        """How bad a Fail is whose canary is `ratio` times as bad, or as good, as stable."""
        is_higher = self.better is Better.HIGHER
        reached = (g.severity for g in self.grades if (ratio < g.ratio if is_higher else ratio > g.ratio))
        return next(reached, self.severity)

    @property
    def may_hold(self) -> bool:
        """Whether some Fail holds."""
        return OnFail.HOLD in self.actions

    @property
    def rolls_back(self) -> bool:
        """Whether some Fail rolls the canary back, or switches the agent off."""
        return not ROLLING_BACK.isdisjoint(self.actions)

    @property
    def actions(self) -> frozenset[OnFail]:
        """What can follow from a Fail. A severity that is only tempered by a warm-up does not count."""
        severities = {self.severity, *(grade.severity for grade in self.grades)}
        if self.limit:
            severities.add(self.limit.severity)
        return frozenset(map(self.action_at, severities))

    def action_at(self, severity: Severity) -> OnFail:
        """What follows from a Fail of that severity."""
        return self.own_action or ACTIONS[severity]
