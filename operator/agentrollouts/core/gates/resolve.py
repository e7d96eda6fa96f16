"""From `spec.gates` to gates that can be queried and judged.

A gate is resolved once per plan: everything that a user left out comes from the template, and everything
unsupported is rejected by name, so no field is ignored in silence.
"""

from typing import Final, NamedTuple

from agentrollouts.api.analysis import MetricConvention
from agentrollouts.api.gates import Better, Gate, GateLimit, GateSource, NoDataPolicy
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.verdict import Severity
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.kinds import DEFAULT, Traits, traits_of
from agentrollouts.core.gates.selector import (
    BOUND_LABEL,
    RESERVED,
    LabelNames,
    Refusal,
    check_labels,
    parse_selector,
)
from agentrollouts.core.gates.swapped import swapped
from agentrollouts.core.gates.templates import TEMPLATES, Counted, Template
from agentrollouts.core.gates.validate import unserved

MARGIN_HIGHER: Final = 0.98
"""`minRatio` for a source of the user's own where more is better."""
MIN_SAMPLES: Final = 100
CONFIDENCE: Final = 0.99
CONFIDENCE_CRITICAL: Final = 0.95
"""What is critical is stopped sooner, at the price of more false alarms."""


class Resolution(NamedTuple):
    """The gates of a rollout; it can be judged only where nothing was refused."""

    gates: tuple[ResolvedGate, ...]
    refusals: tuple[Refusal, ...]


def labels_of(spec: AgentRolloutSpec) -> LabelNames:
    """Under which labels the rollout's metrics carry agent, release and cohort."""
    labels = spec.metrics.labels
    return LabelNames(labels.agent, labels.release, cohort=labels.cohort)


def resolve_all(spec: AgentRolloutSpec) -> Resolution:
    """Resolve the gates of a rollout; every refusal is listed, not just the first."""
    labels = labels_of(spec)
    refused = check_labels(labels, "spec.metrics.labels")
    if refused:
        return Resolution((), (refused,))
    convention = spec.metrics.convention
    resolved = [
        resolve(gate, f"spec.gates[{index}]", labels, convention) for index, gate in enumerate(spec.gates)
    ]
    return Resolution(
        tuple(gate for gate in resolved if isinstance(gate, ResolvedGate)),
        tuple(refusal for refusal in resolved if isinstance(refusal, Refusal)),
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
        labels: Names of the labels that a selector of the user must not match on.
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
    return source if isinstance(source, Refusal) else _with_effect(_filled(gate, template, source), field)


def _with_effect(gate: ResolvedGate, field: str) -> ResolvedGate | Refusal:
    """The gate, unless it limits a hold that none of its Fails leads to."""
    if gate.fuse_seconds is None or gate.may_hold:
        return gate
    what = f"action {gate.own_action}" if gate.own_action else f"severity {gate.severity}"
    return Refusal(
        f"{field}.rollBackAfterSeconds",
        f"a Fail of {what} does not hold the attempt; set `action: Hold`, or remove it",
    )


def _filled(gate: Gate, template: Template, source: Counted) -> ResolvedGate:
    """The user's answer to each question, else the template's, else the common one."""
    severity, better = gate.severity or _severity(gate, template), gate.better or template.better
    limit, traits = gate.limit or _default_limit(gate, template), traits_of(template.kind)
    return ResolvedGate(
        name=gate.name,
        kind=template.kind,
        bad=source.bad,
        total=source.total,
        by=source.by,
        better=better,
        margin=_margin(gate, template, better),
        confidence=gate.confidence or traits.confidence or _confidence(severity),
        min_samples=gate.min_samples or MIN_SAMPLES,
        min_bad=gate.min_bad or traits.min_bad,
        severity=severity,
        grades=() if gate.severity or better is not template.better else template.grades,
        own_action=gate.action,
        fuse_seconds=gate.roll_back_after_seconds,
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
        during=frozenset(gate.during or traits.stages(has_limit=limit is not None)),
    )


def _severity(gate: Gate, template: Template) -> Severity:
    needs_limit = traits_of(template.kind).needs_limit
    return gate.limit.severity if gate.limit and needs_limit else template.severity


def _confidence(severity: Severity) -> float:
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
    return _default_margin(traits_of(template.kind), better) if given is None else given


def _default_margin(traits: Traits, better: Better) -> float:
    return MARGIN_HIGHER if better is Better.HIGHER else traits.margin


def _template(gate: Gate, field: str, convention: MetricConvention) -> Template | Refusal:
    """The row that a gate starts from: a built-in one, or one made of the user's own source."""
    if gate.source is not None:
        kind = gate.type or DEFAULT
        better = gate.better or (Better.LOWER if gate.min_ratio is None else Better.HIGHER)
        traits = traits_of(kind)
        margin = _default_margin(traits, better)
        return Template(kind=kind, severity=Severity.HIGH, margin=margin, better=better, words=traits.words)
    template = TEMPLATES.get(gate.template or "")
    if template is None:
        return Refusal(
            f"{field}.template", f"there is no template {gate.template}; one of: {', '.join(TEMPLATES)}"
        )
    if gate.type not in (None, template.kind):
        return Refusal(
            f"{field}.type", f"template {gate.template} is of type {template.kind}; remove the type"
        )
    if convention not in template.sources:
        return Refusal(
            f"{field}.template",
            f"the convention {convention} has no metric for {gate.template}; use `source` instead",
        )
    return template


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
    if source.label in RESERVED | labels.own:
        return Refusal(
            f"{field}.label", f"{source.label} is not an outcome label; use a label of your metric"
        )
    counted = Counted(selectors[0], selectors[-1], BOUND_LABEL if source.buckets else source.label)
    return swapped(counted.bad, counted.total, traits_of(gate.type or DEFAULT), field) or counted
