"""Input: decisions about worlds. Output: the entries that they leave, in the same write as their effect."""

from collections.abc import Mapping
from typing import Any

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.record.progress import RecordPart
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.record.backlog import by_record
from agentrollouts.core.record.knowledge import Captured, Knowledge
from agentrollouts.core.record.verify import Known, verify
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.recording.entries import MAX_REFUSALS
from testkit.builders.freezes import a_freeze
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import a_rollout
from testkit.people import act, approve, promote
from testkit.recording import new_entries
from testkit.world import Behavior, World, a_world_at_rest

HALF = [{"name": "half", "weight": 50, "durationSeconds": 300}]
ASKED = [{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]


def at_rest(*releases: str, **spec: object) -> World:
    """The last of these serves; nothing of its record is removed from the status."""
    world = a_world_at_rest(*releases, **spec)
    world.settle()
    world.keeps_records = False
    return world


def entries(status: AgentRolloutStatus) -> list[dict[str, Any]]:
    """All that are unwritten."""
    return list(status.record.unwritten) if status.record else []


def events(world: World) -> list[str]:
    """What they report."""
    return [entry["event"] for entry in entries(world.status)]


def entry(world: World, event: str) -> dict[str, Any]:
    """The one that reports this."""
    [found] = [each for each in entries(world.status) if each["event"] == event]
    return found


def test_a_release_that_becomes_healthy() -> None:
    """Each phase that is left has its gates; the first entry has the plan, the last one the outcome."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW)
    world.run_until(State.HEALTHY)

    assert events(world) == ["AttemptStarted", "BakeStarted", "Healthy"]
    started, baking, healthy = entries(world.status)
    assert (started["weight"], started["phase"], started["stable"]["release"]) == (50, "half", OLD)
    assert started["plan"]["phases"][0]["name"] == "half"
    assert {gate["verdict"] for gate in baking["gates"]} == {"Pass"}
    assert (healthy["outcome"], healthy["weight"]) == ("Healthy", 100)


def test_a_release_that_is_excepted_from_a_freeze() -> None:
    """The first entry names the active freezes that it is excepted from, each with its reason."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.freezes = (
        a_freeze(except_=[{"release": NEW, "reason": "fix for INC-77"}]),
        a_freeze("over", endTime=START.isoformat(), except_=[{"release": NEW, "reason": "an older fix"}]),
    )
    world.ship(NEW)
    world.run_until(State.CANARY)

    [freeze, _] = world.freezes
    name = f"{freeze.metadata.namespace}/{freeze.metadata.name}"
    assert entry(world, "AttemptStarted")["message"] == f"Excepted from AgentFreeze {name} (fix for INC-77)"


def test_a_release_that_is_rolled_back() -> None:
    """What it was decided on is in the entry, with numbers; then the route, the traffic and the outcome."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW, Behavior(failed=0.5))
    world.run_until(State.ROLLED_BACK)

    assert events(world)[:3] == ["AttemptStarted", "RollbackStarted", "Routed"]
    back, end = entry(world, "RollbackStarted"), entry(world, "RolledBack")
    assert (back["trigger"], back["from"], back["to"], back["weight"]) == ("Breach", NEW, OLD, 0)
    assert any(gate["verdict"] == "Fail" and float(gate["canary"]["bad"]) > 0 for gate in back["gates"])
    assert entry(world, "Routed")["window"]["startTime"]
    assert (end["outcome"], end["state"]) == ("Recovered", "RolledBack")


def test_a_rollback_does_not_depend_on_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """If an entry cannot be made, for whatever reason, the same is decided, and an entry says that much."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("planted")

    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW, Behavior(failed=0.5))
    world.run_until(State.CANARY)
    monkeypatch.setattr("agentrollouts.core.rollout.recording.rollbacks.gate_records", broken)
    world.run_until(State.ROLLED_BACK)

    back = entry(world, "RollbackStarted")
    assert (back["weight"], back["state"]) == (0, "RollingBack")
    assert back["message"].endswith("(KeyError)")
    assert world.shares() == {OLD: 100}


