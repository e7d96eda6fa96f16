"""Payloads in every field of a tenant that reaches a query: refused by path, or just one more selector.

Each payload is an attack of one family in one carrier. What is accepted must give a query of the same shape
as a harmless selector gives, in which every selector is kept to the namespace, the agent and the releases.
"""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import promql_parser
import pytest
from pydantic import ValidationError

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.analysis.caps import resolve_caps
from agentrollouts.core.gates.resolve import labels_of, resolve_all
from agentrollouts.core.gates.selector import (
    DEFAULT_LABELS,
    LabelNames,
    Refusal,
    alternatives,
    parse_selector,
)
from agentrollouts.core.metrics.promql import render, render_burst
from agentrollouts.core.metrics.queries import Subject, plan_queries
from agentrollouts.settings.sources import PrometheusSource
from tests.core.metrics.selected import selectors

START: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
AT: Final = START + timedelta(seconds=900)

ATTACKS: Final[Mapping[str, tuple[str, ...]]] = {
    "quotes": ('"', "'", "`", '""', "'\"", '"}', '"} or vector(1) #', '"} or m{a="', '",b="', "\\'", "\"'`"),
    "braces": ("{", "}", "{}", "}}", "}{", "{{", "} or m{", "}[5m]", "} unless m{"),
    "backslashes": ("\\", '\\"', "\\\\", "\\x22", "\\u0022", "\\042", '\\\\"} or vector(1) #', "\\u{22}"),
    "lines": ("\n", "\r\n", "\n#", "\t", "\0", "\u2028", "\x85", '"\n} or vector(1)\n#'),
    "operators": (" or vector(1)", " or on() m", " unless m", " and m", " > 0", " == bool 1", " * 0", "-m"),
    "comments": ("#", " # }", '" # ', "//", "/* */"),
    "names": ("__name__", '__name__=~".+"', '{__name__=~".+"}', '"m"', '{"m"}', "__name__!=''"),
    "our labels": (
        'namespace="other"',
        'agent=~".*"',
        'release!=""',
        'le="1"',
        'src="x"',
        '" or namespace="other',
        'a="b" or namespace="other"',
        '"namespace"="other"',
        "namespace",
        "agent",
        "release",
        "le",
        "src",
    ),
    "regular expressions": (
        ".*",
        ".*|shop",
        "(?i)x",
        "|",
        "^.*$",
        ")|(",
        "[^a]*",
        "((x+)+)+",
        "a{1000}{1000}",
    ),
    "letters that look alike": (
        "\u0430",
        "\uff4eamespace",
        "namespace\u200b",
        "\u202e",
        "\uff02",
        "\u0301",
        "🦊",
    ),
    "times": (" offset 5m", " offset -5m", " @ 0", " @ end()", "[5m]", "[100y]", "[5m:1s]", "[1h] offset 1d"),
    "functions": (
        "sum(m)",
        "rate(m[5m])",
        "absent(m)",
        'label_replace(m,"release","x","","")',
        "vector(1)",
        "time()",
        "topk(9, m)",
        'count_values("a", m)',
    ),
    "templates": ("{{ .Value }}", "{0.__class__}", "${x}", "%s", "%(x)s", "{selector}", "$__range", "$(id)"),
    "lengths": ("a" * 2000, '"' * 600, "{" * 600, 'x="y",' * 100, "(" * 500, "-" * 600, "\\w" * 300),
    "terminals": ("\x1b[31m", "\x07", "\x9b31m", "\x7f"),
}
"""By family; most are harmless inside a string and must stay there."""

CARRIERS: Final[Mapping[str, str]] = {
    "alone": "ATTACK",
    "after a metric": "mATTACK",
    "as matchers": "m{ATTACK}",
    "as a label": 'm{ATTACK="v"}',
    "in double quotes": 'm{x="ATTACK"}',
    "in a regular expression": 'm{x=~"ATTACK"}',
}

TEXTS: Final = tuple(
    dict.fromkeys(
        carrier.replace("ATTACK", attack)
        for attacks in ATTACKS.values()
        for attack in attacks
        for carrier in CARRIERS.values()
    )
)

NAMES: Final = tuple(
    dict.fromkeys(
        carrier.replace("ATTACK", attack)
        for attacks in ATTACKS.values()
        for attack in attacks
        for carrier in ("ATTACK", "shopATTACK", "ATTACKshop")
    )
)

SPEC: Final[Mapping[str, Any]] = {
    "agent": "support",
    "releaseRef": {"name": "support-4.2.0"},
    "metrics": {"labels": {"agent": "agent", "release": "release"}},
    "gates": [
        {"name": "a", "source": {"bad": 'benign_total{x="y"}', "total": "runs_total"}},
        {"name": "b", "type": "Histogram", "source": {"buckets": "seconds_bucket"}},
        {"name": "c", "type": "Shift", "source": {"total": "decisions_total", "label": "decision"}},
    ],
    "caps": [{"name": "d", "metric": "dollars_total", "max": "5"}],
}

