"""A cluster, a Prometheus and a clock in a few hundred lines, so that rollouts run in no time.

It does what the shell does, in the same order: writes, then the status once, then Events; then again while
anything changed; then it sleeps until the decision's `wake_at` or the next question to Prometheus. Prometheus
counts runs by what the route says, whoever wrote it. Every decision is checked against the invariants on its
way, by rules that share nothing with the code that they check.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from agentrollouts.api.meta import ConditionStatus, ObjectMeta
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import NoDataPolicy, OnTimeout
from agentrollouts.api.status import AgentRolloutStatus, Outcome, State, Verdict
from agentrollouts.core.answers import Answer, Row
from agentrollouts.core.counts import Unreadable
from agentrollouts.core.decide import decide
from agentrollouts.core.observation import (
    Asking,
    Decision,
    Deletion,
    Effect,
    Event,
    Heard,
    Manifest,
    Observation,
    Patch,
    Problem,
    Write,
)
from agentrollouts.core.plan import ramp
from agentrollouts.core.queries import QueryPlan, Source, Term, tag
from agentrollouts.core.states import ENDS, LATCHED, TRANSITIONS
from agentrollouts.core.traffic import key_of
from tests.builders import (
    CONFIG,
    NEW,
    ROUTE,
    START,
    RolloutBuilder,
    a_ready_release,
    after,
    applied,
    owned_snapshots,
    service_of,
    snapshot_of,
)

SCRAPE: Final = 15.0
"""Seconds between samples."""
RUNS_PER_SECOND: Final = 4.0
BOUNDS: Final = (1.0, 5.0, 10.0, 30.0)
"""Bucket bounds of the runs' duration in seconds."""
SETTLED: Final = 12
"""Decisions after which a world that does not change must be at rest: the K of the fixed point."""

CONDITIONS: Final = ("Ready", "Reconciling", "Stalled", "TrafficApplied", "MetricsAvailable")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a release really is."""

    failed: float = 0.02
    """Share of runs that fail."""
    seconds: float = 4.0
    """How long each run takes."""
    cost: float = 0.05
    """Dollars per run."""


@dataclass(slots=True)
class Counter:
    """A counter's whole past: its value at every instant at which the traffic or the behaviour changed."""

    times: list[float] = field(default_factory=lambda: [0.0])
    values: list[float] = field(default_factory=lambda: [0.0])

    def add(self, until: float, amount: float) -> None:
        """Grow evenly until then."""
        self.times.append(until)
        self.values.append(self.values[-1] + amount)

    def at(self, time: float) -> float:
        """The value at an instant, in seconds since 1970."""
        index = bisect_right(self.times, time) - 1
        if index + 1 >= len(self.times):
            return self.values[-1]
        begun, ended = self.times[index], self.times[index + 1]
        share = (time - begun) / (ended - begun)
        return self.values[index] + share * (self.values[index + 1] - self.values[index])


Metrics = Literal["up", "down", "refused", "silent", "garbled"]


