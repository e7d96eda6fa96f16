"""Resolving gates: what a template fills in, what a user may change, and what is refused by name."""

from typing import Any

import promql_parser
import pytest

from agentrollouts.api.analysis import MetricConvention
from agentrollouts.api.gates import Better, During, GateLimit, GateType, NoDataPolicy, OnFail
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.verdict import Severity
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import Resolution, resolve_all
from agentrollouts.core.gates.selector import Matcher, Refusal, Selector
from agentrollouts.core.gates.templates import TEMPLATES
from agentrollouts.core.gates.wording import Words
from testkit.gates import a_gate, resolution

RUNS = Selector("agent_runs_total")
SOURCE = {"bad": 'jobs_total{state="lost"}', "total": "jobs_total"}


def test_the_default_gates_resolve() -> None:
    """A rollout that names no gates gets four that can be asked."""
    resolved = resolve_all(AgentRolloutSpec.model_validate({"agent": "a", "releaseRef": {"name": "r"}}))

    assert resolved.refusals == ()
    assert [(gate.name, gate.kind) for gate in resolved.gates] == [
        ("errors", GateType.RATIO),
        ("completion", GateType.RATIO),
        ("latency", GateType.HISTOGRAM),
        ("cost", GateType.MEAN),
    ]


def test_a_template_answers_every_question() -> None:
    """A name and a template are a complete gate."""
    assert a_gate(template="error-rate") == ResolvedGate(
        name="g",
        kind=GateType.RATIO,
        bad=Selector("agent_runs_total", (Matcher("outcome", "=", "failed"),)),
        total=RUNS,
        better=Better.LOWER,
        margin=1.10,
        confidence=0.99,
        min_samples=100,
        min_bad=3.0,
        severity=Severity.HIGH,
        limit=GateLimit(value=0.15, for_seconds=120, window_seconds=300, severity=Severity.CRITICAL),
        no_data=NoDataPolicy.HOLD,
        burst=None,
        words=Words("runs", "failures"),
        is_template=True,
        counts_runs=True,
        during=frozenset(During),
    )


def test_a_user_overrides_every_answer() -> None:
    """What the user writes goes before the template."""
    gate = a_gate(
        template="error-rate",
        severity="Medium",
        action="Warn",
        maxRatio="1.5",
        confidence="0.999",
        minSamples=20,
        minBad=5,
        burstFactor="2.5",
        noData="Ignore",
    )

    assert (gate.severity, gate.no_data) == (Severity.MEDIUM, NoDataPolicy.IGNORE)
    assert [gate.action_at(severity) for severity in Severity] == [OnFail.WARN] * 4
    assert (gate.margin, gate.confidence, gate.min_samples) == (1.5, 0.999, 20)
    assert (gate.min_bad, gate.burst) == (5.0, 2.5)


@pytest.mark.parametrize(
    ("severity", "action", "needed"),
    [
        ("Critical", OnFail.ROLL_BACK, 20),
        ("High", OnFail.ROLL_BACK, 100),
        ("Medium", OnFail.HOLD, 100),
        ("Low", OnFail.WARN, 100),
    ],
)
def test_severity_decides_what_follows_and_how_sure(severity: str, action: OnFail, needed: float) -> None:
    """Critical and High roll back, Medium holds, Low warns; what is critical is stopped sooner."""
    gate = a_gate(template="error-rate", severity=severity)

    assert gate.action_at(gate.severity) is action
    assert gate.limit is not None
    assert gate.limit.severity is gate.severity
    assert gate.needed == pytest.approx(needed)


OURS, OTEL, LITELLM = MetricConvention
EVERY = [(name, convention) for name, template in TEMPLATES.items() for convention in template.sources]
ABSENT = [(name, OTEL) for name in TEMPLATES if OTEL not in TEMPLATES[name].sources]
ABSENT += [(name, LITELLM) for name in TEMPLATES if LITELLM not in TEMPLATES[name].sources]


def test_the_catalogue_is_the_specifications() -> None:
    """Every name of the specification's table is served, all of them under our own names."""
    conventions = {name: list(template.sources) for name, template in TEMPLATES.items()}

    assert conventions == {
        "error-rate": [OURS, OTEL, LITELLM],
        "task-completion": [OURS],
        "accuracy": [OURS],
        "validation-pass": [OURS],
        "escalation": [OURS],
        "refusal": [OURS],
        "tool-errors": [OURS, OTEL],
        "tool-hallucination": [OURS],
        "loop": [OURS, OTEL],
        "tool-calls-per-run": [OURS, OTEL],
        "cost-per-run": [OURS, LITELLM],
        "tokens-per-run": [OURS, OTEL, LITELLM],
        "latency": [OURS, OTEL, LITELLM],
        "acceptance": [OURS],
        "human-correction": [OURS],
        "violations": [OURS],
        "decision-mix": [OURS],
        "tool-mix": [OURS, OTEL],
        "output-length": [OURS, OTEL],
    }


