"""The small world of the exhaustive search; what can happen to it is in `happenings`.

Two releases beside the one that serves, three phases (one needs two approvals), and two gates (one rolls
back, one holds). The plan has no caps, no ramp and no `watch`, and neither it nor the releases change.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.recovery.hooks import cron_jobs_of
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.workload import StampedWorkload
from agentrollouts.core.action.ledger import is_answered
from agentrollouts.core.effects import Manifest
from agentrollouts.core.recovery.hooks.reads import HookReads
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.simulation import cluster
from agentrollouts.simulation.jobs import Jobs
from campaigns.virtual.equivalence import PHASE
from campaigns.virtual.observer import Observer
from testkit.builders.names import AGENT, NEW, NEXT, OLD, START, digest_of, service_of
from testkit.builders.observations import settled_snapshots
from testkit.builders.releases import a_ready_release, a_record
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.workloads import TEMPLATE
from testkit.world import World, a_world

CRASH: Final = "crash after"
"""How a part of a trail begins at which the process ended."""
RELEASES: Final = (OLD, NEW, NEXT)
PLAN: Final[Mapping[str, Any]] = {
    "phases": [
        {"name": "first", "weight": 10, "durationSeconds": PHASE},
        {"name": "asked", "weight": 30, "durationSeconds": PHASE, "approval": "Required", "approvals": 2},
        {"name": "last", "weight": 60, "durationSeconds": PHASE},
    ],
    "gates": [
        {"name": name, "severity": severity, "source": {"bad": f"{name}_bad_total", "total": f"{name}_total"}}
        for name, severity in (("strict", "High"), ("mild", "Medium"))
    ],
    "analysis": {"intervalSeconds": 30, "warmupSeconds": 0, "staleAfterSeconds": 30, "maxExtensions": 1},
    "bake": {"durationSeconds": PHASE},
    "rollback": {"verify": {"withinSeconds": PHASE, "watchSeconds": 2 * PHASE}},
    "historyLimit": 50,
}
ONE_PHASE: Final[Mapping[str, Any]] = {
    **PLAN,
    "phases": [{"name": "half", "weight": 50, "durationSeconds": PHASE}],
    "gates": [gate for gate in PLAN["gates"] if gate["name"] == "strict"],
    "bake": {"durationSeconds": 0},
    "rollback": {"verify": {"withinSeconds": PHASE, "watchSeconds": 0}},
}
"""A smaller plan, for what multiplies with everything else."""


@dataclass
class ChosenJobs(Jobs):
    """Jobs that end as soon as, and as, that is chosen."""

    ended: dict[str, str] = field(default_factory=dict)
    """Type of the condition of those that have ended, by name."""

    def job(self, name: str, now: datetime) -> Manifest | None:  # noqa: ARG002 it does not matter how long one takes
        """A Job as the API server has it."""
        if name not in self.made:
            return None
        _, manifest = self.made[name]
        kind = self.ended.get(name)
        conditions = [{"type": kind, "status": "True", "reason": "Chosen"}] if kind else []
        return {**manifest, "status": {"conditions": conditions}}

    def fork(self) -> "ChosenJobs":
        """The same Jobs, to be ended otherwise."""
        return replace(self, made=dict(self.made), ended=dict(self.ended), created=[])


@dataclass(kw_only=True)
class Small(World):
    """A world without Prometheus: what it answers is chosen."""

    observer: Observer
    jobs: ChosenJobs = field(default_factory=ChosenJobs)
    trail: tuple[str, ...] = ()
    """What happened so far."""
    acts: int = 0
    """Actions that were ever created."""
    words: tuple[str, ...] = ()
    """What Prometheus said, in a word for each gate; empty if nothing was heard."""

    @property
    def known_words(self) -> tuple[object, ...]:
        """What was heard, and whether it is about what is asked now; empty after a restart."""
        if self.poll_result is None:
            return ()
        return self.current_poll is not None and self.poll_result.plan == self.current_poll.plan, *self.words

    def observe(self) -> Observation:
        """With what is known of hooks already, for which a decision would be made twice."""
        obs, hooks = super().observe(), self.rollout.spec.hooks
        if not hooks:
            return obs
        copied = frozenset(cron_jobs_of(hooks))
        made = frozenset(entry.job for entry in self.status.hooks if entry.job)
        cron_jobs, jobs = self.jobs.read(HookReads(copied, made), obs.now)
        return replace(obs, cron_jobs=cron_jobs, jobs=jobs)

    @property
    def steps(self) -> int:
        """How much happened so far, beside the ends of the process."""
        return sum(not what.startswith(CRASH) for what in self.trail)

    def serve(self, shares: Mapping[str, int], seconds: float) -> None:
        """Nothing is counted."""

    def store(self, decision: Decision) -> bool:
        """Without the way through JSON, which `check_round_trip` asks for once a state."""
        status = decision.status
        if status is None:
            return False
        self.check_story(status)
        self.rollout = self.rollout.copy_with(status=status)
        self.tell(cluster.rollout_of(self.rollout, status.to_json()))
        return True

    def check_round_trip(self) -> None:
        """The status survives its way through the API server."""
        read = AgentRolloutStatus.model_validate(self.status.to_json())
        assert read == self.status, "the status does not survive its way through the API server"  # noqa: S101 a rule, like those of testkit/world.py

    def request(self, kind: ActionType, by: str, **fields: str | int | bool) -> bool:
        """A person creates an action for the current attempt; whether there is one."""
        if self.status.attempt is None:
            return False
        self.acts += 1
        self.act(kind, by, name=f"act-{self.acts}", **fields)
        return True

    def forget(self) -> None:
        """People delete the actions that have their last answer."""
        self.actions = {name: action for name, action in self.actions.items() if not is_answered(action)}

    def fork(self, what: str = "") -> "Small":
        """The same world, to be led elsewhere."""
        world = copy.copy(self)
        world.trail = (*self.trail, what) if what else self.trail
        world.traffic, world.snapshots = dict(self.traffic), dict(self.snapshots)
        world.workloads, world.actions = dict(self.workloads), dict(self.actions)
        world.jobs = self.jobs.fork()
        world.ever_healthy, world.ended = set(self.ever_healthy), dict(self.ended)
        world.events, world.route_weights = [], []
        world.observer = self.observer.fork()
        world.watchers = [world.observer.see]
        return world


SERVING: Final = a_rollout(**PLAN).serving(OLD).asking_for(OLD)
WORKLOAD: Final = {
    "deploymentRef": {"name": AGENT},
    "port": 8080,
    "keepWarm": 0,
    "scaleDownDelaySeconds": 0,
}
"""Pods are taken away as soon as that is allowed, so that any mistake in it shows."""


def beginning(base: RolloutBuilder = SERVING, releases: Sequence[str] = RELEASES) -> Small:
    """`OLD` serves, and the others are ready."""
    made = a_world(base, *releases)
    observer = Observer(made.services, bad=frozenset(), healthy={OLD})
    observer.see(START, cluster.rollout_of(made.rollout, made.status.to_json()))
    return Small(
        base=base,
        rollout=made.rollout,
        now=START,
        releases=made.releases,
        services=made.services,
        snapshots=settled_snapshots(made.rollout, releases),
        ever_healthy={OLD},
        observer=observer,
        watchers=[observer.see],
    )


def managed_beginning() -> Small:
    """The same, where the operator makes the agents of every release from a template."""
    world = beginning()
    made = StampedWorkload(name=service_of(OLD), release=OLD, digest=digest_of(OLD))
    world.base = a_rollout(**PLAN, workload=WORKLOAD).serving(OLD).asking_for(OLD).having(workloads=(made,))
    world.rollout = world.base.build()
    world.releases = {release: a_ready_release(release, service=None) for release in RELEASES}
    world.workloads["Deployment", AGENT] = TEMPLATE
    world.stamp(a_record(OLD), world.releases[OLD])
    return world


RECOVERY: Final[Mapping[str, Any]] = {
    "fallback": {"service": {"name": "queue", "port": 8080}},
    "hooks": [
        {"name": "keep", "at": "BeforeTraffic", "job": {"cronJob": "keep"}},
        {"name": "repair", "at": "AfterRollback", "job": {"cronJob": "repair"}},
    ],
}


def recovery_beginning() -> Small:
    """With a fallback and two hooks, by the smaller plan; `NEW`, the only other release, is requested."""
    return beginning(a_rollout(**ONE_PHASE, **RECOVERY).serving(OLD).asking_for(NEW), (OLD, NEW))
