"""The rules of records that one decision can break; they share nothing with the code that they check."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import rfc8785

from agentrollouts.api.attempt import State
from agentrollouts.api.status import AgentRolloutStatus, Outcome
from agentrollouts.core.record.knowledge import Knowledge
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.states import LATCHED

MOST_UNWRITTEN: Final = 16
"""Entries with which nothing goes forward."""


def check(obs: Observation, decision: Decision) -> None:
    """Every rule that can be seen in one decision."""
    before, after = obs.status, decision.status or obs.status
    new = new_entries(before, after)
    check_chain(after)
    _check_told(before, after, new)
    _check_behind(obs, before, decision)


def new_entries(before: AgentRolloutStatus, after: AgentRolloutStatus) -> list[Mapping[str, Any]]:
    """The entries that a decision added."""
    known = {entry["hash"] for entry in before.record.unwritten} if before.record else set()
    return [entry for entry in after.record.unwritten if entry["hash"] not in known] if after.record else []


def check_chain(status: AgentRolloutStatus) -> None:
    """A3: entries have the hash of their content and of the entry before, up to the head, without a gap."""
    record = status.record
    if record is None or not record.unwritten:
        return
    previous = record.unwritten[0]["previous"]
    number = record.unwritten[0]["sequence"] - 1
    runs = 1
    for entry in record.unwritten:
        bare = {key: value for key, value in entry.items() if key != "hash"}
        assert entry["hash"] == f"sha256:{hashlib.sha256(rfc8785.dumps(bare)).hexdigest()}", entry
        assert entry["previous"] == previous, entry
        runs += entry["sequence"] == 1 and entry is not record.unwritten[0]
        number = entry["sequence"] if entry["sequence"] == 1 else number + 1
        assert entry["sequence"] == number, entry
        previous = entry["hash"]
    assert (previous, number) == (record.head, record.sequence)
    assert runs <= 1 + len(record.earlier), "an entry of which the record is not known"


def _check_told(before: AgentRolloutStatus, after: AgentRolloutStatus, new: list[Mapping[str, Any]]) -> None:
    """A2: what changes the weights, or ends an attempt that had some, has its entry in the same write."""
    told = {entry["event"] for entry in new}
    old_head = before.record.head if before.record else ""
    new_head = after.record.head if after.record else ""
    assert bool(new) == (old_head != new_head), "the head moved without an entry"
    is_recalled = before.stable is None and not _weight(after)[1]
    if _weight(before) != _weight(after) and not is_recalled:
        assert told, (_weight(before), _weight(after))
    ends = set(_ends(before, after))
    assert ends <= told, (ends, told)


def _weight(status: AgentRolloutStatus) -> tuple[str | None, int]:
    """Who is to have what; without a canary, stable has all."""
    attempt = status.attempt
    weight = attempt.weight if attempt and status.canary else 0
    stable = status.stable.digest if status.stable else None
    return (stable, 0) if not weight else (attempt.digest if attempt else None, weight)


def _ends(before: AgentRolloutStatus, after: AgentRolloutStatus) -> Iterator[str]:
    old, new = before.attempt, after.attempt
    if new is None or (old and old.state is new.state and old.number == new.number):
        return
    if new.state is State.ROLLING_BACK:
        yield "RollbackStarted"
    if new.state is State.SUPERSEDED and before.canary:
        yield "Superseded"
    names = {State.HEALTHY: "Healthy", State.VERIFYING: "Routed", State.ROLLED_BACK: "RolledBack"}
    if new.state in names:
        yield names[new.state]


def _check_behind(obs: Observation, before: AgentRolloutStatus, decision: Decision) -> None:
    """A rollback is the same with records as without; while they are behind, nothing goes forward."""
    if obs.record.problem is None:
        return
    free = decide(_with_records(obs))
    after = decision.status or before
    back = (free.status or before).last_rollback
    assert after.last_rollback == back, "a record changed a rollback"
    if back != before.last_rollback:
        assert decision.writes == free.writes
        return
    old, new = before.attempt, after.attempt
    healthy = {entry.digest for entry in before.history if entry.outcome is Outcome.HEALTHY}
    unwritten = len(before.record.unwritten) if before.record else 0
    if unwritten < MOST_UNWRITTEN or new is None or new.digest in healthy:
        return
    if new.state in LATCHED | {State.SUPERSEDED}:
        return
    if old is None or old.number != new.number or old.state is State.PENDING:
        assert new.state is State.PENDING, "an attempt began while its record was behind"
    else:
        assert new.weight <= old.weight, "the canary got more while its record was behind"
        assert new.state is not State.HEALTHY, "it became stable while its record was behind"


def _with_records(obs: Observation) -> Observation:
    """The same world, in which nothing is unwritten and nothing is wrong with records."""
    status = obs.status
    record = status.record and status.record.copy_with(unwritten=(), earlier=())
    rollout = obs.rollout.copy_with(status=status.copy_with(record=record))
    return replace(obs, rollout=rollout, record=Knowledge())
