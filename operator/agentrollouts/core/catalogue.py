"""The catalogue: how a user's gate becomes one that can be asked and judged.

After `templates` (the built-in gates), before `queries` (what to ask) and `gates` (how to judge). A gate is
resolved once per plan: everything a user left out comes from the template, and everything that cannot be
served is refused by name (`unserved`), so that no field is ignored in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

from agentrollouts.api.rollout import (
    Action,
    AgentRolloutSpec,
    Better,
    During,
    Gate,
    GateLimit,
    GateSource,
    GateType,
    MetricConvention,
    NoDataPolicy,
)
from agentrollouts.api.status import Severity
from agentrollouts.core.series import (
    BOUND_LABEL,
    RESERVED,
    LabelNames,
    Refusal,
    Selector,
    check_labels,
    parse_selector,
)
from agentrollouts.core.sources import GateSources, sources_of
from agentrollouts.core.swapped import swapped
from agentrollouts.core.templates import OWN_WORDS, TEMPLATES, Counted, Grade, Template
from agentrollouts.core.unserved import stages, unserved
from agentrollouts.core.words import Words

ACTIONS: Final[Mapping[Severity, Action]] = MappingProxyType(
    {
        Severity.CRITICAL: Action.ROLL_BACK,
        Severity.HIGH: Action.ROLL_BACK,
        Severity.MEDIUM: Action.HOLD,
        Severity.LOW: Action.WARN,
    }
)

MARGIN: Final[Mapping[GateType, float]] = MappingProxyType(
    {GateType.RATIO: 1.10, GateType.MEAN: 1.25, GateType.HISTOGRAM: 1.25}
)
"""`maxRatio` for a source of the user's own."""
MARGIN_HIGHER: Final = 0.98
"""`minRatio` for one where more is better."""

COUNTED_LENGTH: Final = 2200
"""The bound of `source` in a gate's status."""

MIN_SAMPLES: Final = 100
MIN_BAD: Final = 3.0
MIN_BAD_SUM: Final = 2.0
"""For a mean: the canary's sum in units of the burst factor."""
CONFIDENCE: Final = 0.99
CONFIDENCE_CRITICAL: Final = 0.95
"""What is critical is stopped sooner, at the price of more false alarms."""
CONFIDENCE_SHIFT: Final = 0.95
"""For a distribution, which only warns by default: its power was measured at this level."""


@dataclass(frozen=True, kw_only=True)
class ResolvedGate:
    """A gate with every question about it answered."""

    name: str
    kind: GateType
    bad: Selector
    """Bad outcomes; the sum, for a mean; the buckets or labelled counts, for a histogram or a shift."""
    total: Selector
    """Runs; the same series again, for a histogram or a shift."""
    by: str | None = None
    """Label by which counts are told apart."""
    better: Better
    margin: float
    """`maxRatio`, or `minRatio` where more is better."""
    confidence: float
    min_samples: int
    min_bad: float
    severity: Severity
    grades: tuple[Grade, ...] = ()
    own_action: Action | None = None
    """What the user wants to follow from a Fail, whatever its severity."""
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
    """When it is asked."""

    @cached_property
    def sources(self) -> GateSources:
        """Where it counts."""
        return sources_of(self.kind, self.bad, self.total, by=self.by, limit=self.limit)

    @property
    def is_share_test(self) -> bool:
        """Whether the two releases are compared by the share test."""
        kind = self.kind  # one by one: a set would ask the enumeration for a hash each time
        return kind is GateType.RATIO or kind is GateType.MEAN or kind is GateType.HISTOGRAM

    @property
    def compares(self) -> bool:
        """Whether it says nothing without stable."""
        return self.is_share_test or self.kind is GateType.SHIFT

    @property
    def needed(self) -> float:
        """Evidence from which on a Fail is sure enough: 100 for a confidence of 0.99."""
        return 1 / (1 - self.confidence)

    @property
    def counted(self) -> str:
        """What is counted, in what: the identity of everything that was ever measured for this gate."""
        grouped = f" by {self.by}" if self.by else ""
        limited = f" above {self.limit.value:g}" if self.limit and self.by else ""
        return f"{self.bad} of {self.total}{grouped}{limited}"[:COUNTED_LENGTH]

    def severity_at(self, ratio: float) -> Severity:
        """How bad a Fail is whose canary is `ratio` times as bad, or as good, as stable."""
        is_higher = self.better is Better.HIGHER
        reached = (g.severity for g in self.grades if (ratio < g.ratio if is_higher else ratio > g.ratio))
        return next(reached, self.severity)

    def action_at(self, severity: Severity) -> Action:
        """What follows from a Fail of that severity."""
        return self.own_action or ACTIONS[severity]


class Resolution(NamedTuple):
    """The gates of a rollout; it can be judged only where nothing was refused."""

    gates: tuple[ResolvedGate, ...]
    refusals: tuple[Refusal, ...]


def labels_of(spec: AgentRolloutSpec) -> LabelNames:
    """Under which labels the rollout's metrics carry agent and release."""
    return LabelNames(spec.metrics.labels.agent, spec.metrics.labels.release)


def resolve_all(spec: AgentRolloutSpec) -> Resolution:
    """Resolve the gates of a rollout; every refusal is listed, not just the first."""
    labels = labels_of(spec)
    refused = check_labels(labels, "spec.metrics.labels")
    if refused:
        return Resolution((), (refused,))
    convention = spec.metrics.convention
    found = [
        resolve(gate, f"spec.gates[{index}]", labels, convention) for index, gate in enumerate(spec.gates)
    ]
    return Resolution(
        tuple(gate for gate in found if isinstance(gate, ResolvedGate)),
        tuple(refusal for refusal in found if isinstance(refusal, Refusal)),
    )


