"""A world for tests: the simulated one, with every decision checked against the invariants on its way.

Its agents run evenly, so that tests can count, and the rules that check share nothing with the code that they
check.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.gates import NoDataPolicy, OnTimeout
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus, Outcome
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.attempt.schedule import ramp
from agentrollouts.core.effects import Event, Manifest, Write
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.states import ENDS, LATCHED, TRANSITIONS
from agentrollouts.simulation import cluster
from agentrollouts.simulation.agents import Agent
from agentrollouts.simulation.cluster import weights_of_config as weights_of
from agentrollouts.simulation.world import World as Simulated
from testkit.builders import (
    NEW,
    NEXT,
    OLD,
    OLDEST,
    ROUTE,
    START,
    RolloutBuilder,
    a_ready_release,
    owned_snapshots,
    service_of,
    snapshot_of,
)

CONDITIONS: Final = ("Ready", "Reconciling", "Stalled", "TrafficApplied", "MetricsAvailable", "RollbackReady")


class Behavior(Agent):
    """How a release really is: share of runs that fail, how long each takes, dollars per run."""

    def __init__(self, failed: float = 0.02, seconds: float = 4.0, cost: float = 0.05) -> None:
        super().__init__({"failed": failed}, seconds=seconds, spread=0.0, cost=cost)


@dataclass(kw_only=True)
class World(Simulated):
    """Everything that a rollout can see, and what becomes of it. A test changes its attributes."""

    base: RolloutBuilder
    """The object as people wrote it last."""
    remembers: bool = False
    events: list[Event] = field(default_factory=list)
    route_weights: list[int] = field(default_factory=list)
    """Every weight of the canary that the route, or without one the ConfigMap, was changed to."""
    status_writes: int = 0
    news: int = 0
    """Statuses that were reason to look again."""
    ever_healthy: set[str] = field(default_factory=set)
    ended: dict[int, State] = field(default_factory=dict)

    @property
    def builder(self) -> RolloutBuilder:
        """The object as it is."""
        return replace(self.base, status=self.status)

    @property
    def state(self) -> State | None:
        """Where the attempt is."""
        return self.status.attempt.state if self.status.attempt else None

    @property
    def canary_weight(self) -> int:
        """Percent of the requests that really go to the canary."""
        stable = self.status.stable.release if self.status.stable else None
        return sum(share for release, share in self.shares().items() if release != stable)

    def ready_reason(self) -> str:
        """The reason of the summary condition."""
        return next(found.reason for found in self.status.conditions if found.type == "Ready")

    def told(self, reason: Reason) -> list[str]:
        """The Events with that reason."""
        return [event.message for event in self.events if event.reason is reason]

    def edit(self, change: Callable[[RolloutBuilder], RolloutBuilder]) -> None:
        """A person, or Git, changes the object."""
        self.base = change(self.builder)
        self.rollout = self.base.build()

    def ask_for(self, release: str) -> None:
        """`spec.releaseRef` names that release, which exists and is ready if it ever was."""
        self.edit(lambda builder: builder.asking_for(release))

    def ship(self, release: str, behavior: Agent | None = None) -> None:
        """The release is made, its agents run, and it is asked for."""
        [snapshot] = owned_snapshots([release], uid=f"uid-of-{release}").values()
        self.make(a_ready_release(release), snapshot, behavior or Behavior())
        self.ask_for(release)

    def run_until(self, state: State, within: float = 7200) -> None:
        """Let time pass until the attempt is in that state; fails after so many seconds."""
        end = self.now + timedelta(seconds=within)
        self.settle()
        while self.state is not state:
            assert self.now < end, (
                f"still {self.state} after {within} s, not {state}: {self.status.conditions[0].message}"
            )
            self.run(5)

    def decided(self, obs: Observation, decision: Decision) -> None:
        """Every decision keeps the invariants."""
        self.news += decision.is_news
        check(obs, decision)

    def patched(self, before: Manifest, changed: Manifest) -> None:
        """Of somebody else's route only weights are changed."""
        check_patch(before, changed)

    def put(self, manifest: Manifest) -> None:
        """The weights that matter are noted."""
        super().put(manifest)
        is_route = manifest["kind"] == cluster.ROUTE
        if is_route or ROUTE not in self.traffic:
            weight = self.canary_weight
            if weight != (self.route_weights or [0])[-1]:
                self.route_weights.append(weight)

    def store(self, decision: Decision) -> bool:
        """The status survives its way through the API server, and tells a story that can be true."""
        stored = super().store(decision)
        assert self.status == decision.status, "the status does not survive its way through the API server"
        self.check_story(self.status)
        self.status_writes += 1
        return stored

    def happened(self, event: Event) -> None:
        """Kept for the test to read."""
        super().happened(event)
        self.events.append(event)

    def check_story(self, status: AgentRolloutStatus) -> None:
        """What must be true of the story so far, whatever happened in it (S5, S6)."""
        attempt = status.attempt
        ends = [entry.number for entry in status.history if entry.number > 0]
        assert len(ends) == len(set(ends)), "an attempt ended twice"
        if attempt is not None and attempt.state in ENDS:
            assert self.ended.setdefault(attempt.number, attempt.state) is attempt.state, "an end is an end"
        if status.stable is not None:
            self.ever_healthy.add(status.stable.release)
        rollback = status.last_rollback
        if rollback is not None:
            assert rollback.to in self.ever_healthy, "rolled back to what was never found healthy"
            assert rollback.to != rollback.from_, "rolled back to what failed"


