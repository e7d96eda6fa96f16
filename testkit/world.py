"""A world for tests: the simulated one, with every decision checked against the invariants on its way.

Its agents run evenly, so that tests can count, and the rules that check share nothing with the code that they
check.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Event, Manifest
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.states import ENDS
from agentrollouts.simulation import cluster
from agentrollouts.simulation.agents import Agent
from agentrollouts.simulation.world import World as Simulated
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START, service_of
from testkit.builders.observations import owned_snapshots
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import ROUTE
from testkit.invariants import check, check_patch


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
        return next(condition.reason for condition in self.status.conditions if condition.type == "Ready")

    def told(self, reason: Reason) -> list[str]:
        """The Events with that reason."""
        return [event.message for event in self.events if event.reason is reason]

    def edit(self, change: Callable[[RolloutBuilder], RolloutBuilder]) -> None:
        """A person, or Git, changes the object."""
        self.base = change(self.builder)
        self.rollout = self.base.build()
        for action in self.base.actions:
            self.actions.setdefault(action.metadata.name, action)

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


def a_world(builder: RolloutBuilder, *releases: str, kind: type[World] = World) -> World:
    """A world of that kind in which these releases are ready, and nothing has happened yet."""
    names = {*releases, builder.plan.release_ref.name}
    stable = builder.status.stable
    world = kind(
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


def a_world_at_rest(*releases: str, **spec: object) -> World:
    """The last of these serves, those before it did; the attempt that brought it there is over."""
    builder = a_rollout(**spec).asking_for(releases[-1])
    for release in releases:
        builder = builder.serving(release)
    history = builder.status.history
    done = builder.trying(releases[-1]).changing(number=len(history), state=State.HEALTHY, weight=100)
    world = a_world(done.having(canary=None, history=history), *releases)
    world.ever_healthy.update(releases)
    return world
