"""T21: records are tampered with at random, and verified.

Three auditors look at the same 150 tamperings of each of nine kinds: one has the records alone, one also the
head, one also the exported lines. Nothing is missed with the head or the lines. Without them, some cannot be
found: the table says how many.
"""

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from agentrollouts.core.record.exported import Line, read_line
from agentrollouts.core.record.verify import NOTHING, Known, verify
from campaigns.cases import Campaign, Case, Choice
from testkit.records import Json, Records, some_records
from testkit.tampering import TAMPERINGS, tampered

EACH: Final = 150
"""Tamperings of each kind."""
ATTEMPTS: Final = 3
"""Attempts of a chain; some of them have several parts."""


class Score(NamedTuple):
    """How many tamperings of one kind an auditor does not see."""

    alone: int = 0
    """With the records alone: missed."""
    later: int = 0
    """With the records alone: the chain holds, and is reported to begin with a later attempt or part."""
    head: int = 0
    """With the head."""
    lines: int = 0
    """With the exported lines."""


def score(kind: str, seed: int, count: int = EACH) -> Score:
    """Tamper with so many chains, and have three auditors verify them."""
    total = Score()
    for number in range(count):
        draw = random.Random(f"{seed} {kind} {number}")
        true = some_records(draw.getrandbits(32), attempts=ATTEMPTS)
        false = [*tampered(true, TAMPERINGS[kind], draw).objects]
        draw.shuffle(false)
        found = _score(true, false)
        total = Score(*map(sum, zip(total, found, strict=True)))
    return total


def _score(true: Records, false: list[Json]) -> Score:
    whole = _holds(false, NOTHING)
    return Score(
        alone=whole is True,
        later=whole is False,
        head=_holds(false, Known(latest=true.head, since=1)) is not None,
        lines=_holds(false, Known(lines=lines_of(true), since=1)) is not None,
    )


def _holds(records: list[Json], known: Known) -> bool | None:
    """Whether these records hold from the first entry on; None if they do not hold, or only in part."""
    verification = verify(records, known)
    is_covered = verification.is_covered or known is NOTHING
    if verification.broken or not is_covered:
        return None
    return all(chain.is_whole for chain in verification.chains)


def lines_of(records: Records) -> tuple[Line, ...]:
    """The exported lines, read."""
    found = (read_line(text, f"line {number}") for number, text in enumerate(records.log.splitlines(), 1))
    return tuple(line for line in found if isinstance(line, Line))


def play(choice: Choice) -> Iterator[Case]:
    """All tamperings of each kind."""
    for kind in TAMPERINGS:
        if choice.wants(kind):
            count = choice.size or EACH
            yield _case(kind, count, score(kind, choice.seed, count))


def _case(kind: str, count: int, scored: Score) -> Case:
    missed = f"missed {scored.head} with the head and {scored.lines} with the lines"
    alone = f"without them {scored.alone}, and {scored.later} begin later"
    broken = missed if scored.head or scored.lines else None
    return Case(kind, broken, count, f"of {count}: {missed}; {alone}")


TAMPERING: Final = Campaign(
    "tampering",
    "with the head or the exported lines, no tampering with a record is missed; without them, the log says"
    " how many are",
    play,
    unit="tamperings",
)