def resolve(
    gate: Gate,
    field: str,
    labels: LabelNames,
    convention: MetricConvention = MetricConvention.AGENT_ROLLOUTS,
) -> ResolvedGate | Refusal:
    """Fill in a gate from its template, or say which field cannot be served.

    Args:
        gate: As the user wrote it.
        field: Where, `spec.gates[0]`.
        labels: Names of the labels that a selector of the user may not match on.
        convention: Whose metric names the templates use.
    """
    template = _template(gate, field, convention)
    if isinstance(template, Refusal):
        return template
    has_limit = template.limit is not None
    refused = unserved(gate, template.kind, gate.better or template.better, field, has_limit=has_limit)
    if refused:
        return refused
    source = template.sources[convention] if gate.source is None else _own(gate, f"{field}.source", labels)
    return source if isinstance(source, Refusal) else _filled(gate, template, source)


def _filled(gate: Gate, template: Template, source: Counted) -> ResolvedGate:
    """The user's answer to each question, else the template's, else the common one."""
    severity, better = gate.severity or _severity(gate, template), gate.better or template.better
    limit = gate.limit or _default_limit(gate, template)
    return ResolvedGate(
        name=gate.name,
        kind=template.kind,
        bad=source.bad,
        total=source.total,
        by=source.by,
        better=better,
        margin=_margin(gate, template, better),
        confidence=gate.confidence or _confidence(template.kind, severity),
        min_samples=gate.min_samples or MIN_SAMPLES,
        min_bad=gate.min_bad or (MIN_BAD_SUM if template.kind is GateType.MEAN else MIN_BAD),
        severity=severity,
        grades=() if gate.severity or better is not template.better else template.grades,
        own_action=gate.action,
        for_seconds=gate.for_seconds or 0,
        limit=limit,
        limit_is_own=gate.limit is not None,
        max_count=gate.max_count or 0,
        no_data=gate.no_data or NoDataPolicy.HOLD,
        burst=gate.burst_factor if isinstance(gate.burst_factor, float) else None,
        words=template.words,
        may_be_absent=bool(gate.may_be_absent or (gate.source and gate.source.may_be_absent)),
        is_template=gate.source is None,
        counts_runs=template.counts_runs,
        during=frozenset(gate.during or stages(template.kind, has_limit=limit is not None)),
    )


def _severity(gate: Gate, template: Template) -> Severity:
    return gate.limit.severity if gate.limit and template.kind is GateType.LIMIT else template.severity


def _confidence(kind: GateType, severity: Severity) -> float:
    if kind is GateType.SHIFT:
        return CONFIDENCE_SHIFT
    return CONFIDENCE_CRITICAL if severity is Severity.CRITICAL else CONFIDENCE


def _default_limit(gate: Gate, template: Template) -> GateLimit | None:
    """The template's; a severity that the user chose goes for it as well."""
    if template.limit is None or gate.severity is None:
        return template.limit
    return template.limit.replace(severity=gate.severity)


def _margin(gate: Gate, template: Template, better: Better) -> float:
    """The user's ratio; else the template's, unless the user turned its direction round."""
    given = gate.min_ratio if better is Better.HIGHER else gate.max_ratio
    if given is None and better is template.better:
        return template.margin
    return _default_margin(template.kind, better) if given is None else given


def _default_margin(kind: GateType, better: Better) -> float:
    return MARGIN_HIGHER if better is Better.HIGHER else MARGIN.get(kind, 1.0)


def _template(gate: Gate, field: str, convention: MetricConvention) -> Template | Refusal:
    """The row that a gate starts from: a built-in one, or one made of the user's own source."""
    if gate.source is not None:
        kind = gate.type or GateType.RATIO
        better = gate.better or (Better.LOWER if gate.min_ratio is None else Better.HIGHER)
        margin, words = _default_margin(kind, better), OWN_WORDS.get(kind, Words())
        return Template(kind=kind, severity=Severity.HIGH, margin=margin, better=better, words=words)
    found = TEMPLATES.get(gate.template or "")
    if found is None:
        return Refusal(
            f"{field}.template", f"there is no template {gate.template}; one of: {', '.join(TEMPLATES)}"
        )
    if gate.type not in (None, found.kind):
        return Refusal(
            f"{field}.type", f"template {gate.template} is of type {found.kind}; leave the type out"
        )
    if convention not in found.sources:
        return Refusal(
            f"{field}.template",
            f"the convention {convention} has no metric for {gate.template}; "
            "name your own by `source` instead",
        )
    return found


def _own(gate: Gate, field: str, labels: LabelNames) -> Counted | Refusal:
    """The user's series: buckets, a counter with the label whose mix is compared, or two counters."""
    source = gate.source or GateSource()
    texts = {"buckets": source.buckets, "bad": source.bad, "total": source.total}
    selectors = []
    for key, text in texts.items():
        if text is None:
            continue
        selector = parse_selector(text, field=f"{field}.{key}", labels=labels)
        if isinstance(selector, Refusal):
            return selector
        selectors.append(selector)
    if source.label in RESERVED | {labels.agent, labels.release}:
        return Refusal(f"{field}.label", f"{source.label} is no label of outcomes; name one of your metric")
    found = Counted(selectors[0], selectors[-1], BOUND_LABEL if source.buckets else source.label)
    return swapped(found.bad, found.total, gate.type or GateType.RATIO, field) or found