@pytest.mark.parametrize(("name", "convention"), EVERY)
def test_every_template_resolves_to_selectors_that_parse(name: str, convention: MetricConvention) -> None:
    """A row of the table is enough for a gate."""
    resolved = resolution({"template": name}, metrics={"convention": convention})

    assert resolved.refusals == ()
    (gate,) = resolved.gates
    assert isinstance(promql_parser.parse(str(gate.bad)), promql_parser.VectorSelector)
    assert isinstance(promql_parser.parse(str(gate.total)), promql_parser.VectorSelector)
    assert (gate.margin < 1) == (gate.better is Better.HIGHER)


@pytest.mark.parametrize(("name", "convention"), ABSENT)
def test_a_template_without_a_metric_in_the_convention_is_refused(
    name: str, convention: MetricConvention
) -> None:
    """It is named, with its convention, and nothing is judged in its place."""
    message = f"the convention {convention} has no metric for {name}; use `source` instead"

    resolved = resolution({"template": name}, metrics={"convention": convention})

    assert resolved == Resolution((), (Refusal("spec.gates[0].template", message),))


@pytest.mark.parametrize(
    ("gate", "ratio", "severity"),
    [
        ({"template": "task-completion"}, 0.81, Severity.HIGH),
        ({"template": "task-completion"}, 0.79, Severity.CRITICAL),
        ({"template": "accuracy"}, 0.91, Severity.MEDIUM),
        ({"template": "accuracy"}, 0.89, Severity.HIGH),
        ({"template": "cost-per-run"}, 2.9, Severity.MEDIUM),
        ({"template": "cost-per-run"}, 3.1, Severity.CRITICAL),
        ({"template": "cost-per-run", "severity": "Low"}, 3.1, Severity.LOW),
        ({"template": "task-completion", "better": "Lower"}, 0.1, Severity.HIGH),
    ],
)
def test_severity_rises_with_how_much_worse_it_is(
    gate: dict[str, Any], ratio: float, severity: Severity
) -> None:
    """Some templates have grades; a severity of the user's is one for all."""
    assert a_gate(**gate).severity_at(ratio) is severity


def test_a_limit_gate_has_the_severity_of_its_limit() -> None:
    """Unless the gate has one of its own."""
    limited = {"source": SOURCE, "type": "Limit", "limit": {"value": "0.2", "severity": "Medium"}}

    assert a_gate(**limited).severity is Severity.MEDIUM
    assert a_gate(**limited, severity="High").severity is Severity.HIGH


def test_a_shift_of_ones_own_has_a_label_or_buckets() -> None:
    """A mix is one counter and the label that is compared; a distribution is buckets."""
    mix = a_gate(type="Shift", source={"total": "jobs_total", "label": "queue"})
    lengths = a_gate(type="Shift", source={"buckets": "job_size_bucket"})

    assert (mix.bad, mix.total, mix.by) == (Selector("jobs_total"), Selector("jobs_total"), "queue")
    assert (lengths.bad, lengths.by, lengths.confidence) == (Selector("job_size_bucket"), "le", 0.95)


def test_a_source_of_ones_own_is_a_ratio_by_default() -> None:
    """Two counters are a gate."""
    gate = a_gate(source=SOURCE)

    assert (gate.kind, gate.margin, gate.severity) == (GateType.RATIO, 1.10, Severity.HIGH)
    assert gate.bad == Selector("jobs_total", (Matcher("state", "=", "lost"),))
    assert gate.total == Selector("jobs_total")
    assert gate.words == Words("runs", "bad runs")


