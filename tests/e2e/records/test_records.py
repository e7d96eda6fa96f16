"""Records on the real API server: of a release that becomes healthy, and of one that is rolled back."""

import hashlib
import json
from typing import Any, Final

import rfc8785

from sandbox.operator import OperatorProcess
from tests.e2e.known import use_up
from tests.e2e.manifests import phase
from tests.e2e.scene import SECOND, Scene, Shop, condition_of
from tests.e2e.witness import eventually

Manifest = dict[str, Any]
THIRD: Final = "3.0.0"


def hash_of(value: Manifest) -> str:
    """What covers a value."""
    return f"sha256:{hashlib.sha256(rfc8785.dumps(value)).hexdigest()}"


def record_of(given: Scene, shop: Shop) -> Manifest:
    """The newest record of a rollout at rest, once nothing of it is left in the status."""
    shop.until("its record is written", lambda: not shop.status["record"]["unwritten"])
    return given.api.get(given.ref("AgentRolloutRecord", shop.status["record"]["name"]))


def check_chain(record: Manifest, previous: str) -> str:
    """Each entry has the hash of its content and of the entry before; the hash of the last one."""
    assert record["spec"]["previous"] == previous
    for number, entry in enumerate(sorted(record["spec"]["entries"], key=lambda e: e["sequence"]), 1):
        assert (entry["sequence"], entry["previous"]) == (number, previous)
        assert entry["hash"] == hash_of({key: value for key, value in entry.items() if key != "hash"})
        previous = entry["hash"]
    return previous


def test_each_attempt_leaves_its_record(given: Scene, operator: OperatorProcess) -> None:
    """The record holds with the head in the status, its lines are exported, and nothing is left unwritten."""
    (shop,) = given.serving("recorded", phases=[phase("half", 50, 5)])
    first = check_chain(record_of(given, shop), "")
    shop.ships(SECOND, phases=[phase("half", 50, 5)])
    shop.comes_to("Healthy")
    healthy = record_of(given, shop)
    shop.ships(THIRD, failing=0.5, phases=[phase("half", 50, 600)])
    shop.is_rolled_back_for("GateFailed")
    shop.comes_to("RolledBack")
    shop.until("evidence", lambda: shop.status["record"].get("evidence") == "Captured")

    record = record_of(given, shop)
    head = check_chain(record, check_chain(healthy, first))
    events = [entry["event"] for entry in record["spec"]["entries"]]
    back = next(entry for entry in record["spec"]["entries"] if entry["event"] == "RollbackStarted")
    captured = next(entry for entry in record["spec"]["entries"] if entry["event"] == "EvidenceCaptured")

    assert (head, healthy["spec"]["outcome"]) == (shop.status["record"]["head"], "Healthy")
    assert record["spec"]["outcome"] == "RolledBack"
    assert events[:3] == ["AttemptStarted", "RollbackStarted", "Routed"]
    assert "Fail" in {gate["verdict"] for gate in back["gates"]}
    assert captured["evidence"] == hash_of(record["spec"]["evidence"])
    assert {len(series["values"]) for series in record["spec"]["evidence"]["series"]} == {31}
    assert "Recorded" not in {condition["type"] for condition in shop.status["conditions"]}
    hashes = {entry["hash"] for each in (healthy, record) for entry in each["spec"]["entries"]}
    eventually("the lines are exported", lambda: hashes <= {line["id"] for line in exported(operator)})


def exported(operator: OperatorProcess) -> list[Manifest]:
    """The whole lines among the operator's output: exactly one object each."""
    whole = operator.log_text().rpartition("\n")[0]
    lines = [line for line in whole.splitlines() if line.startswith('{"specversion"')]
    return [dict(json.loads(line)) for line in lines]


def test_a_rollback_does_not_wait_for_records_that_are_refused(given: Scene) -> None:
    """A quota refuses the record: the condition says so, a breach is rolled back, all is written later."""
    (shop,) = given.serving("refused-records", phases=[phase("half", 50, 5)])
    record_of(given, shop)
    use_up(given, "no-records", "count/agentrolloutrecords.agentrollouts.dev")

    shop.ships(SECOND, failing=0.5, phases=[phase("half", 50, 600)])
    shop.is_rolled_back_for("GateFailed")
    shop.until(
        "the condition",
        lambda: condition_of(shop.manifest, "Recorded").get("reason") == "Forbidden",
    )

    shop.is_back()
    assert shop.status["record"]["unwritten"][0]["event"] == "AttemptStarted"
    given.api.delete(given.ref("ResourceQuota", "no-records"))
    shop.comes_to("RolledBack")
    shop.until("all is written", lambda: not condition_of(shop.manifest, "Recorded"))
    record = record_of(given, shop)
    assert check_chain(record, record["spec"]["previous"]) == shop.status["record"]["head"]
