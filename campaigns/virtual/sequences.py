"""T11: long random sequences of edits, faults and crashes, found and shortened by hypothesis.

The machine is that of the property tests of the decision, with forty steps instead of eight: at every
decision the rules of `testkit/world.py` are asked, and after every pause there has to be a fixed point.
"""

import traceback
from collections.abc import Iterator
from itertools import islice
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from campaigns.cases import Campaign, Case, Choice
from testkit.sequences import Edit, a_world_of_four, check_rest, edits

SIZE: Final = 5_000
STEPS: Final = 40
BATCH: Final = 50
"""Sequences of one case."""

pauses = st.sampled_from([70.0, 0.0, 70.0, 350.0])
long_sequences = st.lists(st.tuples(edits, pauses), min_size=STEPS, max_size=STEPS)
"""What happens, each with the seconds that pass after it."""


def play_batch(number: int, examples: int) -> str | None:
    """Play so many sequences; the shortest that broke a rule, or None."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(long_sequences)
    def run(sequence: list[tuple[Edit, float]]) -> None:
        for world in islice(a_world_of_four(sequence), 1, None, 2):
            check_rest(world, looks=(10,))

    try:
        run()
    except Exception as error:  # noqa: BLE001 whatever comes out of a decision breaks the case
        notes = " ".join(getattr(error, "__notes__", ()))
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} in `{place.line}` {notes}"
    return None


def play(choice: Choice) -> Iterator[Case]:
    """Batch after batch."""
    size = choice.size or SIZE
    for number, begun in enumerate(range(0, size, BATCH)):
        name, examples = f"batch {number}", min(BATCH, size - begun)
        if choice.wants(name):
            yield Case(name, play_batch(choice.seed + number, examples), counts=examples)


SEQUENCES: Final = Campaign(
    "sequences",
    f"every decision keeps its rules and every world comes to rest, in sequences of {STEPS} edits, faults and"
    " crashes",
    play,
    unit="sequences",
)
