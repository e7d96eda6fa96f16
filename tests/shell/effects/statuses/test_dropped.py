"""Inputs: a status as it was sent and as it is stored. Outputs: the fields that are missing, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.shell.effects.statuses.dropped import LISTED, dropped_fields, sentence_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(status=st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_nothing_is_missing_of_what_is_stored_whole(status: Manifest) -> None:
    """Nor if a default joins it; null is not stored, and no field."""
    stored = {key: value for key, value in status.items() if value is not None} | {"a default": 1}

    assert list(dropped_fields(status, stored)) == []


@pytest.mark.parametrize(
    ("stored", "missing"),
    [
        ({}, {"status.attempt", "status.gates"}),
        ({"attempt": {}, "gates": [{"name": "a"}, {"name": "b"}]}, {"status.attempt.n", "status.gates[].n"}),
        ({"attempt": {"n": 2}, "gates": [{"name": "a", "n": 1}, {"name": "b"}]}, {"status.gates[].n"}),
        ({"attempt": {"n": 1}, "gates": [{"name": "other", "n": 1}, {"name": "b", "n": 2}]}, set()),
        (None, {"status.attempt", "status.gates"}),
    ],
)
def test_each_missing_field_is_named_by_its_path(stored: Manifest | None, missing: set[str]) -> None:
    """Other values are not missing; of a field that is missing as a whole, no part is named."""
    sent = {"attempt": {"n": 1}, "gates": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}

    assert set(dropped_fields(sent, stored)) == missing


def test_the_sentence_is_short_and_says_what_to_do() -> None:
    """Five fields in order, and how many more."""
    fields = frozenset(f"status.f{number}" for number in range(LISTED + 2))
    sentence = sentence_of("AgentRollout", fields)

    assert sentence == (
        "The API server does not store status.f0, status.f1, status.f2, status.f3, status.f4 and 2 more "
        "fields: the CustomResourceDefinition of AgentRollout is older than the operator; apply the CRDs of "
        "its version"
    )
