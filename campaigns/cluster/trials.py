"""Trials: a course, played under one disturbance of the network, compared with its calm end.

Below the campaigns that only differ in the disturbance.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from campaigns.cases import Case, Choice, Tell
from campaigns.cluster.lanes.apiproxy import Network
from campaigns.cluster.lanes.courses import COURSES, Course
from campaigns.cluster.lanes.lane import Lane, Played, Site, lanes_on, on_own_site, played_calm, share

LANES = 6


@dataclass(frozen=True, slots=True)
class Trial:
    """One disturbance of one course."""

    name: str
    course: Course
    disturb: Callable[[Lane, Played], Network]
    """Makes the network, for a lane and knowing how the course goes when nothing disturbs it."""


def play(choice: Choice, trials: Sequence[Trial]) -> Iterator[Case]:
    """All trials that are chosen, on a stack of their own."""
    return on_own_site(lambda site, tell: play_on(site, choice, trials, tell))


async def play_on(site: Site, choice: Choice, trials: Sequence[Trial], tell: Tell) -> None:
    """All trials that are chosen, on a stack that runs."""
    chosen = choice.spread([trial for trial in trials if choice.wants(trial.name)])
    courses = {trial.course.name: trial.course for trial in chosen}
    async with lanes_on(site, min(LANES, len(chosen))) as lanes:
        calm = await played_calm(lanes, courses.values(), tell)
        await share(lanes, [partial(_try, trial, calm, tell) for trial in chosen])


def course_named(name: str) -> Course:
    """One of the courses."""
    return next(course for course in COURSES if course.name == name)


async def _try(trial: Trial, calm: Mapping[str, Played], tell: Tell, lane: Lane) -> None:
    undisturbed = calm[trial.course.name]
    played = await lane.play(trial.course, trial.disturb(lane, undisturbed), undisturbed.end)
    tell(Case(trial.name, "; ".join(played.broken) or None))
