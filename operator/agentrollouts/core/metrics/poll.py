"""What to poll from Prometheus for one rollout, and the newest result of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agentrollouts.core.gates.reading import Unreadable
from agentrollouts.core.gates.selector import DEFAULT_LABELS
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.census import Census, Sighted
from agentrollouts.core.metrics.queries import QueryPlan
from agentrollouts.core.metrics.table import QueryResult

Series = Iterable[tuple[Mapping[str, str], Sequence[tuple[datetime, float]]]]
"""Label sets with their samples, as a range query answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What a decision wants to know from Prometheus, again and again."""

    plan: QueryPlan
    source: str
    """Name of the Prometheus source in the administrator's settings."""
    interval_seconds: float
    gates: int = 1
    """Number of gates and caps, by which a query costs."""
    history_before: datetime | None = None
    """Also ask, once, for stable's history until then, from which the burst factors are measured."""
    census: Census | None = None
    """Also find out, once, whether these selectors can match at all."""
    closer: frozenset[Source] = field(init=False)
    """What the plan looks at more closely: plans that differ in this are equal, polls are not."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "closer", self.plan.closer)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """The newest result of Prometheus, with the plan that was queried."""

    plan: QueryPlan
    result: QueryResult | Unreadable
    history: Series | None = None
    """Stable's counts per minute before the attempt; None while that is not known."""
    sighted: Sighted | None = None
    """Which selectors have ever matched; None while that is not known."""
    namespace_label: str = DEFAULT_LABELS.namespace
    """The label with the namespace of the rollout in that Prometheus."""
    counts_births: bool = False
    """Whether that server's `increase` already counts the first value of a series."""
    interval_seconds: float | None = field(default=None, compare=False)
    """Seconds since the query before; None at the first."""
    excess: str | None = None
    """How the namespace exceeds its share of Prometheus, in a sentence; None if it does not."""
