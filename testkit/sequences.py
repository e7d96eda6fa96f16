"""What can happen to a world: edits, faults and crashes, and the strategies that string them together.

Played by the property tests of the decision and, longer, by the campaign `sequences`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from agentrollouts.api.people.action import ActionType
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.traffic.manifests import key_of
from agentrollouts.simulation.agents import Agent
from testkit import people
from testkit.builders.freezes import a_freeze
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, service_of
from testkit.builders.releases import a_ready_release, not_ready
from testkit.builders.rollouts import PLAN, a_rollout
from testkit.builders.routes import (
    BY_FLAG,
    BY_PATCH,
    CONFIG,
    FLAG,
    ROUTE,
    THEIRS,
    a_backend,
    a_shop,
    their_route,
)
from testkit.world import Behavior, World, a_world

RELEASES: Final = (OLDEST, OLD, NEW, NEXT)


@dataclass(frozen=True)
class Edit:
    """Something that happens to a world, with a name that a failing example shows."""

    name: str
    change: Callable[[World], object]

    def __call__(self, world: World) -> None:
        """Let it happen."""
        self.change(world)

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:  # noqa: FBT001  # hypothesis calls it so
        """Show a failing example by names."""
        del cycle
        printer.text(self.name)


def spec(**fields: object) -> Edit:
    """Fields of the spec are set."""
    return Edit(f"spec({fields})", lambda world: world.edit(lambda builder: builder.planning(**fields)))


def setting(**fields: object) -> Edit:
    """Something of the world around is so from now on."""

    def edit(world: World) -> None:
        for name, value in fields.items():
            setattr(world, name, value)

    return Edit(f"setting({fields})", edit)


def behaving(release: str, behavior: Agent) -> Edit:
    """A release behaves so from now on."""
    return Edit(f"{release} behaves {behavior}", lambda world: world.agents.update({release: behavior}))


def crashing(effects: int) -> Edit:
    """The process ends after so many effects of its next decision, and starts again."""

    def edit(world: World) -> None:
        world.step(effects)

    return Edit(f"crashing({effects})", edit)


def deleting(release: str) -> Edit:
    """The AgentRelease is deleted; its snapshot stays for as long as the rollout owns it."""

    def edit(world: World) -> None:
        world.releases.pop(release, None)

    return Edit(f"deleting({release})", edit)


def unready(release: str) -> Edit:
    """The AgentRelease is not materialized (any more)."""
    return Edit(
        f"unready({release})",
        lambda world: world.releases.update({release: not_ready(a_ready_release(release))}),
    )


def making(release: str) -> Edit:
    """The AgentRelease is there and ready."""
    return Edit(
        f"making({release})", lambda world: world.releases.update({release: a_ready_release(release)})
    )


def meddling(weight: int) -> Edit:
    """Somebody else sets the weights of our route."""

    def edit(world: World) -> None:
        route = world.traffic.get(ROUTE)
        if route is not None:
            first, *others = route["spec"]["rules"][0]["backendRefs"]
            refs = [{**first, "weight": 100 - weight}, *({**ref, "weight": weight} for ref in others)]
            rules = [{**route["spec"]["rules"][0], "backendRefs": refs}]
            world.traffic[ROUTE] = {**route, "spec": {**route["spec"], "rules": rules}}

    return Edit(f"meddling({weight})", edit)


def meddling_with_theirs(*weights: int) -> Edit:
    """Somebody else writes their own route anew: these weights, and nothing that we noted on it."""

    def edit(world: World) -> None:
        if THEIRS in world.traffic:
            services = [service_of(release) for release in RELEASES]
            world.traffic[THEIRS] = their_route(*map(a_backend, services, weights))

    return Edit(f"meddling with theirs {weights}", edit)


def losing(key: tuple[str, str]) -> Edit:
    """Somebody deletes one of our traffic objects."""

    def edit(world: World) -> None:
        world.traffic.pop(key, None)

    return Edit(f"losing({key})", edit)


def asking_for(release: str) -> Edit:
    """`spec.releaseRef` names that release."""
    return Edit(f"asking for {release}", lambda world: world.ask_for(release))


approving = Edit("approving", people.approve)
ORDERS: Final = (
    setting(freezes=(a_freeze(),)),
    setting(freezes=(a_freeze(inFlight="Continue"),)),
    setting(freezes=()),
    approving,
    Edit("taking back", people.roll_back),
    Edit("retrying", people.retry),
    Edit("promoting", people.promote),
    Edit("holding", lambda world: people.act(world, ActionType.HOLD)),
    Edit("resuming", lambda world: people.act(world, ActionType.RESUME)),
    Edit("acknowledging", lambda world: people.act(world, ActionType.ACKNOWLEDGE)),
)

PLANS: Final[tuple[Edit, ...]] = (
    spec(phases=PLAN["phases"]),
    spec(phases=[{"name": "only", "weight": 50, "durationSeconds": 300}]),
    spec(phases=[{"name": "slow", "weight": 90, "rampSeconds": 300, "durationSeconds": 400}]),
    spec(phases=[{"name": "all", "weight": 100, "durationSeconds": 60}]),
    spec(phases=[{"name": f"p{n}", "weight": n, "durationSeconds": 200} for n in (1, 10, 40, 99)]),
    spec(phases=[{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]),
    spec(gates=[]),
    spec(gates=PLAN["gates"]),
    spec(gates=[{"name": "errors", "template": "error-rate", "severity": "Medium"}]),
    spec(gates=[{"name": "errors", "template": "error-rate", "noData": "Ignore"}]),
    spec(gates=[{"name": name, "template": name} for name in ("error-rate", "latency", "cost-per-run")]),
    spec(gates=[{"name": "oops", "template": "there-is-none"}]),
    spec(analysis={"warmupSeconds": 0, "maxExtensions": 3, "onTimeout": "RollBack"}),
    spec(analysis={"warmupSeconds": 30, "maxExtensions": 0, "onTimeout": "Promote"}),
    spec(bake={"durationSeconds": 0}),
    spec(rollback={"afterHoldSeconds": 300}),
    spec(historyLimit=1),
    spec(historyLimit=10),
    spec(traffic={}),
    spec(traffic=PLAN["traffic"]),
    spec(traffic=BY_PATCH),
    spec(traffic=BY_FLAG),
    spec(traffic={"routePatch": {"name": "another", "rule": "agent"}}),
    spec(caps=[{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "50"}]),
    spec(caps=[]),
    spec(paused=True),
    spec(paused=False),
)
FAULTS: Final[tuple[Edit, ...]] = (
    setting(metrics="down"),
    setting(metrics="refused"),
    setting(metrics="silent"),
    setting(metrics="garbled"),
    setting(metrics="up"),
    setting(has_endpoints=False),
    setting(has_endpoints=True),
    setting(has_gateway_api=False),
    setting(has_gateway_api=True),
    setting(gateway_follows=False),
    setting(gateway_follows=True),
    setting(poll_result=None),
    setting(keeps_records=False),
    setting(keeps_records=True),
    meddling(50),
    meddling(100),
    meddling_with_theirs(0, 50, 50, 0),
    meddling_with_theirs(0, 100),
    meddling_with_theirs(),
    losing(ROUTE),
    losing(FLAG),
    losing(THEIRS),
    losing(CONFIG),
    *(crashing(effects) for effects in range(4)),
)

BEHAVIORS: Final = tuple(
    behaving(release, behavior)
    for release in (NEW, NEXT, OLD)
    for behavior in (Behavior(failed=0.3), Behavior(seconds=25.0), Behavior(cost=3.0), Behavior())
)
OBJECTS: Final = tuple(make(release) for make in (deleting, unready, making) for release in (OLD, NEW, NEXT))
ASKED: Final = tuple(asking_for(release) for release in (NEW, NEXT, OLD, OLDEST))

edits = st.one_of(*map(st.sampled_from, (ASKED, PLANS, FAULTS, BEHAVIORS, OBJECTS, PLANS, ORDERS)))
pauses = st.sampled_from([70.0, 0.0, 350.0, 900.0])
sequences = st.lists(st.tuples(edits, pauses), min_size=2, max_size=8)
"""What happens, each with the seconds that pass after it."""


def a_world_of_four(sequence: Sequence[tuple[Edit, float]]) -> Iterator[World]:
    """All four releases exist, one serves, the next is rolled out: the world after each edit and pause."""
    plan = a_rollout(analysis={"warmupSeconds": 0, "intervalSeconds": 90})
    world = a_world(plan.serving(OLD).remembering(OLDEST), *RELEASES)
    world.traffic[THEIRS] = a_shop(*RELEASES)
    world.run(100)
    for edit, pause in sequence:
        edit(world)
        yield world
        world.run(pause)
        yield world


def check_rest(world: World, looks: Iterable[int] = (1, 5, 10)) -> None:
    """There is a fixed point, and while nothing happens nothing is written.

    It is looked at again after so many seconds; no answer of Prometheus gets stale within ten.
    """
    world.settle()
    for later in looks:
        now = world.now + timedelta(seconds=later)
        if world.wake_at is None or now < world.wake_at:
            decision = decide(replace(world.observe(), now=now))
            refused = {ROUTE} if world.problem else set()
            assert {key_of(write.manifest) for write in decision.writes} == refused
            assert (decision.status, decision.events) == (None, ())
