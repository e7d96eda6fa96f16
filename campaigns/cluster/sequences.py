"""T11 on the real parts: random sequences of edits and faults against the operator on the API server.

Beside `sequences`, which plays many more in virtual time, and the courses, which somebody thought of. The
operator is killed at one of its writes besides. When all disturbance ends it has to come to rest, and then to
bring one more release to all of the traffic.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from campaigns.cases import Campaign, Case, Choice, Tell
from campaigns.cluster.crash import Crash, How
from campaigns.cluster.lanes import courses
from campaigns.cluster.lanes.courses import Course, Step, asked, at_once, phase
from campaigns.cluster.lanes.lane import Job, Lane, Site, lanes_on, on_own_site, share
from campaigns.cluster.lanes.recorder import Manifest
from campaigns.cluster.lanes.scene import FOURTH, SECOND, THIRD, VERSIONS, Scene

SIZE: Final = 30
STEPS: Final = 14
LANES: Final = 8
LATEST_CRASH: Final = 40
"""The last write of the operator at which it may be killed."""
REST_SECONDS: Final = 3.0
"""As long as the longest phase of the plans, and more than the longest pause after foreign writes."""
_PAUSES: Final = (0.0, 0.5, 2.0, 4.0)
_MOVING: Final = frozenset({"Initial", "Canary", "Baking", "RollingBack", "Verifying"})
_TWO: Final = [phase("low", 10), phase("half", 50, 2)]
_GATES: Final = courses.JUDGED["gates"]
_BY_HAND: Final[Manifest] = {"gates": [], "phases": courses.ONE}

Edit = Callable[[Lane, Scene], Awaitable[None]]
"""Something that people, or a fault, do to a rollout."""


def setting(**fields: object) -> Edit:
    """Fields of the spec are set."""
    return lambda _, scene: _merge(scene, {"spec": fields})


def poll(version: str) -> Edit:
    """`spec.releaseRef` names that release."""
    return lambda _, scene: _merge(scene, {"spec": {"releaseRef": {"name": f"{scene.agent}-{version}"}}})


def failing(version: str, share: float) -> Edit:
    """From now on this share of a release's runs fails."""
    return lambda lane, scene: asyncio.to_thread(
        lane.site.agents.fail, lane.namespace, f"{scene.agent}-{version}", share
    )


def acting(request: Callable[[Scene], Awaitable[None]]) -> Edit:
    """A person requests what the status offers; nothing if it offers nothing."""

    async def act(_: Lane, scene: Scene) -> None:
        with suppress(LookupError):
            await request(scene)

    return act


def deleting(version: str) -> Edit:
    """The AgentRelease is deleted."""
    return lambda _, scene: scene.server.delete(scene.path("agentreleases", f"{scene.agent}-{version}"))


def making(version: str) -> Edit:
    """The AgentRelease is there, again if it was deleted."""
    return lambda _, scene: scene.make(version)


async def turn(_: Lane, scene: Scene) -> None:
    """Somebody else turns the weights of our route round."""
    if route := scene.observer.get("HTTPRoute", scene.namespace, scene.agent):
        [rule] = route["spec"]["rules"]
        weights = [backend["weight"] for backend in reversed(rule["backendRefs"])]
        turned = [ref | {"weight": weight} for ref, weight in zip(rule["backendRefs"], weights, strict=True)]
        await scene.server.merge(_route(scene), {"spec": {"rules": [rule | {"backendRefs": turned}]}})


EDITS: Final[Mapping[str, Edit]] = {
    **{f"ask for {version}": poll(version) for version in VERSIONS[:3]},
    **{f"delete {version}": deleting(version) for version in VERSIONS[:3]},
    **{f"make {version}": making(version) for version in VERSIONS[:3]},
    **{f"{version} fails": failing(version, 0.9) for version in (SECOND, THIRD)},
    "2.0.0 is well again": failing(SECOND, 0.0),
    "two phases": setting(phases=_TWO, gates=_GATES),
    "a ramp": setting(phases=[phase("ramp", 40, 3, rampSeconds=2)], gates=_GATES),
    "an asked phase": setting(phases=[phase("low", 20), asked("asked", 40)]),
    "by hand": setting(**_BY_HAND),
    "a bake": setting(bake={"durationSeconds": 2}),
    "pause": setting(paused=True),
    "go on": setting(paused=False),
    "approve": acting(Scene.approve),
    "roll back": acting(Scene.roll_back),
    "retry": acting(Scene.retry),
    "hold": acting(lambda scene: scene.act("Hold")),
    "resume": acting(lambda scene: scene.act("Resume")),
    "promote": acting(lambda scene: scene.act("Promote", phase=scene.attempt["phaseName"])),
    "turn the route": turn,
    "delete the route": lambda _, scene: scene.server.delete(_route(scene)),
    "kill": lambda lane, _: asyncio.to_thread(lane.kill),
}
_LIKELY: Final = ("ask for 2.0.0", "ask for 3.0.0", "two phases", "approve", "go on")
"""Drawn more often, as without them little happens."""


