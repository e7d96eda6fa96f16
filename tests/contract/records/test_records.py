"""Input: a record and a change of it. Output: whether a real API server takes that, even from an admin."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.core.record.chain import sealed
from tests.contract.server import ApiServer

Manifest = dict[str, Any]
VALID: Final = Path(__file__).parents[3] / "crds" / "examples" / "valid"
LATER: Final = "2026-11-28T20:00:00Z"
NOT_CHANGED: Final = "an entry may not be changed"
ADDED_ONLY: Final = "entries may only be added"
GAP: Final = "entries must be numbered from 1 without a gap"
IDENTITY: Final = "what a record is about may not be changed"


def loaded(name: str) -> Manifest:
    """A record of the examples."""
    return dict(yaml.safe_load((VALID / f"{name}.yaml").read_text()))


def append(spec: Manifest, **facts: object) -> None:
    """One more entry, chained to the last."""
    last = spec["entries"][-1]
    entry = {
        "sequence": len(spec["entries"]) + 1,
        "time": "2026-11-28T20:00:00Z",
        "event": "Observed",
        **facts,
    }
    spec["entries"].append(sealed(entry, last["hash"]))


def edit_last_and_append(spec: Manifest) -> None:
    """What someone would do who hides a change behind an addition."""
    spec["entries"][-1]["message"] = "nothing happened"
    append(spec)


def drop_and_append(spec: Manifest) -> None:
    """As many entries as before, but others."""
    spec["entries"].pop()
    append(spec, message="another end")


REFUSED: Final[dict[str, tuple[Callable[[Manifest], object], str]]] = {
    "drop the last entry": (lambda spec: spec["entries"].pop(), ADDED_ONLY),
    "drop the first entry": (lambda spec: spec["entries"].pop(0), ADDED_ONLY),
    "drop one, add one": (drop_and_append, NOT_CHANGED),
    "edit one, add one": (edit_last_and_append, NOT_CHANGED),
    "edit an entry": (lambda spec: spec["entries"][1].update(trigger="Action"), NOT_CHANGED),
    "edit a number in a gate": (
        lambda spec: spec["entries"][1]["gates"][0]["canary"].update(bad="1"),
        NOT_CHANGED,
    ),
    "edit the plan": (
        lambda spec: spec["entries"][0]["plan"]["phases"][0].update(durationSeconds=1),
        NOT_CHANGED,
    ),
    "add a field that the CRD does not know": (lambda spec: spec["entries"][0].update(newer=1), NOT_CHANGED),
    "number an entry anew": (lambda spec: spec["entries"][-1].update(sequence=9), GAP),
    "change previous": (lambda spec: spec.update(previous=f"sha256:{'1' * 64}"), IDENTITY),
    "change the release": (lambda spec: spec.update(release="support-agent-4.2.1"), IDENTITY),
    "change the uid": (lambda spec: spec.update(rolloutUid="another"), IDENTITY),
    "change the attempt": (lambda spec: spec.update(attempt=14), IDENTITY),
    "change the version": (lambda spec: spec.update(version="4.2.1"), "`version` may not be changed"),
    "unset the outcome": (lambda spec: spec.pop("outcome"), "`outcome` may not be changed"),
    "change the outcome": (lambda spec: spec.update(outcome="Healthy"), "`outcome` may not be changed"),
    "unset the evidence": (lambda spec: spec.pop("evidence"), "`evidence` may not be changed"),
    "change the evidence": (
        lambda spec: spec["evidence"]["series"][0]["values"].__setitem__(1, "5"),
        "`evidence` may not be changed",
    ),
}
ALLOWED: Final[dict[str, Callable[[Manifest], object]]] = {
    "append": append,
    "append one with a field of a newer version": lambda spec: append(spec, newer={"a": [1]}),
    "reorder": lambda spec: spec["entries"].reverse(),
    "nothing": lambda _: None,
}


@pytest.fixture
def stored(api_server: ApiServer) -> Iterator[Manifest]:
    """A record of an attempt that was rolled back."""
    record = loaded("record-rolled-back")
    answer = api_server.create(record, dry_run=False)
    assert answer.code == 201, answer.message
    yield answer.body
    api_server.delete(record)


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_recorded_stays(
    change: Callable[[Manifest], object], message: str, stored: Manifest, api_server: ApiServer
) -> None:
    """Without any policy, the API server refuses to change or remove what a record has."""
    changed = deepcopy(stored)
    change(changed["spec"])

    answer = api_server.update(changed)

    assert (answer.code, message in answer.message) == (422, True), answer.message


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED.keys())
def test_a_record_grows(
    change: Callable[[Manifest], object], stored: Manifest, api_server: ApiServer
) -> None:
    """Entries are added; their order in the list says nothing, since each has its number."""
    changed = deepcopy(stored)
    change(changed["spec"])

    answer = api_server.update(changed)

    assert (answer.code, answer.message) == (200, "")
    assert answer.body["spec"] == changed["spec"]  # no field was pruned


def test_evidence_and_outcome_are_set_later(api_server: ApiServer) -> None:
    """A record begins without them."""
    whole, record = loaded("record-rolled-back")["spec"], loaded("record-minimal")
    created = api_server.create(record, dry_run=False).body
    created["spec"] |= {"evidence": whole["evidence"], "outcome": "RolledBack"}

    answer = api_server.update(created)

    api_server.delete(record)
    assert (answer.code, answer.body["spec"]["outcome"]) == (200, "RolledBack")


def test_the_largest_record_is_taken(api_server: ApiServer) -> None:
    """As many entries as a record may have, of 8 KB each, and one of them added last."""
    record = loaded("record-minimal")
    for number in range(126):
        append(record["spec"], plan={"note": f"{number:04d}" * 2000})
    created = api_server.create(record, dry_run=False).body
    append(created["spec"])

    answer = api_server.update(created)

    api_server.delete(record)
    assert (answer.code, len(answer.body["spec"]["entries"])) == (200, 128)
