"""A short cut of each campaign that needs no sandbox: the same cases, fewer of them."""

import pytest

from campaigns.cases import Choice, Play
from campaigns.virtual import clock_jumps, exhaustive, pairs, planted_bugs, sequences, simulated
from campaigns.virtual.standby import search

SHORT = {
    "simulated": (simulated.play, 60),
    "clock-jumps": (clock_jumps.play, 48),
    "sequences": (sequences.play, 4),
    "exhaustive": (exhaustive.play, 12),
    "people": (exhaustive.play_people, 12),
    "workloads": (exhaustive.play_managed, 40),
    "recoveries": (exhaustive.play_recoveries, 12),
    "standbys": (search.play, 40),
    "pairs": (pairs.play, 8),
}


@pytest.mark.parametrize(("play", "size"), SHORT.values(), ids=list(SHORT))
def test_nothing_breaks(play: Play, size: int) -> None:
    """No case of the short cut is broken, and all of it is played."""
    cases = list(play(Choice(seed=20_261_121, size=size)))

    assert [case.broken for case in cases if case.broken] == []
    assert sum(case.counts for case in cases) == size


@pytest.mark.parametrize("finder", planted_bugs.FINDERS)
@pytest.mark.parametrize("bug", planted_bugs.BUGS)
def test_a_planted_bug_is_caught(bug: str, finder: str) -> None:
    """By each short cut, so that we know that the campaign can fail; without the bug it does not."""
    assert planted_bugs.caught(bug, finder, seed=3)


def test_a_clock_that_jumps_shows_what_passes_without_being_seen() -> None:
    """An operator that lets any verdict pass is found by its clock alone."""
    with planted_bugs.planted(planted_bugs.BUGS["any verdict advances"]):
        broken = [case.broken for case in clock_jumps.play(Choice(seed=1)) if case.broken]

    assert any("S3: from 10% to 50%" in sentence for sentence in broken)


def test_a_case_is_played_again_by_its_name() -> None:
    """What broke is found again by seed and name alone."""
    with planted_bugs.planted(planted_bugs.BUGS["NaN passes"]):
        first = next(case for case in simulated.play(Choice(3, 200)) if case.broken)
        [again] = simulated.play(Choice(3, 200, only=first.name))

    assert again == first