def a_world(builder: RolloutBuilder, *releases: str) -> World:
    """A world in which these releases are ready, and nothing has happened yet."""
    names = {*releases, builder.plan.release_ref.name}
    stable = builder.status.stable
    world = World(
        base=builder,
        rollout=builder.build(),
        now=START,
        releases={name: a_ready_release(name) for name in names},
        services={service_of(name): name for name in (OLDEST, OLD, NEW, NEXT)},
        snapshots=owned_snapshots(names, uid="uid-of-its-release"),
        agents={name: Behavior() for name in names},
        ever_healthy={stable.release} if stable else set(),
    )
    if stable is not None:
        world.agents.setdefault(stable.release, Behavior())
        world.serve({stable.release: 100}, seconds=86400)
    return world


def check(obs: Observation, decision: Decision) -> None:
    """Every invariant that can be seen in one decision."""
    before, after = obs.status, decision.status or obs.status
    _check_traffic(decision, before, after)
    _check_moves(obs, before, after)
    _check_rise(obs, before, after)
    _check_clock(obs, after)
    _check_conditions(obs, before, after)


def _check_traffic(decision: Decision, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """S1 and S4: weights sum to 100, and a latched attempt has no canary."""
    attempt = after.attempt
    for write in decision.writes:
        weights = _written_weights(write.manifest) if isinstance(write, Write) else None
        if weights is None:
            continue
        assert all(0 <= weight <= 100 for weight in weights.values()), weights
        assert sum(weights.values()) == 100, weights
        if attempt is not None and attempt.state in LATCHED:
            target = before.stable if _is_same_attempt(before, after) else after.stable
            assert target is not None
            stable = {target.release, service_of(target.release)}
            assert all(name in stable for name, weight in weights.items() if weight), weights


def _is_same_attempt(before: AgentRolloutStatus, after: AgentRolloutStatus) -> bool:
    """Whether no new one began, as it does when stable itself is taken back."""
    old, new = before.attempt, after.attempt
    return old is not None and new is not None and old.number == new.number


def check_patch(before: Manifest, after: Manifest) -> None:
    """S1: a patch changes weights in one rule and our one annotation, and nothing else to the byte."""

    def without_ours(route: Manifest) -> str:
        bare = json.loads(json.dumps(route))
        for rule in bare["spec"]["rules"]:
            for ref in rule["backendRefs"] if rule.get("name") == "agent" else ():
                ref.pop("weight", None)
        annotations = bare["metadata"].pop("annotations", {})
        kept = {key: text for key, text in annotations.items() if not key.endswith("agentrollouts.dev/split")}
        return json.dumps([bare["metadata"] | {"generation": 0}, kept, bare["spec"]])

    assert without_ours(after) == without_ours(before)


def _written_weights(manifest: Manifest) -> dict[str, int] | None:
    if manifest["kind"] == cluster.ROUTE:
        return {ref["name"]: ref["weight"] for ref in manifest["spec"]["rules"][0]["backendRefs"]}
    return weights_of(manifest) if "data" in manifest else None


def _check_moves(obs: Observation, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """Every move is in the table; a new attempt has the next number, and only after an end."""
    old, new = before.attempt, after.attempt
    if old is None or new is None:
        assert new is None or new.number == 1 + _newest_number(before)
        assert not (old and new is None), "an attempt was forgotten"
    elif old.number == new.number:
        assert new.digest == old.digest
        assert new.state is old.state or new.state in TRANSITIONS[old.state], (old.state, new.state)
    else:
        assert old.state in ENDS, (old.state, new.state)
        assert new.number == 1 + max(old.number, _newest_number(before))
        order = obs.rollout.metadata.annotations.get("agentrollouts.dev/retry")
        banned = {e.digest for e in before.quarantined if order != f"{e.attempt}/{e.release}"}
        assert new.digest not in banned, "what failed was tried again"
    added = {entry.number for entry in after.history} - {entry.number for entry in before.history}
    was_recalled = before.stable is None and after.stable is not None and after.canary is None
    assert was_recalled or (added <= {new.number} if new else not added)
    if new is not None and old is not None and new.state in ENDS and old.state not in ENDS and before.canary:
        assert added == {new.number}, "an attempt that served is in the history"


def _newest_number(status: AgentRolloutStatus) -> int:
    """Number of the newest attempt that the status lists, of this rollout or of an earlier one."""
    numbers = [entry.number for entry in status.history] + [entry.attempt for entry in status.quarantined]
    return max(numbers, default=0)


def _check_rise(obs: Observation, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """S3: more only by the plan's next step, and only when every gate says Pass about this very segment."""
    old, new, spec = before.attempt, after.attempt, obs.rollout.spec
    if new is None or (after.stable is None and before.stable is None):
        return
    begun = old is None or old.number != new.number or old.state is State.PENDING
    risen = new.weight - (0 if begun or old is None else old.weight)
    promoted = new.state is State.HEALTHY and old is not None and old.state is not State.HEALTHY
    if risen <= 0 and not promoted:
        return
    if begun:
        known = {entry.digest for entry in before.history if entry.outcome is Outcome.HEALTHY}
        allowed = {100, _steps(obs)[0]} if new.digest in known else {_steps(obs)[0]}
        assert new.weight in allowed, (new.weight, allowed)
        return
    assert old is not None
    if risen > 0:
        higher = [weight for weight in _steps(obs) if weight > old.weight]
        assert new.weight == higher[0], (old.weight, new.weight, higher)
    asked = _asked(obs, before)
    if asked and spec.analysis.on_timeout is not OnTimeout.PROMOTE:
        said = {gate.name: gate.verdict for gate in after.gates}
        assert asked <= said.keys()
        assert all(_lets_pass(obs, name, said[name]) for name in asked), after.gates
        assert obs.poll_result is not None
        assert obs.poll_result.plan.counting_start == old.counting_start_time, (
            "an answer about another segment"
        )


def _asked(obs: Observation, status: AgentRolloutStatus) -> set[str]:
    """Gates that must be asked: all beside stable; at 100%, if it is watched, those that limit a share."""
    attempt, spec = status.attempt, obs.rollout.spec
    assert attempt is not None
    gates = {gate for gate in spec.gates if gate.during is None}
    if 0 < attempt.weight < 100:
        return {gate.name for gate in gates}
    if attempt.state is State.BAKING and not spec.bake.duration_seconds:
        return set()
    return {gate.name for gate in gates if gate.limit or gate.template == "error-rate"}


def _check_clock(obs: Observation, after: AgentRolloutStatus) -> None:
    """No time of a phase passes while the last answer of a gate was that there is nothing to see."""
    attempt = after.attempt
    if attempt is None or attempt.state not in {State.CANARY, State.BAKING} or obs.poll_result is None:
        return
    policies = {gate.name: gate.no_data for gate in obs.rollout.spec.gates}
    silent = {gate.name for gate in after.gates if gate.verdict is Verdict.NO_DATA}
    held_back = {name for name in silent if policies.get(name) is not NoDataPolicy.IGNORE}
    assert not (held_back and attempt.clock_start_time), after.gates


def _lets_pass(obs: Observation, name: str, verdict: Verdict) -> bool:
    policy = next(gate.no_data for gate in obs.rollout.spec.gates if gate.name == name)
    return verdict is Verdict.PASS or (verdict is Verdict.NO_DATA and policy is NoDataPolicy.IGNORE)


def _steps(obs: Observation) -> list[int]:
    """All weights that the plan goes through."""
    weights, before = [], 0
    for phase in obs.rollout.spec.phases:
        weights += [step.weight for step in ramp(phase, before)]
        before = phase.weight
    return weights


def _check_conditions(obs: Observation, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """All five, with words that we know, and times that move with the status only."""
    if after is before:
        return
    assert tuple(found.type for found in after.conditions) == CONDITIONS
    words = set(Reason)
    old = {found.type: found for found in before.conditions}
    for found in after.conditions:
        assert found.reason in words, found
        assert found.observed_generation == obs.rollout.metadata.generation
        known = old.get(found.type)
        same = known is not None and known.status is found.status
        since = min(known.last_transition_time, obs.now) if same and known else obs.now
        assert found.last_transition_time == since, found
    ready, reconciling, stalled = after.conditions[:3]
    assert [ready.status, reconciling.status, stalled.status].count(ConditionStatus.TRUE) == 1, (
        after.conditions
    )


def snapshots_needed(status: AgentRolloutStatus) -> set[str]:
    """Names of the snapshots without which something could not be served again."""
    serving = {record.snapshot for record in (status.stable, status.canary) if record}
    return serving | {entry.snapshot for entry in status.history if entry.outcome is Outcome.HEALTHY}


__all__ = ["Behavior", "World", "a_world", "check", "snapshot_of", "snapshots_needed", "weights_of"]
