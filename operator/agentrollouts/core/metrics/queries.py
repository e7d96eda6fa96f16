"""What is queried from Prometheus: one query per rollout and tick, for counts and for nothing else.

Sources that gates share are queried once; each term is tagged with the label `src`, so no row can be taken
for another. Prometheus never divides or compares: 0/0 would vanish from its result without a trace.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from types import MappingProxyType
from typing import Final, NamedTuple

from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.selector import DEFAULT_LABELS, LabelNames, Selector
from agentrollouts.core.gates.sources import Source, Start

BURST_STEP: Final = timedelta(minutes=1)
BURST_HISTORY: Final = timedelta(hours=4)


class Term(StrEnum):
    """One number that is queried from a source, for each release."""

    INCREASE = "increase"
    """Counted since the counting start, in series with at least two samples since."""
    BIRTHS = "births"
    """First values of series born since the counting start, which `increase` does not count."""
    COVERED = "covered"
    """How many series had a sample at the counting start; of totals only."""
    NEWEST = "newest"
    """Time of the newest sample in seconds since 1970; of totals only."""
    SCRAPES = "scrapes"
    """Most samples that a series has since the counting start; of totals only."""
    VALUE = "value"
    """The counters themselves: they stand still exactly while nothing is counted."""
    VANISHED = "vanished"
    """Last values of the series that were there within the window and are gone, as after a relabeling."""
    RESETS = "resets"
    """Most resets of one series within the window; no row without a reset."""
    DIPS = "dips"
    """The same of series that never fell to half of what they began with: no restart does that."""
    STILL_RESETS = "still-resets"
    """Most resets of one series within the last `STEADY_SECONDS`; no row without a reset."""
    UNKNOWN = "unknown"
    """Increase of the agent's series that carry none of its known releases; a sum over all of them."""
    UNKNOWN_BIRTHS = "unknown-births"
    """First values of such series."""
    UNFAMILIAR = "unfamiliar"
    """Counted since the counting start in series of the canary with a label value that stable never had."""
    KIN = "kin"
    """How many series of the metric the canary has, whatever their labels."""


COUNTED: Final = (Term.INCREASE, Term.BIRTHS)
WATCHED: Final = (Term.COVERED, Term.NEWEST, Term.SCRAPES)
STEADINESS: Final = (Term.RESETS, Term.DIPS, Term.STILL_RESETS)
UNATTRIBUTED: Final = (Term.UNKNOWN, Term.UNKNOWN_BIRTHS)
"""Their rows carry no release."""
RENAMED: Final = (Term.UNFAMILIAR, Term.KIN)
"""Queried only where the canary seems to have no bad outcome."""

STEADY_SECONDS: Final = 300
"""Seconds without a reset after which counters that fluctuated are steady again."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The releases and the labels whose metrics are queried."""

    namespace: str
    agent: str
    canary: str
    """Value of the release label: the AgentRelease's name."""
    stable: str | None
    labels: LabelNames = DEFAULT_LABELS
    alone: bool = False
    """Whether the canary has all the traffic, so that gates do not look at stable."""
    known_releases: tuple[str, ...] = field(default=(), compare=False)
    """Further releases of the agent, whose series are theirs, such as one that still drains."""
    by_request: bool = False
    """Whether a proxy takes agent and release from each request, so that a failed one may lose both."""

    @property
    def releases(self) -> tuple[str, ...]:
        """The release label's values that belong to the comparison."""
        return (self.canary,) if self.stable is None else (self.canary, self.stable)

    @property
    def control(self) -> str | None:
        """The release beside which the canary is judged; None if there is none."""
        return None if self.alone else self.stable