@pytest.mark.parametrize(
    ("gate", "kind", "better", "margin", "min_bad"),
    [
        ({"type": "Mean", "source": SOURCE}, GateType.MEAN, Better.LOWER, 1.25, 2.0),
        (
            {"type": "Histogram", "source": {"buckets": "t_bucket"}},
            GateType.HISTOGRAM,
            Better.LOWER,
            1.25,
            3.0,
        ),
        ({"better": "Higher", "source": SOURCE}, GateType.RATIO, Better.HIGHER, 0.98, 3.0),
        ({"minRatio": "0.9", "source": SOURCE}, GateType.RATIO, Better.HIGHER, 0.9, 3.0),
        ({"better": "Higher", "template": "error-rate"}, GateType.RATIO, Better.HIGHER, 0.98, 3.0),
        ({"better": "Lower", "template": "accuracy"}, GateType.RATIO, Better.LOWER, 1.10, 3.0),
        ({"minRatio": "0", "template": "accuracy"}, GateType.RATIO, Better.HIGHER, 0.0, 3.0),
    ],
)
def test_defaults_follow_type_and_direction(
    gate: dict[str, Any], kind: GateType, better: Better, margin: float, min_bad: float
) -> None:
    """What the user leaves out fits what the user wrote."""
    resolved = a_gate(**gate)

    assert (resolved.kind, resolved.better, resolved.margin, resolved.min_bad) == (
        kind,
        better,
        margin,
        min_bad,
    )


def test_the_burst_factor_of_a_sum_is_in_the_unit_of_the_sum() -> None:
    """Fifteen cents that come together are less than 1 and a good factor for a cost."""
    assert a_gate(template="cost-per-run", burstFactor="0.15").burst == 0.15


def test_a_histogram_counts_runs_in_its_own_buckets() -> None:
    """Bad and total are the same series."""
    gate = a_gate(type="Histogram", source={"buckets": 't_bucket{kind="chat"}'})

    assert gate.bad == gate.total == Selector("t_bucket", (Matcher("kind", "=", "chat"),))


REFUSED = {
    "an unknown template": (
        {"template": "happiness"},
        "template",
        f"there is no template happiness; one of: {', '.join(TEMPLATES)}",
    ),
    "a type that the template does not have": (
        {"template": "error-rate", "type": "Mean"},
        "type",
        "template error-rate is of type Ratio; remove the type",
    ),
    "a limit on a sum": (
        {"template": "cost-per-run", "limit": {"value": "0.15"}},
        "limit",
        "a Mean has no share of bad runs to limit; for a sum use spec.caps",
    ),
    "a limit that is no share": (
        {"template": "error-rate", "limit": {"value": "15"}},
        "limit.value",
        "is a share of bad runs, at most 1",
    ),
    "a count of what is compared": (
        {"template": "error-rate", "maxCount": 0},
        "maxCount",
        "goes with type Count, not Ratio",
    ),
    "a waiting time for what acts at once": (
        {"template": "violations", "forSeconds": 60},
        "forSeconds",
        "a Count is not evaluated at every check; remove it",
    ),
    "a ratio for what compares none": (
        {"template": "violations", "maxRatio": "2"},
        "maxRatio",
        "a Count does not compare rates",
    ),
    "a confidence where nothing is tested": (
        {"template": "violations", "confidence": "0.9"},
        "confidence",
        "a Count has none to set; remove it",
    ),
    "bad outcomes of a mix": (
        {"template": "tool-mix", "minBad": 2},
        "minBad",
        "a Shift needs no number of bad outcomes; remove it",
    ),
    "a burst factor for a count": (
        {"template": "violations", "burstFactor": "2"},
        "burstFactor",
        "a Count has no evidence to divide; remove it",
    ),
    "clusters of less than one": (
        {"template": "error-rate", "burstFactor": "0.5"},
        "burstFactor",
        "of a Ratio must be at least 1",
    ),
    "a sum in units of nothing": (
        {"template": "cost-per-run", "burstFactor": "0"},
        "burstFactor",
        "of a Mean must be above 0",
    ),
    "the mix of releases": (
        {"type": "Shift", "source": {"total": "jobs_total", "label": "release"}},
        "source.label",
        "release is not an outcome label; use a label of your metric",
    ),
    "another time": (
        {"template": "task-completion", "during": ["Canary", "Full"]},
        "during",
        "at 100% there is no stable to compare a Ratio with; set `limit`, or remove Full",
    ),
    "a mean at all of the traffic": (
        {"template": "cost-per-run", "during": ["Full"]},
        "during",
        "at 100% there is no stable to compare a Mean with; remove Full",
    ),
    "a count after a rollback": (
        {"template": "violations", "during": ["Canary", "Verify"]},
        "during",
        "a Count does not compare stable with what it was before; remove Verify",
    ),
    "a mean where more is better": (
        {"template": "cost-per-run", "better": "Higher"},
        "better",
        "a Mean cannot be better Higher; count the undesired outcome",
    ),
    "a maximum where more is better": (
        {"template": "accuracy", "maxRatio": "1.1"},
        "maxRatio",
        "goes with better Lower; here set minRatio",
    ),
    "a minimum where less is better": (
        {"template": "error-rate", "minRatio": "0.9"},
        "minRatio",
        "goes with better Higher; here set maxRatio",
    ),
    "a query instead of a selector": (
        {"source": SOURCE | {"total": "sum(jobs_total)"}},
        "source.total",
        (
            'must be one metric with matchers, like agent_runs_total{outcome="failed"}; '
            "the operator adds increase, range and grouping"
        ),
    ),
    "another namespace's metrics": (
        {"source": SOURCE | {"bad": 'jobs_total{namespace="other"}'}},
        "source.bad",
        "must not match on namespace, which the operator sets itself; remove it",
    ),
    "fuse of a rollback": (
        {"template": "error-rate", "rollBackAfterSeconds": 60},
        "rollBackAfterSeconds",
        "a Fail of severity High does not hold the attempt; set `action: Hold`, or remove it",
    ),
    "fuse of a warning": (
        {"template": "error-rate", "action": "Warn", "rollBackAfterSeconds": 60},
        "rollBackAfterSeconds",
        "a Fail of action Warn does not hold the attempt; set `action: Hold`, or remove it",
    ),
}