ONE_GATE: Final = {**SPEC, "gates": SPEC["gates"][:1], "caps": []}
"""As much as shows how a name is written."""

FIELDS: Final[Mapping[str, tuple[str | int, ...]]] = {
    "spec.gates[0].source.bad": ("gates", 0, "source", "bad"),
    "spec.gates[0].source.total": ("gates", 0, "source", "total"),
    "spec.gates[1].source.buckets": ("gates", 1, "source", "buckets"),
    "spec.gates[2].source.total": ("gates", 2, "source", "total"),
    "spec.gates[2].source.label": ("gates", 2, "source", "label"),
    "spec.caps[0].metric": ("caps", 0, "metric"),
    "spec.metrics.labels.agent": ("metrics", "labels", "agent"),
    "spec.metrics.labels.release": ("metrics", "labels", "release"),
    "spec.agent": ("agent",),
    "spec.releaseRef.name": ("releaseRef", "name"),
}
"""Every field of the spec whose text can come into a query, and where it stands."""

SELECTORS: Final = ("bad", "total", "buckets", "metric")
"""How those end that hold a selector; the others hold a name."""

Shape = tuple[Any, ...]


def spec_with(place: tuple[str | int, ...], text: str) -> dict[str, Any]:
    """The harmless spec with one field as an attacker writes it."""
    spec: Any = deepcopy(dict(SPEC))
    parent = spec
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = text
    return dict(spec)


def render_queries(
    raw: Mapping[str, Any], subject: Subject | None = None
) -> tuple[list[str], Subject] | list[str]:
    """All queries of a spec with their subject; or the paths of the fields that are refused."""
    try:
        spec = AgentRolloutSpec.model_validate(raw)
    except ValidationError as error:
        return ["spec" + "".join(_step(part) for part in detail["loc"]) for detail in error.errors()]
    gates, refusals = resolve_all(spec)
    caps, refused = resolve_caps(spec)
    if refusals or refused:
        return [refusal.field for refusal in (*refusals, *refused)]
    actual_subject = subject or Subject(
        "shop", spec.agent, spec.release_ref.name, "support-4.1.0", labels_of(spec)
    )
    sources = [source for cap in caps for source in cap.sources]
    plan = plan_queries(gates, actual_subject, counting_start=START, warmup_seconds=60, caps=sources)
    return [render(plan, AT) or "", render_burst(plan) or ""], actual_subject


