"""Whether bad outcomes could have been seen at all: has any series of the agent ever matched their selector?

One more query at the beginning of an attempt. "No failures in 645 runs" proves nothing if the agent writes
`failed` and the gate counts `error`. Series that were created at 0 have matched.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from agentrollouts.api.verdict import GateStatus, Numerator
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading, Sight
from agentrollouts.core.gates.selector import SOURCE_LABEL, Matcher, Selector, quoted
from agentrollouts.core.metrics.queries import Subject

LOOK_BACK: Final = "7d:5m"
"""How far back, in steps of how old the sample may be that a selector finds: no sample is missed, and far
fewer are loaded than were scraped."""
SHOWN: Final = 12
"""Label values that a sentence lists at most."""
SHOWN_LENGTH: Final = 40
INVERSE: Final[Mapping[str, str]] = {"!=": "=", "!~": "=~"}


@dataclass(frozen=True, slots=True)
class Census:
    """The selectors of which it is not known yet whether they can match."""

    subject: Subject
    selectors: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Sighted:
    """What a census found."""

    seen: frozenset[Selector]
    values: Mapping[tuple[str, str], tuple[str, ...]]
    """By metric and label: the values that the agent's series have now, the most frequent first."""
    labels: Mapping[str, tuple[str, ...]]
    """By metric: the labels that a series of it has."""


def witnesses(gate: ResolvedGate) -> tuple[Selector, ...]:
    """The selectors that must each have matched before "nothing bad happened" means anything.

    The bad outcomes; where they are all but some value, that value too, or else every outcome is bad; and of
    the values that a template lists, each. None for what counts by groups: these are the runs themselves.
    """
    if gate.by is not None:
        return ()
    own = [gate.bad]
    for matcher in gate.bad.matchers:
        values = matcher.value.split("|")
        if matcher.operator in INVERSE:
            own.append(
                _with(gate.bad, matcher, Matcher(matcher.label, INVERSE[matcher.operator], matcher.value))
            )
        elif gate.is_template and matcher.operator == "=~" and len(values) > 1:
            own += [_with(gate.bad, matcher, Matcher(matcher.label, "=", value)) for value in values]
    return tuple(own)


def _with(selector: Selector, old: Matcher, new: Matcher) -> Selector:
    return replace(selector, matchers=tuple(new if each == old else each for each in selector.matchers))


def census_of(gates: Iterable[ResolvedGate], past: Iterable[GateStatus], subject: Subject) -> Census | None:
    """What is still to be found out about these gates; None if nothing is."""
    seen = {gate.name for gate in past if gate.numerator is Numerator.SEEN}
    unknown = (gate for gate in gates if gate.name not in seen and not gate.may_be_absent)
    selectors = dict.fromkeys(selector for gate in unknown for selector in witnesses(gate))
    return Census(subject, tuple(selectors)) if selectors else None


def sight_of(
    gate: ResolvedGate, past: GateStatus | None, reading: Reading, sightings: Sighted | None
) -> Sight:
    """What is known about one gate: once seen is seen for the attempt."""
    needed = witnesses(gate)
    is_alone = len(needed) == 1
    if not needed:
        return Sight(None)
    if (past and past.numerator is Numerator.SEEN) or (is_alone and reading.saw_bad):
        return Sight(Numerator.SEEN)
    if gate.may_be_absent:
        absent = "" if reading.saw_bad else f"no series {gate.bad} of these releases, as mayBeAbsent allows"
        return Sight(Numerator.MAY_BE_ABSENT, absent)
    if sightings is None:
        return Sight(None, is_pending=True)
    missing = [
        each for each in needed if each not in sightings.seen and not (each == gate.bad and reading.saw_bad)
    ]
    return Sight(Numerator.NEVER_SEEN, _never_seen(missing, sightings)) if missing else Sight(Numerator.SEEN)


def _never_seen(missing: Iterable[Selector], sightings: Sighted) -> str:
    first = next(iter(missing))
    return (
        f"no series {first} of this agent in 7 days, so no bad outcome could be detected; "
        f"{_existing(first, sightings)}; correct the selector, create the series at 0 when the agent starts, "
        "or set mayBeAbsent: true"
    )


def _existing(selector: Selector, sightings: Sighted) -> str:
    """Which values the labels have that the selector matches on."""
    labels = sightings.labels.get(selector.metric)
    if labels is None:
        return f"no series of {selector.metric} exists now"
    parts = []
    for label in dict.fromkeys(matcher.label for matcher in selector.matchers):
        values = [value for value in sightings.values.get((selector.metric, label), ()) if value]
        parts.append(f"{label} has {', '.join(map(_shown, values))}" if values else f"no series has {label}")
    if any(part.startswith("no series") for part in parts):
        parts.append(f"labels are {', '.join(map(_shown, labels[:SHOWN]))}")
    return "; ".join(parts) or f"{selector.metric} exists"


def _shown(value: str) -> str:
    kept = "".join(char if char.isprintable() else "?" for char in value[:SHOWN_LENGTH])
    return f"{kept}..." if len(value) > SHOWN_LENGTH else kept


def render_census(census: Census, *, first: bool) -> str:
    """The query, to be evaluated now.

    Args:
        census: With the namespace label of the server that is queried.
        first: Whether to look back; else only at what is there now, for what was not there before.
    """
    return " or ".join(_terms(census, first=first))


def _terms(census: Census, *, first: bool) -> Iterator[str]:
    labels = census.subject.labels
    enforced = (
        Matcher(labels.namespace, "=", census.subject.namespace),
        Matcher(labels.agent, "=", census.subject.agent),
        *labels.uncounted,
    )
    for index, selector in enumerate(census.selectors):
        text = str(selector.narrowed(enforced))
        ever = f"{text} or last_over_time({text}[{LOOK_BACK}])" if first else text
        yield _tagged(f"count({ever})", f"{index}.seen")
        every = str(Selector(selector.metric, enforced))
        yield _tagged(f"topk(1, {every})", f"{index}.example")
        for place, label in enumerate(dict.fromkeys(matcher.label for matcher in selector.matchers)):
            yield _tagged(f"topk({SHOWN}, count by ({label}) ({every}))", f"{index}.values.{place}")


def _tagged(expression: str, src: str) -> str:
    return f'label_replace({expression}, "{SOURCE_LABEL}", {quoted(src)}, "", "")'


def sighted(census: Census, rows: Iterable[tuple[Mapping[str, str], float]]) -> Sighted:
    """What the answer says; rows of anything else are not looked at."""
    kept = sorted(rows, key=lambda row: -row[1])
    by_tag: dict[str, list[Mapping[str, str]]] = {}
    for labels, _ in kept:
        by_tag.setdefault(labels.get(SOURCE_LABEL, ""), []).append(labels)
    ours = census.subject.labels
    hidden = {SOURCE_LABEL, "__name__", ours.namespace, ours.agent}
    seen, values, names = set(), dict[tuple[str, str], tuple[str, ...]](), dict[str, tuple[str, ...]]()
    for index, selector in enumerate(census.selectors):
        if by_tag.get(f"{index}.seen"):
            seen.add(selector)
        for example in by_tag.get(f"{index}.example", ()):
            names[selector.metric] = tuple(sorted(example.keys() - hidden))
        for place, label in enumerate(dict.fromkeys(matcher.label for matcher in selector.matchers)):
            tagged = by_tag.get(f"{index}.values.{place}", ())
            values[selector.metric, label] = tuple(row.get(label, "") for row in tagged)
    return Sighted(frozenset(seen), values, names)
