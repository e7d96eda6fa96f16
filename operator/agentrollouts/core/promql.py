"""The text of a question: how a plan is written in PromQL, for Prometheus and for people.

After `queries`, which plans what is asked. Only numbers, checked label names and parsed selectors are
put into the text; every value is quoted.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from agentrollouts.core.catalogue import ResolvedGate
from agentrollouts.core.queries import (
    BURST_STEP,
    COUNTED,
    QueryPlan,
    Source,
    Subject,
    Term,
    bad_source,
    tag,
    total_source,
)
from agentrollouts.core.series import BOUND_LABEL, SOURCE_LABEL, Matcher, alternatives, quoted


def render(plan: QueryPlan, at: datetime) -> str | None:
    """The query text, to be evaluated at `at`; None while no source has begun to count."""
    terms = _asked(plan, plan.sources, at)
    return " or ".join(_tagged(text, tag(plan, source, term)) for source, term, text in terms) or None


def render_gate(plan: QueryPlan, gate: ResolvedGate, at: datetime) -> str | None:
    """The counts of one gate as they are asked for, for a person; None while it has not begun to count."""
    sources = {bad_source(gate): "bad", total_source(gate): "total"}
    terms = (
        _tagged(text, f"{sources[source]}.{term}")
        for source, term, text in _asked(plan, sources, at)
        if term in COUNTED
    )
    return " or ".join(terms) or None


def _asked(plan: QueryPlan, sources: Iterable[Source], at: datetime) -> Iterator[tuple[Source, Term, str]]:
    """The terms of these sources; none of one that does not count yet."""
    enforced = _enforced(plan.subject, plan.subject.releases)
    for source in sources:
        window = plan.window(source, at)
        if window < 1:
            continue
        selector, grouping = str(source.selector.narrowed(enforced)), _grouping(plan, source)
        for term in plan.terms(source):
            yield source, term, _expression(term, selector, (window, plan.shift(source, at)), grouping)


def _expression(term: Term, selector: str, stretch: tuple[int, int], grouping: tuple[str, str]) -> str:
    """One term.

    Args:
        term: Which.
        selector: Of which series.
        stretch: Length of the window, and how long ago it ended, in seconds.
        grouping: By what its counts and by what its properties are grouped.
    """
    (window, shift), (counts_by, release_by) = stretch, grouping
    ago = f" offset {shift}s" if shift else ""
    match term:
        case Term.INCREASE:
            return f"sum by ({counts_by}) (increase({selector}[{window}s]{ago}))"
        case Term.BIRTHS:
            born = f"min_over_time({selector}[{window}s]{ago}) unless {selector} offset {window + shift}s"
            return f"sum by ({counts_by}) ({born})"
        case Term.COVERED:
            return f"count by ({release_by}) ({selector} offset {window + shift}s)"
        case Term.NEWEST:
            return f"max by ({release_by}) (timestamp({selector}))"
        case Term.SCRAPES:
            return f"max by ({release_by}) (count_over_time({selector}[{window}s]))"
        case Term.VALUE:
            return f"sum by ({release_by}) ({selector})"


def _grouping(plan: QueryPlan, source: Source) -> tuple[str, str]:
    release = plan.subject.labels.release
    return (f"{release}, {source.by}" if source.by else release), release


def _tagged(expression: str, src: str) -> str:
    return f'label_replace({expression}, "{SOURCE_LABEL}", {quoted(src)}, "", "")'


def _enforced(subject: Subject, releases: tuple[str, ...]) -> tuple[Matcher, ...]:
    """The matchers that keep a query inside its namespace, its agent and its comparison."""
    one_of = Matcher(subject.labels.release, "=~", alternatives(releases))
    return (
        Matcher(subject.labels.namespace, "=", subject.namespace),
        Matcher(subject.labels.agent, "=", subject.agent),
        one_of if len(releases) > 1 else Matcher(subject.labels.release, "=", releases[0]),
    )


def render_burst(plan: QueryPlan) -> str | None:
    """The query of stable's counts per minute, to be asked once as a range; None without a stable release.

    Ask from `BURST_HISTORY` before the attempt to its start, in steps of `BURST_STEP`; `burst` reads the
    series.
    """
    stable = plan.subject.stable
    if stable is None:
        return None
    step = int(BURST_STEP.total_seconds())
    terms = (
        _tagged(
            f"sum by ({_grouping(plan, source)[0]}) "
            f"(increase({source.selector.narrowed(_enforced(plan.subject, (stable,)))}[{step}s]))",
            tag(plan, source, Term.INCREASE),
        )
        for source in plan.sources
        if source.seconds is None and source.by in {None, BOUND_LABEL}
    )
    return " or ".join(terms) or None