def _step(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


def shape(expr: promql_parser.Expr) -> Shape:
    """A query without its names: how it is built, over which times, and how many labels it groups by."""
    parts: Shape
    match expr:
        case promql_parser.BinaryExpr():
            parts = (str(expr.op), str(expr.modifier), shape(expr.lhs), shape(expr.rhs))
        case promql_parser.AggregateExpr():
            labels = len(expr.modifier.labels) if expr.modifier else None
            parts = (str(expr.op), labels, str(expr.param), shape(expr.expr))
        case promql_parser.Call():
            parts = (expr.func.name, *map(shape, expr.args))
        case promql_parser.MatrixSelector():
            parts = (expr.range, shape(expr.vector_selector))
        case promql_parser.VectorSelector():
            parts = (str(expr.offset), str(expr.at), bool(expr.matchers.or_matchers))
        case promql_parser.ParenExpr():
            parts = (shape(expr.expr),)
        case _:
            parts = (str(expr),)
    return type(expr).__name__, *parts


@cache
def harmless(*, one_gate: bool) -> tuple[Shape, ...]:
    """The shapes of the queries of a harmless spec."""
    rendered = render_queries(ONE_GATE if one_gate else SPEC)
    assert isinstance(rendered, tuple)
    return tuple(shape(promql_parser.parse(query)) for query in rendered[0])


def strays(selector: promql_parser.VectorSelector, subject: Subject) -> bool:
    """Whether it is not kept to exactly the subject's namespace, agent and releases."""
    labels = subject.labels
    ours = (labels.namespace, labels.agent, labels.release)
    matchers = [m for m in selector.matchers.matchers if m.name in {*ours, "__name__"}]
    kept = [(m.name, str(m.op), m.value) for m in matchers]
    equal, regex = str(promql_parser.MatchOp.Equal), str(promql_parser.MatchOp.Re)
    required = [(labels.namespace, equal, subject.namespace), (labels.agent, equal, subject.agent)]
    both = (subject.labels.release, regex, alternatives(subject.releases))
    only = (subject.labels.release, equal, subject.stable)
    none = (subject.labels.release, str(promql_parser.MatchOp.NotRe), alternatives(subject.releases))
    return kept not in ([*required, both], [*required, only], [*required, none])


def harm_of(queries: list[str], subject: Subject, *, one_gate: bool = False) -> str:
    """How the queries differ from harmless ones; empty if they do not."""
    for query, benign in zip(queries, harmless(one_gate=one_gate), strict=True):
        parsed = promql_parser.parse(query)
        if shape(parsed) != benign:
            return f"another shape: {query}"
        if any(strays(selector, subject) for selector in selectors(parsed)):
            return f"not kept: {query}"
    return ""


def answers(place: tuple[str | int, ...], field: str, texts: tuple[str, ...]) -> list[str]:
    """What is wrong with the answers to these texts in one field."""
    wrong = []
    for text in texts:
        rendered = render_queries(spec_with(place, text))
        if isinstance(rendered, list):
            wrong += (
                [] if all(path.startswith(field) for path in rendered) else [f"{text!r}: blames {rendered}"]
            )
        elif harm := harm_of(*rendered):
            wrong.append(f"{text!r}: {harm}")
    return wrong


def test_there_are_many_payloads() -> None:
    """At least 300 distinct ones for each field, of every family; the harmless spec itself is served."""
    assert len(TEXTS[::2]) >= 300
    assert len(NAMES) >= 300
    assert len(ATTACKS) == 15
    assert isinstance(render_queries(SPEC), tuple)


@pytest.mark.parametrize("field", [name for name in FIELDS if name.endswith(SELECTORS)])
def test_no_selector_of_a_tenant_changes_a_query(field: str) -> None:
    """Each payload in place of a selector is refused by its path, or is one selector in that place."""
    assert answers(FIELDS[field], field, TEXTS if field.endswith("bad") else TEXTS[::2]) == []


@pytest.mark.parametrize("field", [name for name in FIELDS if not name.endswith(SELECTORS)])
def test_no_name_of_a_tenant_changes_a_query(field: str) -> None:
    """Every attack in place of a name is refused by the path of its field, or is a name."""
    blamed = "spec.metrics.labels" if "labels" in field else field

    assert answers(FIELDS[field], blamed, NAMES) == []


@pytest.mark.parametrize("member", ["namespace", "agent", "canary", "stable"])
def test_no_name_gets_out_of_its_string(member: str) -> None:
    """Even a name that the API server would never let through stays the value of its matcher."""
    names = {"namespace": "shop", "agent": "support", "canary": "support-4.2.0", "stable": "support-4.1.0"}
    wrong = []
    for text in NAMES:
        namespace, agent, canary, stable = (names | {member: text}).values()
        rendered = render_queries(ONE_GATE, Subject(namespace, agent, canary, stable, labels=LabelNames()))
        assert isinstance(rendered, tuple)
        wrong += [harm] if (harm := harm_of(*rendered, one_gate=True)) else []

    assert wrong == []


def test_no_label_of_an_administrator_changes_a_query() -> None:
    """What the settings let through as the label of the namespace is one label; most of it they refuse."""
    wrong, served = [], []
    for text in (*NAMES, "tenant_namespace"):
        raw = {"name": "a", "url": "http://a", "namespaceLabel": text}
        try:
            label = PrometheusSource.model_validate(raw).namespace_label
        except ValidationError:
            continue
        rendered = render_queries(
            ONE_GATE, Subject("shop", "support", "c", "support-4.1.0", LabelNames(namespace=label))
        )
        assert isinstance(rendered, tuple)
        wrong += [harm] if (harm := harm_of(*rendered, one_gate=True)) else []
        served.append(label)

    assert wrong == []
    assert "tenant_namespace" in served
    assert len(served) < len(NAMES) / 10


def test_some_payloads_are_served() -> None:
    """The property is not true for want of anything that is accepted."""
    place = FIELDS["spec.caps[0].metric"]
    served = [text for text in TEXTS if isinstance(render_queries(spec_with(place, text)), tuple)]

    assert len(served) >= 100


@pytest.mark.parametrize(
    "text",
    [f"{'-' * 1000}m", f"{'(' * 500}m{')' * 500}", 'm{x=~"' + "\\\\pL" * 200 + '"}', 'm{x=~"(a{99}){99}"}'],
)
def test_what_takes_long_to_parse_is_refused_unparsed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text of a tenant keeps the others waiting: the costly forms are refused by how they look."""
    monkeypatch.setattr(promql_parser, "parse", _never)

    parsed = parse_selector(text, field="spec.caps[0].metric", labels=DEFAULT_LABELS)

    assert isinstance(parsed, Refusal)


def _never(text: str) -> None:
    raise AssertionError(text)