class Kin(NamedTuple):
    """The series among which the bad outcomes of a source are."""

    source: Source
    selector: Selector
    label: str
    """The label whose value makes an outcome bad; empty if the metric does."""


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """Everything that is queried about one segment of an attempt. Equal plans have the same query."""

    subject: Subject
    counting_start: datetime
    warm_start: datetime
    sources: tuple[Source, ...]
    """The position is the tag of the answer's rows."""
    totals: frozenset[Source]
    """Those that count runs, which are also queried for coverage and freshness."""
    guarded: frozenset[Source] = frozenset()
    """Those that are queried only for coverage."""
    counted: frozenset[Source] = frozenset()
    """Totals in which the canary had runs in an earlier segment, so that its series must be known at the
    counting start."""
    grown: frozenset[Source] = frozenset()
    """Those that are queried only for their increase, so that a gap cannot make them look new."""
    standing: frozenset[Source] = frozenset()
    """Those that are queried for the counters themselves."""
    steady: frozenset[Source] = frozenset()
    """Those whose resets are counted."""
    moved: frozenset[Source] = frozenset()
    """Those that are queried for the series that vanished."""
    attributed: frozenset[Source] = frozenset()
    """Bad outcomes that are also counted where they carry none of the agent's releases."""
    renamed: frozenset[Kin] = frozenset()
    """Bad outcomes that the canary can count under another name."""
    closer: frozenset[Source] = field(default=frozenset(), compare=False)
    """Those that an earlier result makes suspicious: why their counters fell, how many runs carry no release,
    and whether the canary has other names. Plans that differ in this only ask for the same counts."""
    started: Source | None = None
    """The one that counts runs when they begin; None if none is known."""
    past_end: datetime | None = None
    """When what is in the past ended."""
    asks_births: bool = True
    """False for a server whose `increase` already counts the first value of a series."""
    positions: Mapping[Source, int] = field(init=False, repr=False, compare=False)
    """The index of each source in `sources`; looked up for every number of a result."""

    def __post_init__(self) -> None:
        positions = {source: position for position, source in enumerate(self.sources)}
        object.__setattr__(self, "positions", MappingProxyType(positions))

    def start(self, source: Source) -> datetime:
        """When the source's counting starts."""
        return self.warm_start if source.start is Start.WARM else self.counting_start

    def window(self, source: Source, at: datetime) -> int:
        """Whole seconds over which the source is counted at `at`; not positive before its start."""
        if source.seconds is not None and source.start is Start.ANY:
            return source.seconds
        age = int((at - self.start(source)).total_seconds())
        return age if source.seconds is None else min(age, source.seconds)

    def has_begun(self, at: datetime) -> bool:
        """Whether some source counts at `at`, so that there is something to query."""
        return any(self.window(source, at) >= 1 for source in self.sources)

    def shift(self, source: Source, at: datetime) -> int:
        """Whole seconds before `at` at which the source's window ends."""
        return int((at - self.past_end).total_seconds()) if source.past and self.past_end else 0

    def kin(self, source: Source) -> Kin | None:
        """The series among which its bad outcomes are; None if they cannot have another name."""
        return next((kin for kin in self.renamed if kin.source == source), None)

    def terms(self, source: Source) -> tuple[Term, ...]:
        """What is queried from the source."""
        if source in self.grown:
            return (Term.INCREASE,)
        watched: tuple[Term, ...] = WATCHED if source in self.totals else ()
        guarded = (Term.COVERED,) if source in self.guarded - self.totals else ()
        value = (Term.VALUE,) if source in self.standing else ()
        moved = (Term.VANISHED,) if source in self.moved else ()
        closer = source in self.closer
        steady = (STEADINESS if closer else STEADINESS[:1]) if source in self.steady else ()
        unknown = UNATTRIBUTED if source in self.attributed or (closer and source in self.totals) else ()
        kin = self.kin(source) if closer else None
        renamed = () if kin is None else RENAMED if kin.label else RENAMED[1:]
        return (*COUNTED, *watched, *guarded, *value, *moved, *steady, *unknown, *renamed)


def plan_queries(
    gates: Iterable[ResolvedGate],
    subject: Subject,
    *,
    counting_start: datetime,
    warmup_seconds: float,
    counted: frozenset[Source] = frozenset(),
    caps: Iterable[Source] = (),
) -> QueryPlan:
    """Collect the sources of the gates, each once.

    Args:
        gates: All gates of the rollout.
        subject: Whose metrics.
        counting_start: When the current weight was seen on the route, or later if Prometheus has a hole.
        warmup_seconds: How much later means and histograms start to count, because of cold caches.
        counted: Totals in which the canary had runs in finished segments of the attempt.
        caps: Sources of the caps.
    """
    gates, caps = tuple(gates), tuple(caps)
    totals = [gate.sources.total for gate in gates]
    recent = [pair for gate in gates if not gate.counts_amounts and (pair := gate.sources.recent)]
    grown = list(chain(*(gate.sources.recent for gate in gates if gate.counts_amounts)))
    guarded = frozenset([*(total for _, total in recent), *caps])
    foreign = [gate.sources.bad for gate in gates if gate.bad.metric != gate.total.metric]
    attributed = [gate.sources.bad for gate in gates if not gate.by]
    sources = dict.fromkeys([*totals, *(gate.sources.bad for gate in gates), *chain(*recent), *grown, *caps])
    return QueryPlan(
        subject,
        counting_start,
        counting_start + timedelta(seconds=warmup_seconds),
        tuple(sources),
        totals=frozenset(totals),
        guarded=guarded,
        grown=frozenset(grown) - guarded,
        counted=counted & frozenset(totals),
        steady=frozenset([*totals, *foreign, *caps]),
        moved=frozenset([*totals, *caps]),
        attributed=frozenset(attributed),
        renamed=frozenset(filter(None, map(_kin, gates))) if subject.control else frozenset(),
    )


def _kin(gate: ResolvedGate) -> Kin | None:
    """Where the bad outcomes of a gate could be if the canary counts them under another name."""
    bad, total = gate.bad, gate.total
    if gate.by or gate.may_be_absent:
        return None
    if bad.metric != total.metric:
        return Kin(gate.sources.bad, Selector(bad.metric), "")
    own = [matcher for matcher in bad.matchers if matcher not in total.matchers]
    is_named = len(own) == 1 and own[0].operator in {"=", "=~"}  # else whatever is new is bad already
    return Kin(gate.sources.bad, total, own[0].label) if is_named else None


def tag(plan: QueryPlan, source: Source, term: Term) -> str:
    """Value of the label `src` in the rows of this term: position in the plan and term, `0.increase`."""
    return f"{plan.positions[source]}.{term}"
