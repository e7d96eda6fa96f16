"""Inputs: the widest plans, and the longest texts. Outputs: the size of the status."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agentrollouts.api.record.course import Look
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, Quarantined
from agentrollouts.api.verdict import GateStatus, MixCounts, QueryStatus, Severity, Verdict
from agentrollouts.core.analysis.gate_status import judged_with, to_status
from agentrollouts.core.attempt.course import changes_of_weight, joined
from agentrollouts.core.attempt.segments import freeze
from agentrollouts.core.gates.counts import Bound, Segment
from agentrollouts.core.gates.gate import ResolvedGate, shortened
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.rollout.reporting.size import bounded

LIMIT = 128 * 1024
NOW = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)
SIXTEEN = [f"g{index}" for index in range(16)]


def size(status: AgentRolloutStatus) -> int:
    """Bytes of a status as the API server stores it."""
    return len(status.model_dump_json(by_alias=True, exclude_none=True))


def gates(*names: str, **fields: Any) -> tuple[ResolvedGate, ...]:  # noqa: ANN401 any field of a gate
    """Gates of one kind."""
    specs = [{"name": name, **fields} for name in names]
    spec = {"agent": "a", "releaseRef": {"name": "r"}, "gates": specs}
    resolution = resolve_all(AgentRolloutSpec.model_validate(spec))
    assert resolution.refusals == ()
    return resolution.gates


def reading(weight: int, bounds: int, worse: float) -> Reading:
    """Counts of a weight, with many digits."""
    runs = 4321.0987654321
    segment = Segment(0.0, runs * weight / 100, 0.0, runs * (100 - weight) / 100)
    above = tuple(
        Bound(
            le * 1.0123456789,
            segment.canary_total * min(1.0, worse * 0.1 * math.exp(-le / 9)),
            segment.stable_total * 0.1 * math.exp(-le / 9),
        )
        for le in range(bounds)
    )
    return Reading(segment, above, NOW)


def attempt(names: list[str], worse: float, step: int = 5) -> tuple[list[int], list[GateStatus]]:
    """A ramp of histograms with 62 bounds: the size after each weight, and the gates at the end."""
    resolved, past, sizes = gates(*names, template="latency"), dict[str, GateStatus](), list[int]()
    for weight in range(1, 100, step):
        course = PlanPosition(weight // 10, 10, time_over=False, weight=weight, counted_seconds=600)
        present = {gate.name: reading(weight, 62, worse) for gate in resolved}
        judged = judged_with(past, resolved, present, course, NOW + timedelta(minutes=weight))
        states = [to_status(judgment, len(resolved)) for judgment in judged]
        for each in (states, [freeze(gate) for gate in states]):
            sizes.append(size(AgentRolloutStatus(gates=tuple(each))))
        past = {gate.name: gate for gate in each}
    return sizes, states


def test_a_plan_of_sixteen_histograms_and_fifty_weights_fits() -> None:
    """62 bounds, at every other weight: the status grows to its bound and stays there."""
    sizes, _ = attempt(SIXTEEN, worse=1.0, step=2)
    assert max(sizes) <= LIMIT * 3 // 4, "there is room for a history and conditions"


def test_a_long_ramp_finds_what_it_found_before() -> None:
    """One gate of an ordinary plan, and one of sixteen, fail at the same harm."""
    for names in (["g"], SIXTEEN):
        _, worse = attempt(names, worse=3.0)
        assert {gate.verdict for gate in worse} == {Verdict.FAIL}
        _, equal = attempt(names, worse=1.0)
        assert all((gate.evidence or 1.0) <= 1.0 for gate in equal)


def test_texts_give_way_and_nothing_else_does() -> None:
    """Fifty past attempts and sixteen gates that say all they may; a status that was cut is not cut again."""
    text, digest = "ä" * 1024, "sha256:" + "0" * 64
    entry = HistoryEntry(
        number=1,
        release="r",
        version="1.0.0",
        digest=digest,
        snapshot="s",
        outcome=Outcome.HEALTHY,
        reason="Promoted",
        message=text,
        start_time=NOW,
        end_time=NOW,
    )
    _, states = attempt(SIXTEEN, worse=1.0)
    verbose = tuple(gate.copy_with(message=text) for gate in states)
    status = AgentRolloutStatus(
        gates=verbose,
        watched=tuple(gate.copy_with(segments=()) for gate in verbose),
        history=tuple(entry.copy_with(number=number) for number in range(1, 51)),
        quarantined=(Quarantined(digest=digest, release="r", reason="GateFailed", message=text, time=NOW),),
        course=tuple(Look(seconds=10**6, weight=w, evidence=(-99,) * 16) for w in (*range(101), *[0] * 19)),
    )
    assert size(status) > LIMIT
    trimmed = bounded(status)
    query = QueryStatus(gate="g" * 63, time=NOW, text="x" * 8192)
    look = Look(seconds=10**6, weight=0, evidence=(-99,) * 16)
    assert size(trimmed.copy_with(query=query, course=joined(trimmed.course, look))) <= LIMIT
    assert bounded(trimmed) == trimmed
    assert _silent(trimmed) == _silent(status)


def test_the_distributions_of_failed_shifts_fit() -> None:
    """Four of them are kept, with values of any length; sixteen give way, as no decision depends on them."""
    groups = tuple(MixCounts(value=f"{index}{'ä' * 1000}", canary=1 / 3, stable=2 / 3) for index in range(64))
    gate = GateStatus(name="g", verdict=Verdict.FAIL, reason="GateFailed", severity=Severity.LOW, mix=groups)
    gate = gate.copy_with(message="ä" * 1024)
    few, many = (AgentRolloutStatus(gates=(gate,) * number) for number in (4, 16))

    assert bounded(few) == few
    assert size(few) <= LIMIT // 2
    assert size(bounded(many)) < size(many) // 4
    assert size(bounded(many)) <= LIMIT


def _silent(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """The status without its messages, and with the weights alone of its course."""
    return status.copy_with(
        gates=tuple(each.copy_with(message="") for each in status.gates),
        watched=tuple(each.copy_with(message="") for each in status.watched),
        history=tuple(each.copy_with(message="") for each in status.history),
        quarantined=tuple(each.copy_with(message="") for each in status.quarantined),
        course=tuple(look.copy_with(evidence=()) for look in changes_of_weight(status.course)),
    )


def test_an_ordinary_status_is_not_touched() -> None:
    """Its messages are whole."""
    status = AgentRolloutStatus(
        gates=(attempt(["g"], worse=1.0, step=50)[1][0].copy_with(message="x" * 1000),)
    )
    assert bounded(status) is status


def test_a_long_source_is_short_and_still_itself() -> None:
    """Counts of one source are never taken for those of another."""
    long, other = "a" * 2000 + "x", "a" * 2000 + "y"
    assert shortened("short") == "short"
    assert len(shortened(long)) <= 512
    assert shortened(long) != shortened(other)
    (gate,) = gates("g", template="error-rate")
    assert replace(gate).counted == gate.counted
