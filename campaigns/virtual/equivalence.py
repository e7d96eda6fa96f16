"""When two worlds of the exhaustive search are the same: where no later decision can tell them apart.

Left out are sentences, numbers that only grow, and times beside the spans that are compared with the plan; a
span beyond the longest that anything waits for is that. Attempts are counted from the current one, and
releases are called by their part, as no decision looks at a name for itself. An action that has its last
answer is over; of those who approved, their number matters. What is read of the status here is what decisions
read of it: one that reads more has to be followed here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.names import ANNOTATION_ROLLBACK_TRIGGER, ANNOTATION_ROLLED_BACK
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, ReleaseRecord
from agentrollouts.api.verdict import GateStatus, Verdict
from agentrollouts.core.action.ledger import is_answered
from agentrollouts.core.attempt.clocks import elapsed, phase_seconds
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.effects import Manifest
from agentrollouts.core.history import was_healthy
from agentrollouts.core.rollout.desired import is_given_up
from agentrollouts.core.rollout.snapshots.facts import HEALTHY, QUARANTINED
from agentrollouts.core.states import ENDS, JUDGED, LATCHED, base_state, is_unproved
from agentrollouts.simulation import cluster
from agentrollouts.simulation.world import World
from campaigns.virtual.recovery_keys import mark_key, recovery_key, standby_key, which
from testkit.builders.names import snapshot_of

PHASE: Final = 300
"""Seconds of a phase, of the bake, and of what is waited for while a metric is missing; twice that is the
longest that anything waits for: an extended phase, Prometheus, the verification of a rollback."""
WANTS_MORE: Final = frozenset({Reason.INCONCLUSIVE})
"""Holds that are not over as soon as their cause is gone."""
GOING_BACK: Final = LATCHED - ENDS

Key = tuple[object, ...]


def key_of(world: World) -> Key:
    """What any later decision about this world can depend on, while the plan and the releases stay."""
    return _View(world, world.rollout, world.status, world.now, _parts(world)).key()


def _parts(world: World) -> dict[str, int]:
    """Each release by its role: stable, canary, desired, earlier healthy, quarantined."""
    status = world.status
    present = [r.release for r in (status.stable, status.canary) if r]
    desired, healthy = world.rollout.spec.release_ref.name, [entry.release for entry in _healthy(status)]
    banned = [entry.release for entry in status.quarantined]
    parts = dict.fromkeys([*present, desired, *healthy, *banned, *world.releases])
    return {release: part for part, release in enumerate(parts)}


@dataclass(frozen=True, slots=True)
class _View:
    """A world as decisions see it."""

    world: World
    rollout: AgentRollout
    status: AgentRolloutStatus
    now: datetime
    name: Mapping[str, int]

    def key(self) -> Key:
        """All of it."""
        status, name, rollout = self.status, self.name, self.rollout
        attempt = status.attempt
        return (
            name.get(rollout.spec.release_ref.name),
            rollout.metadata.generation == status.observed_generation,
            tuple(sorted(map(self._action, self._open()))),
            any(entry.result == Reason.ROLLING_BACK for entry in status.actions),
            self._retried(),
            name.get(status.stable.release) if status.stable else None,
            name.get(status.canary.release) if status.canary else None,
            status.weights and (status.weights.stable, status.weights.canary),
            attempt and self._attempt(attempt),
            self._gates(),
            self._silence(),
            self._rollback(),
            tuple(sorted(name[entry.release] for entry in status.quarantined)),
            tuple((name[entry.release], was_healthy(entry.record, status)) for entry in _healthy(status)),
            tuple(self._object(self.world.traffic[key]) for key in sorted(self.world.traffic)),
            tuple(sorted(self._snapshot(metadata) for metadata in self.world.snapshots.values())),
            self._workloads() if rollout.spec.workload else (),
            bool(self.world.freezes),
            recovery_key(self.world),
            standby_key(self.world, name) if rollout.spec.standby else (),
        )

    def _workloads(self) -> Key:
        """Which Deployments and Services there are, and which of them the status takes to be without pods."""
        listed = sorted(
            (self.name[entry.release], entry.scaled_down_time is None) for entry in self.status.workloads
        )
        there = sorted(
            (kind, self.name[self.world.services[name]], manifest["spec"].get("replicas", 0))
            for (kind, name), manifest in self.world.workloads.items()
            if name in self.world.services
        )
        return *listed, *there

    def _snapshot(self, metadata: ObjectMeta) -> tuple[str, bool, bool, bool]:
        """Who keeps it, and what it says of its digest; whether the operator still has to write that."""
        uids = {owner.uid for owner in metadata.owner_references}
        part = {snapshot_of(release): str(part) for release, part in self.name.items()}[metadata.name]
        return (
            part,
            self.rollout.metadata.uid in uids,
            HEALTHY in metadata.annotations,
            QUARANTINED in metadata.annotations,
        )

    def _open(self) -> Iterator[AgentRolloutAction]:
        return (action for action in self.world.actions.values() if not is_answered(action))

    def _action(self, action: AgentRolloutAction) -> tuple[str, ...]:
        """What is requested of which attempt, its result in the ledger, and its answer."""
        spec, status = action.spec, self.status
        uid = action.metadata.uid
        result = next((entry.result for entry in status.actions if entry.uid == uid), "")
        told = next((each.reason for each in action.status.conditions if each.type == "Ready"), "")
        age = (status.attempt.number if status.attempt else 0) - (spec.attempt or 0)
        part = self.name.get(spec.release or "", "")
        of = spec.hook or which(self.world, spec.detour), str(spec.percent or "")
        return spec.type, spec.phase or "", str(part), str(min(age, 1)), result, told, *of

    def _retried(self) -> Key:
        """What is tried again, as long as its snapshot still says that it was rolled back, and by whom."""
        status, retried = self.status, self.status.retried
        if retried is None:
            return ()
        present = (record for record in (status.canary, status.stable) if record)
        records: list[HistoryEntry | ReleaseRecord] = [*status.history, *present]
        snapshots = {record.snapshot for record in records if record.digest == retried.digest}
        is_marked = any(
            QUARANTINED in s.annotations for n, s in self.world.snapshots.items() if n in snapshots
        )
        is_tried = status.attempt is not None and status.attempt.digest == retried.digest
        is_banned = any(entry.digest == retried.digest for entry in status.quarantined)
        if not is_tried and (is_banned or not is_marked):
            return ()
        return is_tried, next(self.name[r.release] for r in records if r.digest == retried.digest)

    def _attempt(self, attempt: Attempt) -> Key:
        """Of one that is over or taken back, nothing matters but that; the clock tells how long ago."""
        clock = _ticks(elapsed(attempt, self.now), 2)
        if attempt.state in ENDS:
            doubt = is_given_up(attempt.digest, self.rollout), is_unproved(self.status)
            return "over", attempt.trigger, doubt
        if attempt.state in GOING_BACK:
            return attempt.state, attempt.trigger, clock
        hold = attempt.hold
        return (
            attempt.state,
            hold and (hold.reason in WANTS_MORE, hold.resumes),
            attempt.phase_index,
            attempt.weight,
            attempt.trigger,
            attempt.extensions,
            tuple((approval.phase_name, approval.weight) for approval in attempt.approvals),
            tuple(sorted(given.phase_name for given in attempt.approved_by)),
            attempt.promoted and attempt.promoted.phase_name,
            attempt.held_by is not None,
            min(clock, self._most(attempt)),
            attempt.clock_start_time is not None,
            attempt.phase_start_time is not None,
            self._since(attempt.counting_start_time, 1),
        )

    def _most(self, attempt: Attempt) -> int:
        """Ticks of a phase's clock beyond which more make no difference: less where it is not extended."""
        spec, base = self.rollout.spec, base_state(attempt)
        may_last = base is not State.AWAITING_APPROVAL and attempt.extensions < spec.analysis.max_extensions
        return 2 if may_last else phase_seconds(spec, attempt) // PHASE

    def _since(self, time: datetime | None, most: int) -> int | None:
        return None if time is None else _ticks((self.now - time).total_seconds(), most)

    def _gates(self) -> Key:
        """What the next judgment remembers; on the way back, only whether there was harm."""
        attempt, gates = self.status.attempt, self.status.gates
        if attempt is None or attempt.state in ENDS:
            return ()
        if attempt.state in GOING_BACK:
            return (any(gate.verdict is Verdict.FAIL for gate in gates),)
        return self._shown(attempt, gates), *filter(None, map(_gate, gates))

    def _shown(self, attempt: Attempt, gates: Iterable[GateStatus]) -> int | None:
        """Whether the numbers of a held attempt are due to be written again, though no verdict changes."""
        times = [gate.last_sample_time for gate in gates if gate.last_sample_time]
        return self._since(max(times), 1) if attempt.hold and times else None

    def _silence(self) -> int | None:
        """How long Prometheus has failed; also in a hold, which a promotion can end meanwhile."""
        attempt, condition = self.status.attempt, find_condition(self.status.conditions, "MetricsAvailable")
        is_asked = attempt is not None and attempt.state in JUDGED
        is_silent = condition is not None and condition.status == "False"
        return (
            self._since(condition.last_transition_time, 2) if condition and is_silent and is_asked else None
        )

    def _rollback(self) -> Key:
        """What the verification of a rollback looks at."""
        rollback, attempt = self.status.last_rollback, self.status.attempt
        if rollback is None or attempt is None or attempt.state not in GOING_BACK:
            return ()
        return (
            rollback.trigger,
            self.name[rollback.from_],
            rollback.to and self.name[rollback.to],
            rollback.observed_time is not None,
        )

    def _object(self, manifest: Manifest) -> Key:
        """The weights, and which attempt it says was taken back."""
        name, annotations = self.name, manifest["metadata"].get("annotations") or {}
        latch = annotations.get(ANNOTATION_ROLLED_BACK)
        now = self.status.attempt.number if self.status.attempt else 0
        back = latch and (max(-1, int(latch) - now), annotations.get(ANNOTATION_ROLLBACK_TRIGGER))
        latched = back, *mark_key(self.world, manifest)
        if manifest["kind"] == cluster.ROUTE:
            services = cluster.weights_of_route(manifest).items()
            parts = ((name.get(self.world.services.get(service, "")), weight) for service, weight in services)
            return latched, *parts
        return latched, _split(manifest["data"]["split.json"], now, self.rollout.metadata.generation, name)


