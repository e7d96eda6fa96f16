"""JSON of any depth is read, as far as anything in it matters."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.model.nested import MOST_LEVELS, read_json

DEEPEST = 9_990
"""Levels that the API server takes (measured with Kubernetes 1.36)."""
TEXTS = st.text('[]{}"\\,:n\u00e9\U0001f642', max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


def depth_of(value: Any) -> int:  # noqa: ANN401 any JSON
    """Levels of a value that has one field or item at each."""
    depth = 0
    while isinstance(value, dict | list) and value:
        value, depth = next(iter(value.values() if isinstance(value, dict) else value)), depth + 1
    return depth


@given(VALUES)
def test_json_is_read_as_by_the_parser(value: Any) -> None:  # noqa: ANN401 any JSON
    """As text and as bytes."""
    text = json.dumps(value)
    assert read_json(text) == read_json(text.encode()) == value


@given(VALUES, VALUES, st.integers(0, DEEPEST), st.sampled_from(['{"a":', '{"]}":', "["]))
def test_what_is_too_deep_hides_nothing_else(before: Any, after: Any, depth: int, opened: str) -> None:  # noqa: ANN401 any JSON
    """Everything beside it is read, and of itself as many levels as a release may have."""
    deep = opened * depth + "1" + ("}" if "{" in opened else "]") * depth
    read = read_json(f'{{"items": [{json.dumps(before)}, {deep}, {json.dumps(after)}]}}'.encode())
    assert (read["items"][0], read["items"][2]) == (before, after)
    levels = 2 + depth_of(read["items"][1])
    assert levels == 2 + depth or (levels == MOST_LEVELS and depth > MOST_LEVELS)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 99_999, "", "{]"])
def test_what_is_not_json_is_an_error(text: str) -> None:
    """Also if it would be too deep."""
    with pytest.raises(ValueError):  # noqa: PT011 the words are those of the parser
        read_json(text)