def test_each_step_of_a_ramp_has_its_entry() -> None:
    """With the weight and without gates: the entries are the curve of the weight."""
    ramp = [{"name": "ramp", "weight": 20, "rampSeconds": 200, "durationSeconds": 900}]
    world = at_rest(OLDEST, OLD, phases=ramp)
    world.ship(NEW)
    world.run(3600)

    steps = [each for each in entries(world.status) if each["event"] == "Rose"]
    weights = [entries(world.status)[0]["weight"], *(each["weight"] for each in steps)]
    assert weights == [weight for weight in world.route_weights if weight]
    assert len(weights) == 10
    assert not any("gates" in each for each in steps)


def test_people_are_in_their_entries() -> None:
    """Who, by which action, why, and whether the API server proved it."""
    world = at_rest(OLDEST, OLD, phases=ASKED)
    world.ship(NEW)
    world.run_until(State.AWAITING_APPROVAL)
    act(world, ActionType.HOLD)
    world.settle()
    act(world, ActionType.RESUME)
    world.settle()
    approve(world)
    world.run_until(State.HEALTHY)

    assert events(world) == [
        "AttemptStarted",
        "Held",
        "Resumed",
        "ApprovalCounted",
        "BakeStarted",
        "Healthy",
    ]
    for event in ("Held", "Resumed", "ApprovalCounted"):
        found = entry(world, event)
        assert found["by"], event
        assert (found["proved"], bool(found["action"])) == (True, True)
    assert entry(world, "BakeStarted")["approvedBy"] == [entry(world, "ApprovalCounted")["by"]]


def test_a_promotion_is_recorded_when_it_is_taken() -> None:
    """Once, by its person, though its answer waits for the route; it is not a refusal."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW)
    world.run_until(State.CANARY)
    promote(world)
    world.run_until(State.HEALTHY)

    assert events(world) == ["AttemptStarted", "PhasePromoted", "BakeStarted", "Healthy"]
    promoted = entry(world, "PhasePromoted")
    assert (promoted["phase"], promoted["proved"]) == ("half", True)
    assert promoted["by"]


def test_refused_actions_are_recorded_up_to_a_limit() -> None:
    """No one can fill a record, or hold a rollout, with requests that are refused."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.keeps_records = True
    world.ship(NEW)
    world.run_until(State.CANARY)
    for _ in range(MAX_REFUSALS + 8):
        act(world, ActionType.RESUME)
        world.settle()

    record = world.status.record
    assert record is not None
    assert record.refusals == MAX_REFUSALS


def test_a_rollback_that_a_crash_interrupted_is_recovered() -> None:
    """The route was written and the status was not: the entry says so, and has no numbers."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW)
    world.run_until(State.CANARY)
    world.run(60)
    world.ask_for(OLD)
    world.step(1)  # only the route
    assert world.status.attempt is not None
    assert world.status.attempt.state is State.CANARY
    world.settle()

    back = entry(world, "RollbackStarted")
    assert back["recovered"] is True
    assert "gates" not in back


def test_an_attempt_of_an_earlier_version_begins_with_what_is_known() -> None:
    """Its status has no record, so its chain begins with where it was."""
    builder = a_rollout().serving(OLD).trying(NEW)
    obs = an_observation(builder.asking_for(OLD))
    decision = decide(obs)

    assert decision.status is not None
    first, second = new_entries(obs.status, decision.status)
    assert (first["event"], first["sequence"], "without records" in first["message"]) == (
        "AttemptStarted",
        1,
        True,
    )
    assert second["event"] == "RollbackStarted"


def test_records_of_two_attempts_are_one_chain() -> None:
    """The first entry of an attempt has the hash of the last one before."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW, Behavior(failed=0.5))
    world.run_until(State.ROLLED_BACK)
    last = entries(world.status)[-1]
    world.ship(NEXT)
    world.run_until(State.CANARY)

    record = world.status.record
    assert record is not None
    assert record.previous == last["hash"]
    assert [part.attempt for part in record.earlier] == [record.attempt - 1]
    assert entries(world.status)[-1]["previous"] == last["hash"]