@dataclass
class World:
    """Everything that a rollout can see, and what becomes of it. A test changes its attributes."""

    builder: RolloutBuilder
    now: datetime = START
    releases: dict[str, AgentRelease] = field(default_factory=dict)
    traffic: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    snapshots: dict[str, ObjectMeta] = field(default_factory=dict)
    behaviour: dict[str, Behaviour] = field(default_factory=dict)
    metrics: Metrics = "up"
    has_endpoints: bool = True
    has_gateway_api: bool = True
    gateway_follows: bool = True
    problem: Problem | None = None
    asking: Asking | None = None
    heard: Heard | None = None
    polled: datetime = START
    counters: dict[tuple[str, str], Counter] = field(default_factory=dict)
    wake_at: datetime | None = None
    events: list[Event] = field(default_factory=list)
    route_weights: list[int] = field(default_factory=list)
    """Every weight of the canary that the route, or without one the ConfigMap, was changed to."""
    status_writes: int = 0
    news: int = 0
    """Statuses that were reason to look again."""
    ever_healthy: set[str] = field(default_factory=set)
    ended: dict[int, State] = field(default_factory=dict)

    @property
    def status(self) -> AgentRolloutStatus:
        """The persisted status."""
        return self.builder.status

    @property
    def state(self) -> State | None:
        """Where the attempt is."""
        return self.status.attempt.state if self.status.attempt else None

    @property
    def canary_weight(self) -> int:
        """Percent of the requests that really go to the canary."""
        return sum(share for release, share in self.shares().items() if release != self._stable_name())

    def ready_reason(self) -> str:
        """The reason of the summary condition."""
        return next(found.reason for found in self.status.conditions if found.type == "Ready")

    def told(self, reason: Reason) -> list[str]:
        """The Events with that reason."""
        return [event.message for event in self.events if event.reason is reason]

    def edit(self, change: Callable[[RolloutBuilder], RolloutBuilder]) -> None:
        """A person, or Git, changes the object."""
        self.builder = change(self.builder)

    def ask_for(self, release: str) -> None:
        """`spec.releaseRef` names that release, which exists and is ready if it ever was."""
        self.edit(lambda builder: builder.asking_for(release))

    def ship(self, release: str, behaviour: Behaviour | None = None) -> None:
        """The release is made, its agents run, and it is asked for."""
        self.releases[release] = a_ready_release(release)
        self.snapshots.update(owned_snapshots([release], uid=f"uid-of-{release}"))
        self.behaviour[release] = behaviour or Behaviour()
        self.ask_for(release)

    # --- time ------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let time pass; every decision is made when the shell would make it."""
        end = self.now + timedelta(seconds=seconds)
        self.settle()
        while self.now < end:
            due = [end, self._next_poll()]
            if self.wake_at is not None:
                due.append(max(self.wake_at, self.now + timedelta(milliseconds=1)))
            self._pass_until(min(due))
            if self.now >= self._next_poll():
                self._poll()
            self.settle()

    def run_until(self, state: State, within: float = 7200) -> None:
        """Let time pass until the attempt is in that state; fails after so many seconds."""
        end = self.now + timedelta(seconds=within)
        self.settle()
        while self.state is not state:
            assert self.now < end, (
                f"still {self.state} after {within} s, not {state}: {self.status.conditions[0].message}"
            )
            self.run(5)

    def settle(self) -> None:
        """Decide until there is nothing to do: the fixed point, within `SETTLED` decisions."""
        for _ in range(SETTLED):
            if not self.step():
                return
        raise AssertionError(f"no fixed point after {SETTLED} decisions: {self.status.to_json()}")

    def step(self, effects: int | None = None) -> bool:
        """One decision, carried out; or only its first `effects` writes, and then the process ends.

        Returns whether anything changed that the next decision sees.
        """
        obs = self.observe()
        decision = decide(obs)
        self.news += decision.is_news
        check(obs, decision)
        self.asking, self.wake_at = decision.asking, decision.wake_at
        todo: list[Callable[[], bool]] = [lambda write=write: self._apply(write) for write in decision.writes]  # type: ignore[misc] # mypy cannot infer a lambda with a default
        if decision.status is not None:
            todo.append(lambda: self._store(decision))
        self.problem = None
        changes = [effect() for effect in todo[:effects]]
        if effects is not None and effects < len(todo):
            self.asking = self.heard = None  # a new process knows only what the API server has
        return any(changes)

    def observe(self) -> Observation:
        """What `shell.observe` would see."""
        rollout = self.builder.build()
        return Observation(
            now=self.now,
            rollout=rollout,
            release=self.releases.get(rollout.spec.release_ref.name),
            endpoints_ready=self.has_endpoints,
            traffic=dict(self.traffic),
            traffic_problem=self.problem,
            snapshots=dict(self.snapshots),
            heard=self.heard,
        )

    def _next_poll(self) -> datetime:
        if self.asking is None:
            return datetime.max.replace(tzinfo=START.tzinfo)
        return max(self.now, self.polled + timedelta(seconds=self.asking.interval_seconds))

    def _pass_until(self, then: datetime) -> None:
        """Requests are served by whatever the route says."""
        self.serve(self.shares(), then.timestamp(), (then - self.now).total_seconds())
        self.now = then

    def serve(self, shares: Mapping[str, int], until: float, seconds: float) -> None:
        """Requests of so many seconds, until that instant, reach these releases."""
        for release, share in shares.items():
            runs = RUNS_PER_SECOND * seconds * share / 100
            real = self.behaviour.get(release, Behaviour())
            amounts = {"runs": runs, "failed": runs * real.failed, "cost": runs * real.cost}
            amounts |= {f"le={bound}": runs * (real.seconds <= bound) for bound in BOUNDS}
            for name, amount in amounts.items():
                self._counter(release, name, until - seconds).add(until, amount)

    def _counter(self, release: str, name: str, now: float) -> Counter:
        found = self.counters.setdefault((release, name), Counter())
        if found.times[-1] < now:
            found.add(now, 0.0)
        return found

    # --- the API server --------------------------------------------------------------------------------

    def shares(self) -> dict[str, int]:
        """Percent of the requests by release, as the route says; without one, as the ConfigMap says."""
        refs = self._backends()
        if refs is not None:
            total = sum(ref.get("weight", 1) for ref in refs) or 1
            backends = {ref["name"]: round(100 * ref.get("weight", 1) / total) for ref in refs}
            names = {service_of(release): release for release in self._known_releases()}
            return {names.get(service, service): weight for service, weight in backends.items()}
        return weights_of(self.traffic[CONFIG]) if CONFIG in self.traffic else {}

    def _backends(self) -> list[Manifest] | None:
        """Those of the route that requests come by: somebody else's, where the plan names one."""
        wanted = self.builder.plan.traffic.route_patch
        theirs = self.traffic.get(("HTTPRoute", wanted.name)) if wanted else None
        if theirs is not None and wanted is not None:
            rules = [rule for rule in theirs["spec"]["rules"] if rule.get("name") == wanted.rule]
            return rules[0]["backendRefs"] if rules else []
        ours = self.traffic.get(ROUTE)
        return ours["spec"]["rules"][0]["backendRefs"] if ours else None

    def _known_releases(self) -> Iterable[str]:
        return {*self.behaviour, *self.releases, *self.ever_healthy, NEW}

    def _stable_name(self) -> str | None:
        return self.status.stable.release if self.status.stable else None

    def _apply(self, write: Effect) -> bool:
        manifest = write.manifest
        key = key_of(manifest)
        if isinstance(write, Deletion):
            return self.traffic.pop(key) is not None
        if isinstance(write, Patch):
            theirs = self.traffic[key]
            self.traffic[key] = self._accepted(after(write, theirs))
            check_patch(theirs, self.traffic[key])
            self._note_weight()
            return True
        if key not in (ROUTE, CONFIG):
            return self._own(manifest)
        if key == ROUTE and not self.has_gateway_api:
            self.problem = self.problem or Problem(
                Reason.GATEWAY_API_MISSING, "the cluster has no HTTPRoute kind"
            )
            return False
        before = self.traffic.get(key)
        done = applied(manifest, before)
        self.traffic[key] = self._accepted(done) if key == ROUTE else done
        if key == ROUTE or ROUTE not in self.traffic:
            self._note_weight()
        return self.traffic[key] != before

    def _accepted(self, route: Manifest) -> Manifest:
        """The gateway takes the route over, if it follows at all."""
        if not self.gateway_follows:
            return route
        generation = route["metadata"]["generation"]
        accepted = {"type": "Accepted", "status": "True", "observedGeneration": generation}
        return {**route, "status": {"parents": [{"conditions": [accepted]}]}}

    def _note_weight(self) -> None:
        if self.canary_weight != (self.route_weights or [0])[-1]:
            self.route_weights.append(self.canary_weight)

    def _own(self, manifest: Manifest) -> bool:
        name = manifest["metadata"]["name"]
        known = self.snapshots[name]
        uid = manifest["metadata"]["ownerReferences"][0]["uid"]
        [owned] = owned_snapshots(["x"], uid=uid).values()
        self.snapshots[name] = known.replace(
            owner_references=(*known.owner_references, *owned.owner_references)
        )
        return True

    def _store(self, decision: Decision) -> bool:
        """What comes back is what the API server has: JSON, read again."""
        assert decision.status is not None
        stored = json.loads(json.dumps(decision.status.to_json()))
        status = AgentRolloutStatus.model_validate(stored)
        assert status == decision.status, "the status does not survive its way through the API server"
        self.check_story(status)
        self.builder = replace(self.builder, status=status)
        self.status_writes += 1
        self.events += decision.events
        return True

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

    # --- Prometheus ------------------------------------------------------------------------------------

    def _poll(self) -> None:
        asking = self.asking
        assert asking is not None
        self.polled = self.now
        match self.metrics:
            case "down":
                answer: Answer | Unreadable = Unreadable("Prometheus answered 503")
            case "refused":
                answer = Unreadable("Prometheus refused the query: parse error", Reason.INVALID_GATE)
            case _:
                answer = Answer(self.now, tuple(self._rows(asking.plan)))
        self.heard = Heard(plan=asking.plan, answer=answer)

    def _rows(self, plan: QueryPlan) -> Iterable[Row]:
        at = self.now.timestamp()
        newest = at - at % SCRAPE
        for source in plan.sources:
            if plan.window(source, self.now) < 1:
                continue
            ended = at - plan.shift(source, self.now)
            begun = ended - plan.window(source, self.now)
            for release in plan.subject.releases:
                if self.metrics == "silent" and release == plan.subject.canary:
                    continue
                if self._counter(release, "runs", at).at(newest) == 0:
                    continue
                yield from self._counts(plan, source, release, begun, min(newest, ended))
                if Term.VALUE in plan.terms(source):
                    runs = self._counter(release, "runs", at).at(newest)
                    yield Row(tag(plan, source, Term.VALUE), release, None, runs)
                if source in plan.totals:
                    scrapes = float(newest // SCRAPE - begun // SCRAPE)
                    yield Row(tag(plan, source, Term.NEWEST), release, None, newest)
                    yield Row(tag(plan, source, Term.SCRAPES), release, None, scrapes)
                if Term.COVERED in plan.terms(source) and self._counter(release, "runs", at).at(begun) > 0:
                    yield Row(tag(plan, source, Term.COVERED), release, None, 1.0)

    def _counts(
        self, plan: QueryPlan, source: Source, release: str, begun: float, ended: float
    ) -> Iterable[Row]:
        label = tag(plan, source, Term.INCREASE)

        def grown(name: str) -> float:
            counter = self._counter(release, name, self.now.timestamp())
            return (
                float("nan")
                if self.metrics == "garbled"
                else counter.at(ended) - counter.at(min(begun, ended))
            )

        if source.by:
            for bound in BOUNDS:
                yield Row(label, release, f"{bound:g}", grown(f"le={bound}"))
            yield Row(label, release, "+Inf", grown("runs"))
        else:
            yield Row(label, release, None, grown(_counted_by(source)))


def _counted_by(source: Source) -> str:
    if source.selector.metric.endswith("_cost_usd_sum"):
        return "cost"
    return "failed" if source.selector.matchers else "runs"


def weights_of(manifest: Manifest) -> dict[str, int]:
    """Percent by release, as the ConfigMap's `split.json` says."""
    split = json.loads(manifest["data"]["split.json"])
    return {side["release"]: side["weight"] for side in (split["stable"], split["canary"]) if side}


def a_world(builder: RolloutBuilder, *releases: str) -> World:
    """A world in which these releases are ready, and nothing has happened yet."""
    names = {*releases, builder.plan.release_ref.name}
    stable = builder.status.stable
    world = World(
        builder,
        releases={name: a_ready_release(name) for name in names},
        snapshots=owned_snapshots(names, uid="uid-of-its-release"),
        behaviour={name: Behaviour() for name in names},
        ever_healthy={stable.release} if stable else set(),
    )
    if stable is not None:
        world.serve({stable.release: 100}, until=START.timestamp(), seconds=86400)
    return world


# --- what must be true of every decision ---------------------------------------------------------------


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
    if manifest["kind"] == "HTTPRoute":
        return {ref["name"]: ref["weight"] for ref in manifest["spec"]["rules"][0]["backendRefs"]}
    return weights_of(manifest) if "data" in manifest else None


def _check_moves(obs: Observation, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """Every move is in the table; a new attempt has the next number, and only after an end."""
    old, new = before.attempt, after.attempt
    if old is None or new is None:
        assert new is None or new.number == 1 + max((entry.number for entry in before.history), default=0)
        assert not (old and new is None), "an attempt was forgotten"
    elif old.number == new.number:
        assert new.digest == old.digest
        assert new.state is old.state or new.state in TRANSITIONS[old.state], (old.state, new.state)
    else:
        assert old.state in ENDS, (old.state, new.state)
        assert new.number == old.number + 1
        order = obs.rollout.metadata.annotations.get("agentrollouts.dev/retry")
        banned = {e.digest for e in before.quarantined if order != f"{e.attempt}/{e.release}"}
        assert new.digest not in banned, "what failed was tried again"
    added = {entry.number for entry in after.history} - {entry.number for entry in before.history}
    assert added <= {new.number} if new else not added
    if new is not None and old is not None and new.state in ENDS and old.state not in ENDS and before.canary:
        assert added == {new.number}, "an attempt that served is in the history"


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
        assert obs.heard is not None
        assert obs.heard.plan.counting_start == old.counting_start_time, "an answer about another segment"


def _asked(obs: Observation, status: AgentRolloutStatus) -> set[str]:
    """Gates that must be asked: all beside stable; at 100 %, if it is watched, those that limit a share."""
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
    if attempt is None or attempt.state not in {State.CANARY, State.BAKING} or obs.heard is None:
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
        assert found.last_transition_time == (known.last_transition_time if same and known else obs.now), (
            found
        )
    ready, reconciling, stalled = after.conditions[:3]
    assert [ready.status, reconciling.status, stalled.status].count(ConditionStatus.TRUE) == 1, (
        after.conditions
    )


def snapshots_needed(status: AgentRolloutStatus) -> set[str]:
    """Names of the snapshots without which something could not be served again."""
    serving = {record.snapshot for record in (status.stable, status.canary) if record}
    return serving | {entry.snapshot for entry in status.history if entry.outcome is Outcome.HEALTHY}


__all__ = ["Behaviour", "World", "a_world", "check", "snapshot_of", "snapshots_needed", "weights_of"]
