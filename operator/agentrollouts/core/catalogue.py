"""The catalogue: how a user's gate becomes one that can be asked and judged.

After `templates` (the built-in gates), before `queries` (what to ask) and `gates` (how to judge). A gate is
resolved once per plan: everything a user left out comes from the template, and everything that cannot be
served is refused by name, so that no field is ignored in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from agentrollouts.api.rollout import (
    Action,
    AgentRolloutSpec,
    Better,
    During,
    Gate,
    GateSource,
    GateType,
    MetricConvention,
    NoDataPolicy,
)
from agentrollouts.api.status import Severity
from agentrollouts.core.series import LabelNames, Refusal, Selector, check_labels, parse_selector
from agentrollouts.core.templates import TEMPLATES, Template
from agentrollouts.core.words import Words

SERVED: Final = (GateType.RATIO, GateType.MEAN, GateType.HISTOGRAM)
USE_SERVED: Final = "use Ratio, Mean or Histogram"
COUNT_BAD: Final = "count the undesired outcome"

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
OWN_WORDS: Final[Mapping[GateType, Words]] = MappingProxyType(
    {GateType.MEAN: Words("runs", ""), GateType.HISTOGRAM: Words("runs", "runs above {bound}")}
)

MIN_SAMPLES: Final = 100
MIN_BAD: Final[Mapping[GateType, float]] = MappingProxyType(
    {GateType.RATIO: 3.0, GateType.HISTOGRAM: 3.0, GateType.MEAN: 2.0}
)
"""For a mean, the canary's sum in units of the burst factor."""
CONFIDENCE: Final = 0.99
CONFIDENCE_CRITICAL: Final = 0.95
"""What is critical is stopped sooner, at the price of more false alarms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedGate:
    """A gate with every question about it answered."""

    name: str
    kind: GateType
    """One of `SERVED`."""
    bad: Selector
    """Bad outcomes; the sum, for a mean; the buckets, for a histogram."""
    total: Selector
    """Runs; the same buckets, for a histogram."""
    better: Better
    margin: float
    """`maxRatio`, or `minRatio` where more is better."""
    confidence: float
    min_samples: int
    min_bad: float
    severity: Severity
    action: Action
    no_data: NoDataPolicy
    burst: float | None
    """As the user set it; None to measure it."""
    words: Words

    @property
    def needed(self) -> float:
        """Evidence from which on a Fail is sure enough: 100 for a confidence of 0.99."""
        return 1 / (1 - self.confidence)


class Resolution(NamedTuple):
    """The gates of a rollout; it can be judged only where nothing was refused."""

    gates: tuple[ResolvedGate, ...]
    refusals: tuple[Refusal, ...]


def resolve_all(spec: AgentRolloutSpec) -> Resolution:
    """Resolve the gates of a rollout; every refusal is listed, not just the first."""
    labels = LabelNames(spec.metrics.labels.agent, spec.metrics.labels.release)
    refused = check_labels(labels, "spec.metrics.labels") or _check_convention(spec.metrics.convention)
    if refused:
        return Resolution((), (refused,))
    found = [resolve(gate, f"spec.gates[{index}]", labels) for index, gate in enumerate(spec.gates)]
    return Resolution(
        tuple(gate for gate in found if isinstance(gate, ResolvedGate)),
        tuple(refusal for refusal in found if isinstance(refusal, Refusal)),
    )


def resolve(gate: Gate, field: str, labels: LabelNames) -> ResolvedGate | Refusal:
    """Fill in a gate from its template, or say which field cannot be served.

    Args:
        gate: As the user wrote it.
        field: Where, `spec.gates[0]`.
        labels: Names of the labels that a selector of the user may not match on.
    """
    template = _template(gate, field, labels)
    if isinstance(template, Refusal):
        return template
    refused = _unserved(gate, template, field)
    if refused or template.bad is None or template.total is None:
        return refused or Refusal(f"{field}.template", "has no metric in the convention AgentRollouts")
    severity = gate.severity or template.severity
    better = gate.better or template.better
    is_critical = severity is Severity.CRITICAL
    return ResolvedGate(
        name=gate.name,
        kind=template.kind,
        bad=template.bad,
        total=template.total,
        better=better,
        margin=_margin(gate, template, better),
        confidence=gate.confidence or (CONFIDENCE_CRITICAL if is_critical else CONFIDENCE),
        min_samples=gate.min_samples or MIN_SAMPLES,
        min_bad=gate.min_bad or MIN_BAD[template.kind],
        severity=severity,
        action=gate.action or ACTIONS[severity],
        no_data=gate.no_data or NoDataPolicy.HOLD,
        burst=gate.burst_factor if isinstance(gate.burst_factor, float) else None,
        words=template.words,
    )


def _margin(gate: Gate, template: Template, better: Better) -> float:
    """The user's ratio; else the template's, unless the user turned its direction round."""
    given = gate.min_ratio if better is Better.HIGHER else gate.max_ratio
    if given is None and better is template.better:
        return template.margin
    return _default_margin(template.kind, better) if given is None else given


def _default_margin(kind: GateType, better: Better) -> float:
    return MARGIN_HIGHER if better is Better.HIGHER else MARGIN.get(kind, 1.0)


def _check_convention(convention: MetricConvention) -> Refusal | None:
    if convention is MetricConvention.AGENT_ROLLOUTS:
        return None
    return Refusal(
        "spec.metrics.convention",
        f"{convention} is not served yet; leave it out and name your metrics by `source` in each gate",
    )


def _template(gate: Gate, field: str, labels: LabelNames) -> Template | Refusal:
    """The row that a gate starts from: a built-in one, or one made of the user's own source."""
    if gate.source is not None:
        return _own(gate, gate.source, f"{field}.source", labels)
    found = TEMPLATES.get(gate.template or "")
    if found is None:
        return Refusal(
            f"{field}.template", f"there is no template {gate.template}; one of: {', '.join(TEMPLATES)}"
        )
    if gate.type not in (None, found.kind):
        return Refusal(
            f"{field}.type", f"template {gate.template} is of type {found.kind}; leave the type out"
        )
    return found


