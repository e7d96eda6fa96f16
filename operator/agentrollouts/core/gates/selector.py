"""Which series of Prometheus a gate counts: a tenant's text becomes a value before it becomes a query.

A user may name a metric and matchers of its own labels; the operator adds namespace, agent and release.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import promql_parser

SOURCE_LABEL: Final = "src"
"""Label by which our queries tag their rows."""

BOUND_LABEL: Final = "le"
"""Label by which a histogram tells its buckets apart."""

RESERVED: Final = frozenset({"namespace", BOUND_LABEL, "__name__", SOURCE_LABEL})
"""Labels that no user matches on: ours to enforce, or ours to group by."""

_OPERATORS: Final = (  # pairs, as the library's enumeration has no hash
    (promql_parser.MatchOp.Equal, "="),
    (promql_parser.MatchOp.NotEqual, "!="),
    (promql_parser.MatchOp.Re, "=~"),
    (promql_parser.MatchOp.NotRe, "!~"),
)
NOT_BARE: Final = (
    'must be one metric with matchers, like agent_runs_total{outcome="failed"}; '
    "the operator adds increase, range and grouping"
)
TOO_COSTLY: Final = (
    "has a regular expression that takes long to read; "
    "write it without repetitions like {3} and with few classes like \\w"
)
MAX_CLASSES: Final = 8
"""A class of characters takes the parser a millisecond, during which nothing else is decided."""
_OPERATOR: Final = re.compile(r"[()+\-*/%^<>=!]")
"""An invalid selector can have this before the first brace; thousands of them take long to parse."""
_REPETITION: Final = re.compile(r"\{[0-9]")
_CLASS: Final = re.compile(r"\\[wWdDsSpP]")
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A field that cannot be served as written: where it is, what is wrong and what to do."""

    field: str
    """Path in the object, `spec.gates[2].source.bad`."""
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    label: str
    operator: str
    """One of =, !=, =~, !~."""
    value: str

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Selector:
    """The series of one metric that fulfill all matchers."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        return f"{self.metric}{{{','.join(map(str, self.matchers))}}}" if self.matchers else self.metric

    def narrowed(self, matchers: Iterable[Matcher]) -> "Selector":
        """The same selector with these matchers in front of its own."""
        return Selector(self.metric, (*matchers, *self.matchers))


@dataclass(frozen=True, slots=True)
class LabelNames:
    """Under which labels the agent's metrics carry its name, its release and its namespace."""

    agent: str = "agent"
    release: str = "release"
    namespace: str = "namespace"
    """The administrator's, not the tenant's: it is the Prometheus source that says it."""
    cohort: str | None = None
    """Of the cohort; None where the requests have none."""

    @property
    def own(self) -> frozenset[str]:
        """Those of the rollout, on which no user matches."""
        return frozenset(name for name in (self.agent, self.release, self.cohort) if name)

    @property
    def uncounted(self) -> tuple[Matcher, ...]:
        """What leaves out the runs of cohorts, which no weight splits."""
        return (Matcher(self.cohort, "=", ""),) if self.cohort else ()


DEFAULT_LABELS: Final = LabelNames()


def quoted(text: str) -> str:
    """The text as a PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if escaped.isprintable():
        return f'"{escaped}"'
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def alternatives(values: Iterable[str]) -> str:
    """A regular expression (RE2) that matches exactly these values; Prometheus anchors it at both ends."""
    return "|".join(re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", value) for value in values)


def check_labels(labels: LabelNames, field: str) -> Refusal | None:
    """Refuse label names that cannot be grouped by, or that mean something else to us."""
    named = (("agent", labels.agent), ("release", labels.release), ("cohort", labels.cohort))
    for key, name in ((key, name) for key, name in named if name is not None):
        if not _LABEL.fullmatch(name) or name in RESERVED:
            return Refusal(
                f"{field}.{key}", f"{name} cannot be the {key} label; name a label of your metrics"
            )
    if labels.agent == labels.release:
        return Refusal(
            f"{field}.release", f"{labels.release} is the agent label already; the two must differ"
        )
    if labels.cohort in {labels.agent, labels.release}:
        return Refusal(f"{field}.cohort", f"{labels.cohort} is another label already; name one of its own")
    return None


def parse_selector(text: str, *, field: str, labels: LabelNames) -> Selector | Refusal:
    """Read a user's selector: a metric name with matchers and nothing else.

    Args:
        text: What the user wrote, `agent_runs_total{outcome="failed"}`.
        field: Where the user wrote it, for the refusal.
        labels: Names of the labels that the operator matches on, which a user therefore may not.
    """
    if _OPERATOR.search(text.partition("{")[0]):
        return Refusal(field, NOT_BARE)
    if _REPETITION.search(text) or len(_CLASS.findall(text)) > MAX_CLASSES:
        return Refusal(field, TOO_COSTLY)
    parsed = _parsed(text)
    if isinstance(parsed, str):
        return Refusal(field, f"is not valid PromQL: {parsed}")
    if not isinstance(parsed, promql_parser.VectorSelector):
        return Refusal(field, NOT_BARE)
    problem = _shape_problem(parsed) or _matcher_problem(parsed.matchers.matchers, labels)
    if problem or not parsed.name:
        return Refusal(field, problem or NOT_BARE)
    matchers = (Matcher(m.name, _operator(m.op), m.value) for m in parsed.matchers.matchers)
    return Selector(parsed.name, tuple(matchers))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> promql_parser.Expr | str:
    """The expression, or what is wrong with it; kept, as every decision reads the same few texts."""
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        return str(error)


def _operator(op: promql_parser.MatchOp) -> str:
    return next(text for operator, text in _OPERATORS if operator == op)


def _shape_problem(parsed: promql_parser.VectorSelector) -> str | None:
    if parsed.offset is not None or parsed.at is not None:
        return "must not have an offset or @; the operator chooses the time"
    if parsed.matchers.or_matchers:
        return 'must not have "or" between matchers; use a regular expression, like outcome=~"failed|aborted"'
    if not _METRIC.fullmatch(parsed.name or ""):
        return "must begin with the plain name of a metric"
    return None


def _matcher_problem(matchers: Iterable[promql_parser.Matcher], labels: LabelNames) -> str | None:
    for matcher in matchers:
        if matcher.name in RESERVED | labels.own:
            return f"must not match on {matcher.name}, which the operator sets itself; remove it"
        if not _LABEL.fullmatch(matcher.name):
            return (
                f"matches on {matcher.name}, which is not a valid label name (letters, digits, underscores)"
            )
    return None