def _split(text: str, attempt: int, generation: int, name: Mapping[str, int]) -> Key:
    """What agents that split by themselves read."""
    split = _parsed(text)
    sides = (side and (name[side["release"]], side["weight"]) for side in (split["stable"], split["canary"]))
    return split["attempt"] == attempt, split["generation"] == generation, *sides


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(text)
    return content


def _ticks(seconds: float, most: int) -> int:
    return min(most, int(seconds) // PHASE)


def _healthy(status: AgentRolloutStatus) -> list[HistoryEntry]:
    """The releases that were ever healthy, each with its newest such end, the newest first."""
    entries: dict[str, HistoryEntry] = {}
    for entry in status.history:
        if entry.outcome is Outcome.HEALTHY:
            entries.setdefault(entry.release, entry)
    return [*entries.values()]


def _gate(gate: GateStatus) -> Key:
    """The counts that are frozen, and whether it failed last: a rollback after harm is verified.

    So are those of now, since a promotion freezes them whatever they are.
    """
    frozen = tuple((s.phase_index, s.canary.bad, s.canary.total, s.stable.total) for s in gate.segments)
    current = (gate.canary.bad, gate.canary.total, gate.stable.total) if gate.canary.total else ()
    measured = gate.verdict is Verdict.FAIL, gate.burst_factor, gate.baseline, frozen, current
    return (gate.name, *measured) if any(measured) else ()