def _own(gate: Gate, source: GateSource, field: str, labels: LabelNames) -> Template | Refusal:
    kind = gate.type or GateType.RATIO
    better = gate.better or (Better.LOWER if gate.min_ratio is None else Better.HIGHER)
    is_histogram = kind is GateType.HISTOGRAM
    texts = {"buckets": source.buckets} if is_histogram else {"bad": source.bad, "total": source.total}
    selectors = []
    for key, text in texts.items():
        selector = parse_selector(text or "", field=f"{field}.{key}", labels=labels)
        if isinstance(selector, Refusal):
            return selector
        selectors.append(selector)
    words, margin = OWN_WORDS.get(kind, Words()), _default_margin(kind, better)
    return Template(kind, selectors[0], selectors[-1], margin, Severity.HIGH, words, better)


def _unserved(gate: Gate, template: Template, field: str) -> Refusal | None:
    """The first field that is understood and not served yet, or that does not fit the others."""
    kind, is_higher = template.kind, (gate.better or template.better) is Better.HIGHER
    rows = (
        (
            kind not in SERVED,
            "type" if gate.type else "template",
            f"type {kind} is not served yet; {USE_SERVED}",
        ),
        (gate.limit is not None, "limit", "absolute limits are not served yet; leave it out"),
        (
            gate.max_count is not None,
            "maxCount",
            "belongs to type Count, which is not served yet; leave it out",
        ),
        (
            gate.for_seconds,
            "forSeconds",
            "is not served yet; leave it out, the test allows for being repeated",
        ),
        (gate.during not in (None, (During.CANARY,)), "during", "only [Canary] is served yet"),
        (
            is_higher and kind is not GateType.RATIO,
            "better",
            f"a {kind} cannot be better Higher; {COUNT_BAD}",
        ),
        (is_higher and gate.max_ratio is not None, "maxRatio", "goes with better Lower; here set minRatio"),
        (
            not is_higher and gate.min_ratio is not None,
            "minRatio",
            "goes with better Higher; here set maxRatio",
        ),
    )
    return next((Refusal(f"{field}.{key}", message) for broken, key, message in rows if broken), None)