def a_course(lane: Lane, drawn: Sequence[tuple[str, float]], restless: list[str]) -> Course:
    """The edits with their pauses; then a plan by hand, rest, and a good release."""

    async def happen(scene: Scene, *, what: str, pause: float) -> None:
        await EDITS[what](lane, scene)
        await asyncio.sleep(pause)

    async def rest(scene: Scene) -> None:
        if not await lane.is_quiet(REST_SECONDS):
            restless.append(f"L2: still writing: {lane.proxy.writes[-3:]}")
        if not any(
            condition["type"] == "Ready" and condition["message"] for condition in scene.status["conditions"]
        ):
            restless.append(f"L1: nothing says what it waits for: {scene.status}")

    async def mend(scene: Scene) -> None:
        calm = {**courses.UNJUDGED, **_BY_HAND, "paused": False}
        await scene.make(FOURTH)
        await _merge(scene, {"spec": {**calm, "releaseRef": {"name": f"{scene.agent}-{FOURTH}"}}})

    makes = [Step(at_once, partial(Scene.make, version=version)) for version in (SECOND, THIRD)]
    edits = [Step(at_once, partial(happen, what=what, pause=pause)) for what, pause in drawn]
    ends = [Step(at_once, partial(EDITS["by hand"], lane)), Step(_is_still, rest)]
    approved = Step(
        lambda scene: scene.serves(FOURTH, 50) and courses.asks_approval("half")(scene), Scene.approve
    )
    good = [Step(at_once, mend), approved, Step(lambda scene: scene.is_ready(FOURTH), rest)]
    plan = courses.JUDGED | {"phases": _TWO}
    return Course("drawn", plan, [*makes, *edits, *ends, *good], good[-1].when)


def _is_still(scene: Scene) -> bool:
    """The operator has seen the newest spec, and the attempt waits for somebody or is over."""
    seen = scene.status.get("observedGeneration") == scene.rollout["metadata"]["generation"]
    return seen and scene.attempt.get("state") not in _MOVING


async def _merge(scene: Scene, change: Mapping[str, Any]) -> None:
    await scene.server.merge(scene.path("agentrollouts", scene.agent), change)


def _route(scene: Scene) -> str:
    return f"/apis/gateway.networking.k8s.io/v1/namespaces/{scene.namespace}/httproutes/{scene.agent}"


def play(choice: Choice) -> Iterator[Case]:
    """All sequences, or those that are chosen."""
    return on_own_site(lambda site, tell: play_on(site, choice, tell))


async def play_on(site: Site, choice: Choice, tell: Tell) -> None:
    """The campaign on a stack that runs."""
    names = [name for n in range(choice.size or SIZE) if choice.wants(name := f"sequence {n}")]
    jobs: list[Job] = [partial(_play, name, choice.seed, tell) for name in names]
    async with lanes_on(site, min(LANES, len(jobs))) as lanes:
        await share(lanes, jobs)


async def _play(name: str, seed: int, tell: Tell, lane: Lane) -> None:
    rng, restless = random.Random(f"{seed} {name}"), list[str]()
    drawn = [(rng.choice([*EDITS, *_LIKELY * 3]), rng.choice(_PAUSES)) for _ in range(STEPS)]
    network = Crash(lane, rng.randint(1, LATEST_CRASH), rng.choice([*How]))
    played = await lane.play(a_course(lane, drawn, restless), network)
    problems = [*played.broken, *restless]
    tell(Case(name, f"{'; '.join(problems)}; it was {drawn}, {network.at}" if problems else None))


CAMPAIGN: Final = Campaign(
    "sequences-real",
    f"after {STEPS} random edits and faults the operator rests and brings a good release on; S1-S6 hold",
    play,
    "sequences",
)
