"""Inputs: responses, crashes and refused writes, in every order. Outputs: requests and states of hooks."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.recovery.hooks import ENDS, MAX_REQUESTS, HookState, HookStatus, Moment
from agentrollouts.core.recovery.hooks.plan import Hooks
from agentrollouts.core.recovery.hooks.response import MAX_QUOTE, CallKey, Response, quoted
from agentrollouts.core.recovery.hooks.webhook import PAUSES, REQUEST_SECONDS, call_key
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, OLD, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import a_rollout

NAMES: Final = ("first", "second")
SPEC: Final[list[dict[str, Any]]] = [
    {"name": name, "at": "AfterRollback", "webhook": {"endpoint": "crm"}} for name in NAMES
]
BUILDER: Final = a_rollout(hooks=SPEC).serving(OLD).trying(NEW).rolling_back()
ROLLOUT: Final = BUILDER.build()
NOW: Final = START + timedelta(hours=1)
ENTRIES: Final = tuple(HookStatus(attempt=2, name=name, at=Moment.AFTER_ROLLBACK) for name in NAMES)
STATUSES: Final = (204, 500, 400)


@dataclass(frozen=True)
class World:
    """What is persisted, what the process knows, and what may still happen."""

    left: int
    """Disturbances that may still happen."""
    entries: tuple[HookStatus, ...] = ENTRIES
    pending: CallKey | None = None
    response: tuple[CallKey, int] | None = None
    made: frozenset[CallKey] = frozenset()
    """Requests that were ever made."""

    @property
    def hooks(self) -> Hooks:
        """What decides; every pause is over."""
        times = [e.webhook.next_time for e in self.entries if e.webhook and e.webhook.next_time]
        known = {self.response[0]: Response(self.response[1])} if self.response else {}
        rollout = ROLLOUT.copy_with(status=ROLLOUT.status.copy_with(hooks=self.entries))
        now = max([NOW, *times])
        return Hooks(rollout=rollout, now=now, cron_jobs={}, jobs={}, refused=None, responses=known)

    def following(self) -> Iterator["World"]:
        """All that can happen next; a disturbance is a failure, a crash or a refused write."""
        if self.pending:
            for status in STATUSES:
                if status == STATUSES[0] or self.left:
                    left = self.left - (status != STATUSES[0])
                    yield replace(self, left=left, pending=None, response=(self.pending, status))
        if self.left and (self.pending or self.response):
            yield replace(self, left=self.left - 1, pending=None, response=None)
        hooks = self.hooks
        after = hooks.noted(hooks.rollout.status)
        if after != self.entries:
            yield replace(self, entries=after)
            return
        for call in hooks.calls():
            if call.key != self.pending:
                yield replace(self, pending=call.key, made=self.made | {call.key})


def check(world: World) -> None:
    """What is true of every world."""
    first, second = world.entries
    tries = {call_key(ROLLOUT, entry).id: entry.tries for entry in world.entries}
    assert all(1 <= key.number <= tries[key.id] <= MAX_REQUESTS for key in world.made)
    assert first.state in ENDS or (second.state, second.tries) == (HookState.WAITING, 0)
    if world.pending:
        [entry] = [e for e in world.entries if call_key(ROLLOUT, e) == world.pending]
        assert entry.state is HookState.RUNNING
    for entry in world.entries:
        failed = entry.message.removesuffix("; it was request 5 of 5")
        assert failed in {"", "Endpoint crm responded 500", "Endpoint crm responded 400"}


def explored(disturbances: int) -> dict[World, list[World]]:
    """Every world that can be reached, with those that follow it."""
    start = World(left=disturbances)
    todo, found = deque([start]), dict[World, list[World]]()
    while todo:
        world = todo.popleft()
        if world in found:
            continue
        check(world)
        found[world] = list(world.following())
        for after in found[world]:
            for old, new in zip(world.entries, after.entries, strict=True):
                assert old.state not in ENDS or old == new
            todo.append(after)
    return found


def test_no_order_of_crashes_and_failures_breaks_a_rule() -> None:
    """Requests follow their intent, hooks their order, and everything comes to rest."""
    worlds = explored(disturbances=6)
    ends = {tuple(e.state.value for e in world.entries) for world, after in worlds.items() if not after}
    numbers = {key.number for world in worlds for key in world.made}

    assert ends == {(a, b) for a in ("Succeeded", "Failed") for b in ("Succeeded", "Failed")}
    assert numbers == {1, 2, 3, 4, 5}
    rest = {world for world, after in worlds.items() if not after}
    assert all(state.value in {"Succeeded", "Failed"} for world in rest for state in states(world))
    while more := {w for w, after in worlds.items() if w not in rest and any(a in rest for a in after)}:
        rest |= more
    assert rest == worlds.keys()


def states(world: World) -> list[HookState]:
    """Where its hooks stand."""
    return [entry.state for entry in world.entries]


def test_five_requests_fit_into_ten_minutes() -> None:
    """Also if each takes as long as it may."""
    assert sum(PAUSES) + MAX_REQUESTS * REQUEST_SECONDS < 600
    assert len(PAUSES) == MAX_REQUESTS - 1


def test_no_request_begins_while_a_rollback_is_not_on_the_route() -> None:
    """It was intended before, by a repair; the rollback does not even look at it."""
    builder = a_rollout(hooks=SPEC).serving(OLD).trying(NEW).asking_for(OLD)
    running = World(left=0).hooks.noted(ROLLOUT.status.copy_with(hooks=ENTRIES))
    started = Hooks(
        rollout=ROLLOUT.copy_with(status=ROLLOUT.status.copy_with(hooks=running)),
        now=NOW,
        cron_jobs={},
        jobs={},
        refused=None,
    )
    assert [call.key.number for call in started.calls()] == [1]
    assert list(replace(started, pauses=True).calls()) == []
    builder = replace(builder, status=builder.status.copy_with(hooks=running))

    decision = decide(replace(an_observation(builder), webhook_endpoints=frozenset()))

    assert (decision.calls, decision.status and decision.status.hooks) == ((), running)
    assert decision.writes == decide(an_observation(builder)).writes


@given(st.binary(max_size=3000))
def test_a_quote_is_one_short_line_of_printable_characters(body: bytes) -> None:
    """Whatever an endpoint sends."""
    text = quoted(body)
    assert text.isprintable()
    assert len(text) <= MAX_QUOTE
    assert '"' not in text
    assert text == text.strip()


@pytest.mark.parametrize("name", ["support-agent", "support.agent.v2"])
def test_an_id_has_no_full_stop(name: str) -> None:
    """It would shift what is signed; names of rollouts can have one, and none has the character instead."""
    metadata = ROLLOUT.metadata.copy_with(name=name)
    key = call_key(ROLLOUT.copy_with(metadata=metadata), ENTRIES[0])
    assert "." not in key.id
    assert key.id.split("/")[1].replace("_", ".") == name
