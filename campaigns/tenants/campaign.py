"""Hostile and careless neighbors: whatever one tenant does, the others' ways back take as long as ever."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from campaigns.cases import Campaign, Case, Choice
from campaigns.tenants.attacks import (
    acting,
    churning,
    heaps,
    litter,
    namesakes,
    old_releases,
    querying,
    reapplying,
    wavering,
)
from campaigns.tenants.row import HEAD, Row, played

ROWS: Final[Sequence[Row]] = (
    reapplying.ROW,
    wavering.ROW,
    acting.ROW,
    churning.ROW,
    namesakes.ROW,
    heaps.ROW,
    old_releases.ROW,
    litter.ROW,
    *querying.ROWS,
)
"""A new row is a module in `attacks`, and is named here."""


def play(choice: Choice) -> Iterator[Case]:
    """Play the selected rows, each on a stack of its own; in brief if a size is given."""
    selected = choice.spread([row for row in ROWS if choice.wants(row.name)])
    print(HEAD, file=sys.stderr)
    for row in selected:
        yield asyncio.run(played(row, is_brief=choice.size is not None))


CAMPAIGN: Final = Campaign(
    "tenants",
    "whatever one tenant does, the others are rolled back as fast as ever, and no probe fails",
    play,
    "attacks",
)