@pytest.mark.parametrize(
    "gate",
    [
        {"template": "error-rate", "action": "Hold"},
        {"template": "error-rate", "severity": "Medium"},
        {"template": "error-rate", "limit": {"value": "0.1", "severity": "Medium"}},
        {"template": "cost-per-run"},
    ],
    ids=["action", "severity", "limit", "grade"],
)
def test_a_gate_that_may_hold_may_have_a_fuse(gate: dict[str, Any]) -> None:
    """By its action, or by any severity that a Fail of it can have."""
    assert a_gate(**gate, rollBackAfterSeconds=60).fuse_seconds == 60


@pytest.mark.parametrize(("gate", "field", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_served_is_refused_by_field(gate: dict[str, Any], field: str, message: str) -> None:
    """No field is ignored in silence: the refusal names it and says what to do."""
    assert resolution(gate) == Resolution((), (Refusal(f"spec.gates[0].{field}", message),))


@pytest.mark.parametrize(
    ("gate", "during"),
    [
        ({"template": "error-rate"}, {"Canary", "Full", "Verify"}),
        ({"template": "error-rate", "during": ["Full"]}, {"Full"}),
        ({"template": "latency"}, {"Canary", "Full", "Verify"}),
        ({"template": "task-completion"}, {"Canary", "Verify"}),
        ({"template": "task-completion", "limit": {"value": "0.5"}}, {"Canary", "Full", "Verify"}),
        ({"template": "cost-per-run"}, {"Canary", "Verify"}),
        ({"template": "violations"}, {"Canary", "Full"}),
        ({"template": "decision-mix"}, {"Canary"}),
        ({"type": "Limit", "source": SOURCE, "limit": {"value": "0.1"}}, {"Canary", "Full"}),
    ],
)
def test_when_a_gate_is_asked(gate: dict[str, Any], during: set[str]) -> None:
    """Wherever it has something to say, unless the user says when."""
    assert a_gate(**gate).during == during


def test_saying_what_is_the_case_anyway_is_no_request_for_more() -> None:
    """All stages by name, and no wait."""
    every = ["Canary", "Full", "Verify"]
    assert a_gate(template="error-rate", during=every, forSeconds=0) == a_gate(template="error-rate")


def test_every_refused_gate_is_listed() -> None:
    """A user sees everything that is wrong at once, each by its place in the list."""
    resolved = resolution(
        {"name": "a", "template": "x"}, {"name": "b", "template": "latency"}, {"name": "c", "template": "y"}
    )

    assert [refusal.field for refusal in resolved.refusals] == [
        "spec.gates[0].template",
        "spec.gates[2].template",
    ]
    assert [gate.name for gate in resolved.gates] == ["b"]


@pytest.mark.parametrize(
    ("metrics", "refusal"),
    [
        (
            {"labels": {"agent": "release"}},
            Refusal("spec.metrics.labels.release", "release is the agent label already; the two must differ"),
        ),
    ],
)
def test_metrics_that_cannot_be_served_refuse_the_rollout(metrics: dict[str, Any], refusal: Refusal) -> None:
    """Where no gate can be asked, none is."""
    assert resolution({"template": "latency"}, metrics=metrics) == Resolution((), (refusal,))


def test_a_rollout_without_gates_has_none() -> None:
    """A plan by approvals alone is judged by people."""
    phases = [{"name": "p", "weight": 5, "durationSeconds": 60, "approval": "Required"}]

    assert resolution(phases=phases) == Resolution((), ())