def test_a_full_record_continues_in_another_part() -> None:
    """Numbers begin anew, and the chain goes on."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW)
    world.run_until(State.CANARY)
    record = world.status.record
    assert record is not None
    full = record.copy_with(sequence=128)
    status = world.status.copy_with(record=full.copy_with(unwritten=()))
    world.rollout = world.rollout.copy_with(status=status)
    world.ask_for(OLD)
    world.settle()

    record = world.status.record
    assert record is not None
    assert (record.part, record.name) == (2, f"{full.name}-2")
    assert entries(world.status)[0]["sequence"] == 1
    assert entries(world.status)[0]["previous"] == full.head


def test_while_records_are_refused_nothing_begins_and_a_rollback_does() -> None:
    """At sixteen entries the attempt is held, with the reason; a breach is rolled back as ever."""
    plan = [{"name": f"p{n}", "weight": n, "durationSeconds": 300} for n in range(40, 60)]
    world = at_rest(OLDEST, OLD, phases=plan)
    world.ship(NEW)
    world.run_until(State.HELD)

    assert world.status.attempt is not None
    assert world.status.attempt.hold is not None
    assert world.status.attempt.hold.reason == "RecordBehind"
    recorded = next(each for each in world.status.conditions if each.type == "Recorded")
    assert (recorded.status, recorded.reason) == ("False", "Forbidden")
    assert world.ready_reason() == "Held"
    world.agents[NEW] = Behavior(failed=0.6)
    world.run_until(State.ROLLED_BACK)
    world.ship(NEXT)
    world.run(600)
    assert (world.state, world.ready_reason()) == (State.PENDING, "RecordBehind")
    world.keeps_records = True
    world.run_until(State.CANARY)
    assert "Recorded" not in {each.type for each in world.status.conditions}


@pytest.mark.parametrize("hash_", ["sha256:" + "1" * 64, ""])
def test_evidence_has_its_entry(hash_: str) -> None:
    """By its hash once the record has it; with the error if it cannot be had."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW, Behavior(failed=0.5))
    world.run_until(State.ROLLED_BACK)
    obs = world.observe()
    record = obs.status.record
    assert record is not None
    assert decide(obs).evidence is not None

    known = Knowledge(captured=Captured(record.name, hash_, "" if hash_ else "Prometheus answered 503"))
    decision = decide(an_observation(world.builder, now=world.now, record=known))

    assert decision.status is not None
    assert decision.status.record is not None
    [captured] = new_entries(obs.status, decision.status)
    assert captured["event"] == "EvidenceCaptured"
    assert decision.status.record.evidence == ("Captured" if hash_ else "Unavailable")
    assert captured.get("evidence", "") == hash_
    assert decision.evidence is None


def test_links_are_filled_in_and_quoted() -> None:
    """The administrator's templates, with what a tenant named between them."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW, Behavior(failed=0.5))
    world.run_until(State.VERIFYING)
    links = {"logs": "https://logs.example.com/?q={namespace}/{release}&from={from}"}
    obs = an_observation(world.builder.asking_for(NEXT), now=world.now, record=Knowledge(links=links))
    decision = decide(obs)

    assert decision.status is not None
    for each in new_entries(obs.status, decision.status):
        if each["event"] == "RolledBack":
            assert each["links"]["logs"].startswith(f"https://logs.example.com/?q=support/{NEW}&from=2026-")
            assert "%3A" in each["links"]["logs"]


def test_the_records_of_a_rollout_hold() -> None:
    """An auditor who has the head finds nothing that was edited, and each record says what it is about."""
    world = at_rest(OLDEST, OLD, phases=HALF)
    world.ship(NEW, Behavior(failed=0.5))
    world.run_until(State.ROLLED_BACK)
    world.ship(NEXT)
    world.run_until(State.HEALTHY)
    record = world.status.record
    assert record is not None
    outcomes = {"Healthy", "RolledBack", "Superseded"}

    def stored(part: RecordPart, listed: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
        ends = [each["event"] for each in listed if each["event"] in outcomes]
        ended = {"outcome": ends[0]} if ends else {}
        spec = {**listed[0]["identity"], "previous": part.previous, "entries": [*listed], **ended}
        return {"kind": "AgentRolloutRecord", "metadata": {"name": part.name}, "spec": spec}

    verification = verify([stored(*each) for each in by_record(record)], Known(latest=record.head))

    assert verification.broken is None
    [chain] = verification.chains
    assert (chain.records, chain.unmatched, chain.uncovered) == (2, 0, ())
    assert entries(world.status)[-1]["course"][0]["weight"] in {0, 50}
