"""Selectors: what a user may write, what is refused, and that no text gets out of its string."""

import re

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.gates.selector import (
    DEFAULT_LABELS,
    NOT_BARE,
    LabelNames,
    Matcher,
    Refusal,
    Selector,
    alternatives,
    check_labels,
    parse_selector,
    quoted,
)

names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True)


def parse(text: str) -> Selector | Refusal:
    """Parse a selector that stands in an ordinary gate."""
    return parse_selector(text, field="spec.gates[0].source.bad", labels=DEFAULT_LABELS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent_runs_total", Selector("agent_runs_total")),
        ("agent:runs:rate", Selector("agent:runs:rate")),
        ("m{}", Selector("m")),
        ('m{a="b",c!="d"}', Selector("m", (Matcher("a", "=", "b"), Matcher("c", "!=", "d")))),
        ('m{a=~"b|c",d!~"e.*"}', Selector("m", (Matcher("a", "=~", "b|c"), Matcher("d", "!~", "e.*")))),
        (r'm{a="say \"hi\"\\n"}', Selector("m", (Matcher("a", "=", 'say "hi"\\n'),))),
        ("m{a='b'} # of ours", Selector("m", (Matcher("a", "=", "b"),))),
    ],
)
def test_a_bare_selector_is_read(text: str, expected: Selector) -> None:
    """A metric with matchers becomes a value, whatever quotes it was written in."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sum(m)", NOT_BARE),
        ("m[5m]", NOT_BARE),
        ("m or vector(1)", NOT_BARE),
        ("m > 0", NOT_BARE),
        ("(m)", NOT_BARE),
        ("rate(", NOT_BARE),
        ("-m", NOT_BARE),
        ("1", NOT_BARE),
        ("m[5m:1m]", NOT_BARE),
        ("m offset 5m", "must not have an offset or @; the operator chooses the time"),
        ("m @ 1700000000", "must not have an offset or @; the operator chooses the time"),
        ("m @ start()", NOT_BARE),
        ('{__name__="m"}', "must begin with the plain name of a metric"),
        ('{"my.metric"}', "must begin with the plain name of a metric"),
        ('m{namespace="other"}', "must not match on namespace, which the operator sets itself; remove it"),
        ('m{agent=~".*"}', "must not match on agent, which the operator sets itself; remove it"),
        ('m{release!=""}', "must not match on release, which the operator sets itself; remove it"),
        ('m{le="+Inf"}', "must not match on le, which the operator sets itself; remove it"),
        ('m{src="x"}', "must not match on src, which the operator sets itself; remove it"),
        (
            'm{"a.b"="c"}',
            "matches on a.b, which is not a valid label name (letters, digits, underscores)",
        ),
        (
            'm{a="b" or namespace="c"}',
            'must not have "or" between matchers; use a regular expression, like outcome=~"failed|aborted"',
        ),
    ],
)
def test_everything_else_is_refused_with_what_to_do(text: str, message: str) -> None:
    """Functions, ranges, times, foreign labels and nameless selectors never become part of a query."""
    assert parse(text) == Refusal("spec.gates[0].source.bad", message)


@pytest.mark.parametrize("text", ["", "m{", 'm{a="b}', 'm{a=~"("}', "m{a=}", "m}", 'm{a="b"}}', "\x00"])
def test_what_is_no_promql_is_refused(text: str) -> None:
    """A text that does not parse is refused with the parser's reason, and raises nothing."""
    refusal = parse(text)

    assert isinstance(refusal, Refusal)
    assert refusal.message.startswith("is not valid PromQL: ")


def test_the_labels_that_the_user_named_are_ours_too() -> None:
    """Whatever the agent and release labels are called, a selector must not match on them."""
    renamed = LabelNames(agent="service", release="service_version")

    refusal = parse_selector('m{service_version="1"}', field="f", labels=renamed)
    allowed = parse_selector('m{release="1"}', field="f", labels=renamed)

    assert refusal == Refusal(
        "f", "must not match on service_version, which the operator sets itself; remove it"
    )
    assert allowed == Selector("m", (Matcher("release", "=", "1"),))


@given(st.text(max_size=200))
def test_any_text_is_answered_with_a_value(text: str) -> None:
    """No text of a tenant makes the parser raise; what is accepted is one plain metric with plain labels."""
    parsed = parse(text)

    if isinstance(parsed, Selector):
        assert re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", parsed.metric)


@given(st.text())
def test_quoted_text_stays_inside_its_string(text: str) -> None:
    """Any value, quotes, backslashes, newlines and control characters included, comes back as it went in."""
    parsed = promql_parser.parse(f"m{{a={quoted(text)}}}")

    assert isinstance(parsed, promql_parser.VectorSelector)
    assert [matcher.value for matcher in parsed.matchers.matchers] == [text]


@given(st.lists(names, min_size=1, max_size=3), names)
def test_alternatives_match_exactly_their_values(values: list[str], other: str) -> None:
    """A dot in a release's name matches a dot, and nothing but the listed names matches."""
    pattern = re.compile(alternatives(values))

    assert all(pattern.fullmatch(value) for value in values)
    assert bool(pattern.fullmatch(other)) == (other in values)


def test_a_dot_is_a_dot() -> None:
    """Release 4.1.0 does not count the runs of release 4x1x0."""
    assert alternatives(["a-4.1.0", "b"]) == r"a-4\.1\.0|b"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (LabelNames(), None),
        (LabelNames("service", "service_version"), None),
        (
            LabelNames("namespace", "r"),
            Refusal("l.agent", "namespace cannot be the agent label; name a label of your metrics"),
        ),
        (
            LabelNames("a", "le"),
            Refusal("l.release", "le cannot be the release label; name a label of your metrics"),
        ),
        (
            LabelNames("a", 'x"}'),
            Refusal("l.release", 'x"} cannot be the release label; name a label of your metrics'),
        ),
        (LabelNames("a", "a"), Refusal("l.release", "a is the agent label already; the two must differ")),
    ],
)
def test_label_names_must_be_usable(labels: LabelNames, expected: Refusal | None) -> None:
    """A label that means something else to us, is no label, or is used twice is refused."""
    assert check_labels(labels, "l") == expected


def test_a_refusal_reads_as_one_line() -> None:
    """Field first, then what is wrong with it."""
    assert str(Refusal("spec.gates[0].type", "is not served yet")) == "spec.gates[0].type: is not served yet"
