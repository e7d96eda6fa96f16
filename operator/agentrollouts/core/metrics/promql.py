"""A query plan as PromQL, for Prometheus and for people.

Only numbers, checked label names and parsed selectors are put into the text; every value is quoted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.selector import BOUND_LABEL, SOURCE_LABEL, Matcher, alternatives, quoted
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.queries import (
    BURST_STEP,
    COUNTED,
    RENAMED,
    STEADY_SECONDS,
    UNATTRIBUTED,
    QueryPlan,
    Subject,
    Term,
    tag,
)

DIP: Final = 50
"""A counter that never was below this has not restarted: that is more than one scrape of a new process."""
FIRST_VALUES: Final = frozenset({Term.BIRTHS, Term.UNKNOWN_BIRTHS})
LOST: Final = "None"
"""What LiteLLM writes as the value of a label that a failed request does not have."""


def for_namespace(plan: QueryPlan, namespace_label: str, *, births: bool = True) -> QueryPlan:
    """The plan as a Prometheus is queried whose series carry the tenant's namespace under that label.

    A tenant's own matcher on it is not refused, as the tenant cannot know it; it can only narrow, since all
    matchers of a selector must hold.

    Args:
        plan: As it was made, for any server.
        namespace_label: The label that holds the namespace of a series' tenant.
        births: False for a server whose `increase` already counts the first value of a series.
    """
    subject = plan.subject
    if namespace_label == subject.labels.namespace and births == plan.asks_births:
        return plan
    labels = replace(subject.labels, namespace=namespace_label)
    return replace(plan, subject=replace(subject, labels=labels), asks_births=births)


def render(plan: QueryPlan, at: datetime) -> str | None:
    """The query text, to be evaluated at `at`; None while no source has begun to count."""
    terms = _terms(plan, plan.sources, at)
    return " or ".join(_tagged(text, tag(plan, source, term)) for source, term, text in terms) or None


def render_gate(plan: QueryPlan, gate: ResolvedGate, at: datetime) -> str | None:
    """The counts of one gate as they are queried, for people; None while it has not begun to count."""
    sources = {gate.sources.bad: "bad", gate.sources.total: "total"}
    terms = (
        _tagged(text, f"{sources[source]}.{term}")
        for source, term, text in _terms(plan, sources, at)
        if term in COUNTED
    )
    return " or ".join(terms) or None


def _terms(plan: QueryPlan, sources: Iterable[Source], at: datetime) -> Iterator[tuple[Source, Term, str]]:
    """The terms of these sources; none of one that does not count yet."""
    enforced, strange = _enforced(plan.subject, plan.subject.releases), _unattributed(plan.subject)
    for source in sources:
        window = plan.window(source, at)
        if window < 1:
            continue
        selector, grouping = str(source.selector.narrowed(enforced)), _grouping(plan, source)
        terms = plan.terms(source)
        stray = str(source.selector.narrowed(strange)) if Term.UNKNOWN in terms else ""
        for term in terms:
            if term in FIRST_VALUES and not plan.asks_births:
                continue
            if term in UNATTRIBUTED:
                yield source, term, _strange(term, stray, window)
            elif term in RENAMED:
                yield source, term, _renamed(plan, source, term, window)
            else:
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
    ago, over = f" offset {shift}s" if shift else "", f"{selector}[{window}s]"
    match term:
        case Term.INCREASE:
            return f"sum by ({counts_by}) (increase({over}{ago}))"
        case Term.BIRTHS:
            born = f"min_over_time({over}{ago}) unless {selector} offset {window + shift}s"
            return f"sum by ({counts_by}) ({born})"
        case Term.COVERED:
            return f"count by ({release_by}) ({selector} offset {window + shift}s)"
        case _:
            return _property(term, selector, window, release_by)


PROPERTIES: Final[Mapping[Term, str]] = {
    Term.NEWEST: "max by ({by}) (timestamp({one}))",
    Term.SCRAPES: "max by ({by}) (count_over_time({one}[{window}s]))",
    Term.VALUE: "sum by ({by}) ({one})",
    Term.VANISHED: "sum by ({by}) (last_over_time({one}[{window}s]) unless {one})",
    Term.RESETS: "max by ({by}) (resets({one}[{window}s])) > 0",
    Term.DIPS: (
        "max by ({by}) (resets({one}[{window}s]) > 0 and "
        "min_over_time({one}[{window}s]) > clamp_min({one} offset {window}s / 2, {dip}))"
    ),
    Term.STILL_RESETS: "max by ({by}) (resets({one}[{lately}s])) > 0",
}
"""What is queried about the series themselves, by release."""


def _property(term: Term, selector: str, window: int, by: str) -> str:
    lately = min(window, STEADY_SECONDS)
    return PROPERTIES[term].format(one=selector, window=window, by=by, lately=lately, dip=DIP)


def _strange(term: Term, selector: str, window: int) -> str:
    """What is counted for the agent under none of its releases; one row, however many they are."""
    if term is Term.UNKNOWN:
        return f"sum(increase({selector}[{window}s])) > 0"
    return f"sum(min_over_time({selector}[{window}s]) unless {selector} offset {window}s) > 0"


def _renamed(plan: QueryPlan, source: Source, term: Term, window: int) -> str:
    """What the canary counts under names that stable does not have."""
    subject, kin = plan.subject, plan.kin(source)
    if kin is None or subject.control is None:
        raise ValueError("only queried of sources that can have another name")
    canary, stable = (
        kin.selector.narrowed(_enforced(subject, (release,))) for release in (subject.canary, subject.control)
    )
    by, over = subject.labels.release, f"{canary}[{window}s]"
    if term is Term.KIN:
        return f"count by ({by}) (last_over_time({over}))"
    counted, born = f"increase({over})", f"(min_over_time({over}) unless {canary} offset {window}s)"
    if plan.asks_births:
        counted = f"({counted} + {born} or {counted} or {born})"
    return f"sum by ({by}) ({counted} unless on ({kin.label}) last_over_time({stable}[{window}s]))"


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
        *subject.labels.uncounted,
    )


def _unattributed(subject: Subject) -> tuple[Matcher, ...]:
    """The agent's series under none of its releases.

    Where a proxy takes both labels from each request, one that lost the release has lost the agent too: it
    might be anybody's in the namespace, and so might be ours.
    """
    labels = subject.labels
    releases = alternatives(dict.fromkeys((*subject.releases, *subject.known_releases)))
    agents = alternatives((subject.agent, LOST, ""))
    return (
        Matcher(labels.namespace, "=", subject.namespace),
        Matcher(labels.agent, "=~", agents)
        if subject.by_request
        else Matcher(labels.agent, "=", subject.agent),
        Matcher(labels.release, "!~", releases),
        *labels.uncounted,
    )


def render_burst(plan: QueryPlan) -> str | None:
    """The range query of stable's counts per minute, sent once; None without a stable release.

    Ask from `BURST_HISTORY` before the attempt to its start, in steps of `BURST_STEP`; `burst` reads the
    series.
    """
    stable = plan.subject.stable
    return None if stable is None else render_minutes(plan, (stable,))


def render_minutes(plan: QueryPlan, releases: tuple[str, ...]) -> str | None:
    """The range query of the counts of these releases per minute; None where nothing can be counted so."""
    step = int(BURST_STEP.total_seconds())
    enforced = _enforced(plan.subject, releases)
    terms = (
        _tagged(
            f"sum by ({_grouping(plan, source)[0]}) "
            f"(increase({source.selector.narrowed(enforced)}[{step}s]))",
            tag(plan, source, Term.INCREASE),
        )
        for source in plan.sources
        if source.seconds is None and source.by in {None, BOUND_LABEL}
    )
    return " or ".join(terms) or None
