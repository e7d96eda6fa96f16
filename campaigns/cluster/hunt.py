"""Shows that the campaigns can fail: operators with one planted bug each, and the trials that find it.

Each hunt plays the trials of a campaign, on an operator that has the bug, until one of them is broken.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from campaigns.cases import Campaign, Case, Choice, Tell
from campaigns.cluster import stale, watches
from campaigns.cluster.crash import Crash, How
from campaigns.cluster.lanes.apiproxy import Network
from campaigns.cluster.lanes.courses import Course
from campaigns.cluster.lanes.lane import Lane, Played, Site, lanes_on, on_own_site, played_calm, share
from campaigns.cluster.trials import Trial, course_named

BY: Final[Mapping[str, str]] = {
    "weights-first": "S3",
    "no-latch": "S4",
    "stale-read": "",
    "blind-retry": "S",
    "anything-passes": "S3",
}
"""How the sentence begins that finds a bug; empty if it is enough that the end is another."""


def _calm(_: Lane, __: Played) -> Network:
    return Network()


def _killed_on_the_way_back(lane: Lane, calm: Played, *, how: How) -> Network:
    """Right after the write that takes the route back, which is the second one of the route."""
    routed = [index for index, write in enumerate(calm.writes, 1) if "/httproutes/" in write]
    return Crash(lane, routed[1], how)


def _hunts(choice: Choice) -> Mapping[str, Sequence[Trial]]:
    """Trials by the bug that they are to find."""
    rollback = [
        Trial(f"killed {how} the way back", course_named("breach"), partial(_killed_on_the_way_back, how=how))
        for how in (How.AFTER, How.UNTOLD)
    ]
    judged = [Trial("calm", course_named("held"), _calm)]
    return {
        "weights-first": [Trial("calm", course_named("promote"), _calm)],
        "no-latch": rollback * 4,
        "stale-read": [
            trial
            for trial in watches.trials_of(choice)
            if trial.name.startswith("older") and len(trial.course.steps) > 1
        ],
        "blind-retry": [trial for trial in stale.trials_of(choice) if trial.course.name == "supersede"],
        "anything-passes": judged,
    }


def play(choice: Choice) -> Iterator[Case]:
    """A hunt for each bug."""
    return on_own_site(lambda site, tell: play_on(site, choice, tell))


async def play_on(site: Site, choice: Choice, tell: Tell) -> None:
    """The campaign on a stack that runs."""
    hunts = {bug: trials for bug, trials in _hunts(choice).items() if choice.wants(bug)}
    courses: dict[str, Course] = {
        trial.course.name: trial.course for trials in hunts.values() for trial in trials
    }
    async with lanes_on(site, min(4, len(courses))) as lanes:
        calm = await played_calm(lanes, courses.values(), tell)
    for bug, trials in hunts.items():
        async with lanes_on(
            site, min(4, len(trials)), ("-m", "campaigns.cluster.buggy_operator", bug)
        ) as lanes:
            caught = _Caught(BY[bug])
            await share(lanes, [partial(_try, trial, calm, caught) for trial in trials])
        tell(Case(bug, None if caught.by else f"not found by {len(trials)} trials"))


class _Caught:
    """What found the bug, once something has; it has to name the right invariant."""

    def __init__(self, invariant: str) -> None:
        self._invariant = invariant
        self.by: str | None = None

    def look(self, trial: Trial, played: Played) -> None:
        """Take in how a trial went."""
        violations = [text for text in played.broken if text.startswith(self._invariant)]
        if violations and self.by is None:
            self.by = f"{trial.name}: {violations[0]}"
            print(f"  found by {self.by[:300]}", file=sys.stderr)


async def _try(trial: Trial, calm: Mapping[str, Played], caught: _Caught, lane: Lane) -> None:
    if caught.by is None:
        undisturbed = calm[trial.course.name]
        caught.look(trial, await lane.play(trial.course, trial.disturb(lane, undisturbed), undisturbed.end))


CAMPAIGN: Final = Campaign(
    "hunt",
    "each of the bugs that were planted for it is found: the campaigns can fail",
    play,
    "bugs",
)
