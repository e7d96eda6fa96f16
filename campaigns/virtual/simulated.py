"""T13: rollouts in virtual time, each with faults of its own, under the eyes of the observer.

Everything of a case follows from its seed: the plan, the releases, what people do, what fails and when, where
the operator's process ends between two writes, and by how much its clock jumps. Then nothing is disturbed any
more, and the rollout has to come to its end, or to say which person it waits for.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.release import AgentRelease, ReleaseRef
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.core.metrics.poll import Poll
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.states import ENDS
from agentrollouts.simulation.agents import Agent, Drawn
from agentrollouts.simulation.cluster import ROUTE, materialise
from agentrollouts.simulation.world import Change, RestlessError, World
from campaigns.cases import Campaign, Case, Choice
from campaigns.virtual.observer import Observer
from testkit import people

SIZE: Final = 10_000
APPROVERS: Final = ("ana@example.com", "lee@example.com")
START: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
AGENT: Final = "agent"
RELEASES: Final = tuple(f"{AGENT}-1.{minor}.0" for minor in range(4))
"""The first one serves when a case begins; each of the others is good or bad."""
GOOD: Final = Agent({"failed": 0.02}, spread=0.0)
BAD: Final = Agent({"failed": 0.5}, spread=0.0)

BEGUN: Final = 90.0
"""Seconds after which the first release has become stable: without it there is nothing to compare with."""
DISTURBED: Final = 1500.0
"""Seconds in which things happen."""
QUIET: Final = 2400.0
"""Seconds in which nothing happens any more."""
CRASHES: Final = 0.02
"""Part of the decisions that the process does not survive."""
LOST: Final = 0.01
"""Part of the status writes that are refused, as somebody else wrote meanwhile."""
JUMPS: Final = tuple(timedelta(seconds=s) for s in (1, -1, 300, -300, 86400, -86400))

PLANS: Final[Sequence[Sequence[dict[str, Any]]]] = (
    [{"name": "only", "weight": 30, "durationSeconds": 90}],
    [
        {"name": "first", "weight": 10, "durationSeconds": 90},
        {"name": "second", "weight": 50, "durationSeconds": 60},
    ],
    [
        {"name": "first", "weight": 20, "durationSeconds": 60},
        {"name": "all", "weight": 100, "durationSeconds": 60},
    ],
    [{"name": "ramp", "weight": 40, "durationSeconds": 180, "rampSeconds": 120}],
    [
        {"name": "asked", "weight": 20, "durationSeconds": 60, "approval": "Required", "approvals": 2},
        {"name": "last", "weight": 60, "durationSeconds": 60},
    ],
)
GATES: Final[Sequence[Sequence[dict[str, Any]]]] = (
    [{"name": "errors", "template": "error-rate"}],
    [{"name": "errors", "template": "error-rate"}, {"name": "cost", "template": "cost-per-run"}],
)


@dataclass(kw_only=True)
class Disturbed(World):
    """A world whose operator dies between writes, and whose status writes are refused at times."""

    rng: random.Random
    observer: Observer
    is_disturbed: bool = True
    remembers: bool = False
    releases_made: dict[str, AgentRelease] = field(default_factory=dict)

    def step(self, effects: int | None = None) -> bool:
        """Now and then only the first effects of a decision happen; another process looks then."""
        if self.is_disturbed and effects is None and self.rng.random() < CRASHES:
            super().step(self.rng.randrange(4))
            self.restart()
            return True
        return super().step(effects)

    def store(self, decision: Decision) -> bool:
        """Now and then the status was written by somebody else meanwhile: nothing is stored, nothing told."""
        if self.is_disturbed and self.rng.random() < LOST:
            return True
        return super().store(decision)

    def poll(self, poll: Poll) -> None:
        """The observer knows what Prometheus could know."""
        super().poll(poll)
        self.observer.looked(self.now, answered=self.metrics == "up")


def a_case(seed: str) -> Disturbed:
    """The world of a case at its first second, with all that will happen ahead."""
    rng = random.Random(seed)
    bad = frozenset(release for release in RELEASES[1:] if rng.random() < 0.3)  # noqa: PLR2004 about one in three
    world = a_world(_rollout(rng), bad, rng)
    world.runs_per_second = rng.choice((4.0, 20.0))
    if rng.random() < 0.2:  # noqa: PLR2004 a fifth by chance, the others faster
        world.chance = Drawn(random.Random(f"{seed}/runs"))
    times = sorted(rng.uniform(BEGUN, BEGUN + DISTURBED) for _ in range(rng.randrange(3, 9)))
    world.ahead = [(START + timedelta(seconds=seconds), _happening(rng, world.observer)) for seconds in times]
    return world


def a_world(rollout: AgentRollout, bad: frozenset[str], rng: random.Random) -> Disturbed:
    """The world at its first second, with all releases, of which these fail."""
    observer = Observer({release.replace(".", "-"): release for release in RELEASES}, bad)
    world = Disturbed(rng=rng, observer=observer, rollout=rollout, now=START, watchers=[observer.see])
    for release in RELEASES:
        made, snapshot = materialise(_release(release), {}, START)
        world.make(made, snapshot, BAD if release in bad else GOOD)
    world.releases_made = dict(world.releases)
    return world


def play_case(seed: str) -> str | None:
    """Play one case; what did not hold, or None."""
    return broken(a_case(seed), _play)


def broken(world: Disturbed, course: Callable[[Disturbed], None]) -> str | None:
    """What did not hold while the world went its course, or None."""
    try:
        course(world)
    except RestlessError as error:
        return f"L2: {error}"
    except Exception as error:  # noqa: BLE001 whatever comes out of a decision breaks the case
        return f"{type(error).__name__}: {error}"
    return "; ".join(world.observer.broken[:3]) or None


def _play(world: Disturbed) -> None:
    observer = world.observer
    world.settle()
    world.run(BEGUN)
    respecify(world, release_ref=ReleaseRef(name=RELEASES[1]))
    world.run(DISTURBED)
    heal(world)
    world.run(QUIET)
    observer.at_rest(world.now)
    if world.status.attempt and world.status.attempt.state in ENDS:
        written = observer.writes
        world.run(60)
        observer.check(observer.writes == written, "L2", "writes though nothing happens", world.now)


def _rollout(rng: random.Random) -> AgentRollout:
    return a_rollout(
        phases=rng.choice(PLANS),
        gates=rng.choice(GATES),
        analysis={
            "intervalSeconds": rng.choice((20, 30)),
            "warmupSeconds": 0,
            "maxExtensions": rng.choice((0, 2)),
            "onTimeout": rng.choice(("Hold", "RollBack")),
        },
        bake={"durationSeconds": rng.choice((0, 60))},
    )


def a_rollout(**spec: object) -> AgentRollout:
    """The rollout of a case, by these fields of its plan; it asks for the first release."""
    route = {"httpRoute": {"parentRefs": [{"name": "public"}]}}
    spec = {"agent": AGENT, "releaseRef": {"name": RELEASES[0]}, "traffic": route, **spec}
    metadata = {"name": AGENT, "namespace": "here", "uid": "uid-of-rollout", "generation": 1}
    return AgentRollout.model_validate({"metadata": metadata, "spec": spec})


def _release(name: str) -> AgentRelease:
    components = {
        "prompt": {"version": "1.0.0", "inline": {"system": name}},
        "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
    }
    return AgentRelease.model_validate(
        {
            "metadata": {"name": name, "namespace": "here", "uid": f"uid-of-{name}", "generation": 1},
            "spec": {
                "agent": AGENT,
                "version": name.removeprefix(f"{AGENT}-"),
                "components": components,
                "serving": {"service": {"name": name.replace(".", "-"), "port": 80}},
            },
        }
    )


def _happening(rng: random.Random, observer: Observer) -> Change:
    """Something that people, other tools, Prometheus, the cluster or the clock do."""
    release, weight, jump = rng.choice(RELEASES), rng.randrange(101), rng.choice(JUMPS)
    metrics = rng.choice(("down", "away", "refused", "silent", "garbled", "up"))
    phases, gates = rng.choice(PLANS), rng.choice(GATES)
    happenings: tuple[Change, ...] = (
        lambda world: respecify(world, release_ref=ReleaseRef(name=release)),
        lambda world: respecify(world, release_ref=ReleaseRef(name=rng.choice(RELEASES[1:]))),
        lambda world: respecify(world, phases=_parsed(phases, gates).phases),
        lambda world: respecify(world, gates=_parsed(phases, gates).gates),
        lambda world: respecify(world, paused=not world.rollout.spec.paused),
        lambda world: people.approve(world, APPROVERS),
        lambda world: people.approve(world, APPROVERS),
        people.roll_back,
        people.retry,
        people.promote,
        lambda world: people.act(world, ActionType.HOLD),
        lambda world: people.act(world, ActionType.RESUME),
        lambda world: people.act(world, ActionType.ACKNOWLEDGE),
        lambda world: setattr(world, "metrics", metrics),
        lambda world: setattr(world, "metrics", metrics),
        lambda world: _meddle(world, weight),
        lambda world: world.traffic.pop((ROUTE, AGENT), None),
        lambda world: world.traffic.pop(("ConfigMap", f"{AGENT}-traffic"), None),
        lambda world: world.releases.pop(release, None),
        lambda world: setattr(world, "has_endpoints", not world.has_endpoints),
        lambda world: setattr(world, "gateway_follows", not world.gateway_follows),
        lambda world: set_clock(world, observer, jump),
        lambda world: set_clock(world, observer, jump),
        lambda world: world.restart(),
    )
    return rng.choice(happenings)


def _parsed(phases: object, gates: object) -> AgentRolloutSpec:
    return AgentRolloutSpec.model_validate(
        {"agent": AGENT, "releaseRef": {"name": RELEASES[0]}, "phases": phases, "gates": gates}
    )


def respecify(world: World, **fields: Any) -> None:  # noqa: ANN401 any field of the spec
    """The plan is edited in these fields."""
    world.respecify(world.rollout.spec.copy_with(**fields))


def _meddle(world: World, weight: int) -> None:
    """Someone else sets the weights of the route, under a name of their own."""
    route = world.traffic.get((ROUTE, AGENT))
    if route is None:
        return
    stable, *canary = route["spec"]["rules"][0]["backendRefs"]
    refs = [{**stable, "weight": 100 - weight}, *({**ref, "weight": weight} for ref in canary)]
    rules = [{**route["spec"]["rules"][0], "backendRefs": refs}]
    metadata = {**route["metadata"], "managedFields": [{"manager": "someone-else"}]}
    world.put({**route, "metadata": metadata, "spec": {**route["spec"], "rules": rules}})


def set_clock(world: World, observer: Observer, off: timedelta) -> None:
    """The operator's clock is off by so much now; a phase may be shorter by what nobody can notice."""
    jump = abs(off - world.skew)
    world.skew = off
    observer.tolerance += min(jump, timedelta(seconds=world.rollout.spec.analysis.stale_after_seconds))


def heal(world: Disturbed) -> None:
    """End every disturbance, and resume what a person holds."""
    world.is_disturbed, world.metrics, world.skew = False, "up", timedelta()
    world.has_endpoints = world.gateway_follows = True
    world.releases.update(world.releases_made)
    respecify(world, paused=False)
    people.act(world, ActionType.RESUME)


def play(choice: Choice) -> Iterator[Case]:
    """Case after case, each named by its number."""
    for number in range(choice.size or SIZE):
        name = str(number)
        if choice.wants(name):
            yield Case(name, play_case(f"{choice.seed}/{number}"))


SIMULATED: Final = Campaign(
    "simulated",
    "S1, S3-S6, L1, L2 on every version of route and status, through crashes between writes, refused status"
    " writes, faults of Prometheus, foreign writes, edits, new releases in flight and clock jumps of ±1 s,"
    " ±5 min, ±1 day",
    play,
    unit="rollouts",
)
