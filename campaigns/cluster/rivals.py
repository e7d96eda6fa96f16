"""T7: somebody else writes our route, once or every second, in every state of a course.

A GitOps tool that sets 50/50 for ever, and a person who edits once. The operator puts it right, never with
more writes than the other, and more slowly when it does not help.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from campaigns.cases import Campaign, Case, Choice, Tell
from campaigns.cluster.lanes.apiproxy import Network
from campaigns.cluster.lanes.courses import Course, Step, half
from campaigns.cluster.lanes.lane import Job, Lane, Played, Site, lanes_on, on_own_site, played_calm, share
from campaigns.cluster.lanes.scene import FIRST, SECOND, Scene, service_of, shares
from campaigns.cluster.trials import LANES, course_named

SECONDS: Final = 20
"""How long the tool goes on."""
_EVERY_SECONDS: Final = 1.0
WEIGHTS: Final = (40, 60)
"""What the other one wants."""
PATIENT: Final = 5
"""So many times the operator answers at once; then it waits longer and longer."""
BOUND_SECONDS: Final = 3.0
"""After the last foreign write the route has to be right within this: the longest pause is 2 s."""


class Rival:
    """Writes the route of a scene, and remembers when.

    Args:
        times: So often.
        bound: Seconds within which the route must be right after its last write.
    """

    def __init__(self, times: int, bound: float) -> None:
        self.times = times
        self.bound = bound
        self.count = 0
        self.wrong_for = 0.0
        """Seconds from its last write until the route was right again."""

    async def fight(self, scene: Scene) -> None:
        """Write so many times, then wait until the operator has put it right."""
        route = scene.observer.get("HTTPRoute", scene.namespace, scene.agent) or {}
        right = shares(route)
        path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{scene.namespace}/httproutes/{scene.agent}"
        rules = route["spec"]["rules"]
        backends = [
            rules[0]["backendRefs"][0] | {"name": service_of(version), "weight": weight}
            for version, weight in zip((FIRST, SECOND), WEIGHTS, strict=True)
        ]
        for _ in range(self.times):
            await scene.server.merge(path, {"spec": {"rules": [rules[0] | {"backendRefs": backends}]}})
            self.count += 1
            await asyncio.sleep(_EVERY_SECONDS)
        began = time.monotonic()

        def is_right() -> bool:
            manifest = scene.observer.get("HTTPRoute", scene.namespace, scene.agent)
            return manifest is not None and shares(manifest) == right

        await scene.observer.until(is_right, self.bound + 30)
        self.wrong_for = time.monotonic() - began


def _states() -> dict[str, tuple[Course, int]]:
    """Where the other writes: a course, and before which of its steps (its length: after the last)."""
    return {
        "canary": (course_named("revert"), 1),
        "healthy": (course_named("first"), 1),
        "rolled-back": (course_named("breach"), 1),
    }


def _with(course: Course, place: int, rival: Rival) -> Course:
    """The course with the other in it."""
    moment = half if place < len(course.steps) else course.ends
    steps: Sequence[Step] = course.steps
    return replace(course, steps=[*steps[:place], Step(moment, rival.fight), *steps[place:]])


async def _rivalry(
    lane: Lane, *, name: str, rival: Rival, calm: dict[str, Played], tell: Tell, state: str
) -> None:
    course, place = _states()[state]
    played = await lane.play(_with(course, place, rival), Network(), calm[course.name].end)
    problems = list(played.broken)
    ours = sum("/httproutes/" in write for write in played.writes)
    usual = sum("/httproutes/" in write for write in calm[course.name].writes)
    if ours - usual > rival.count or (rival.times > PATIENT and ours - usual == rival.count):
        problems.append(f"{ours - usual} writes of ours for {rival.count} of the other")
    if rival.wrong_for > rival.bound:
        problems.append(f"wrong for {rival.wrong_for:.1f} s after the last foreign write")
    tell(Case(name, "; ".join(problems) or None, counts=rival.count))


def play(choice: Choice) -> Iterator[Case]:
    """A tool and a person, in each state."""
    return on_own_site(lambda site, tell: play_on(site, choice, tell))


async def play_on(site: Site, choice: Choice, tell: Tell, bound: float = BOUND_SECONDS) -> None:
    """The campaign on a stack that runs."""
    cases = {
        f"{who}-{state}": (times, state)
        for who, times in (("tool", SECONDS), ("person", 1))
        for state in _states()
        if choice.wants(f"{who}-{state}")
    }
    courses = {state: _states()[state][0] for _, state in cases.values()}
    async with lanes_on(site, min(LANES, len(cases))) as lanes:
        calm = await played_calm(lanes, courses.values(), tell)
        jobs: list[Job] = [
            partial(_rivalry, name=name, rival=Rival(times, bound), calm=calm, tell=tell, state=state)
            for name, (times, state) in cases.items()
        ]
        await share(lanes, jobs)


CAMPAIGN: Final = Campaign(
    "rivals",
    "foreign weights on our route are put right, with no more writes than the other's; S1-S6 hold",
    play,
    "foreign writes",
)
