"""The generator of valid chains, which the tests of records rely on."""

import json

import pytest

from agentrollouts.api.record.entry import RecordEntry
from agentrollouts.core.record.chain import hash_of
from testkit.records import some_records


@pytest.mark.parametrize("seed", range(20))
def test_generated_entries_are_what_the_model_stores(seed: int) -> None:
    """No field is unknown, and reading and writing an entry changes nothing that its hash covers."""
    for record in some_records(seed).objects:
        for entry in record["spec"]["entries"]:
            assert RecordEntry.model_validate(entry).to_json() == entry
            assert hash_of(entry) == entry["hash"]


def test_generated_records_vary_and_can_be_drawn_again() -> None:
    """Attempts end in each way, some in several parts; the same seed gives the same chain."""
    objects = [each for seed in range(20) for each in some_records(seed).objects]

    assert {each["spec"].get("outcome") for each in objects} == {"Healthy", "RolledBack", "Superseded", None}
    assert {each["spec"]["part"] for each in objects} == {1, 2, 3}
    assert json.dumps(some_records(7).objects) == json.dumps(some_records(7).objects)
