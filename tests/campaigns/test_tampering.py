"""The campaign that tampers with records, in small: what is found, and what needs the head."""

from typing import Final

import pytest

from campaigns.cases import Choice
from campaigns.virtual.tampering import Score, play, score
from testkit.tampering import TAMPERINGS

SEED: Final = 16
COUNT: Final = 20
EXPECTED: Final = {
    "edit and rehash": Score(alone=1),
    "truncate": Score(alone=COUNT),
    "drop a record": Score(alone=5, later=1),
    "replay": Score(alone=5),
    "forge everything": Score(alone=COUNT),
}
"""What cannot be found in the records alone: what changes or removes the newest entries, or the oldest."""


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_nothing_is_missed_with_the_head_or_the_lines(kind: str) -> None:
    """Each tampering is found by an auditor who has either; how many need it is known to the number."""
    assert score(kind, SEED, COUNT) == EXPECTED.get(kind, Score())


def test_the_campaign_prints_what_is_missed_without_the_head() -> None:
    """The numbers are not hidden behind a case that held."""
    (case,) = play(Choice(seed=SEED, size=COUNT, only="truncate"))

    assert (case.broken, case.counts) == (None, COUNT)
    assert case.measured == (
        "of 20: missed 0 with the head and 0 with the lines; without them 20, and 0 begin later"
    )
