"""The picture in the docs against the table that it is drawn from."""

import re
from pathlib import Path

from agentrollouts.core.states import ENDS, TRANSITIONS

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_diagram_has_exactly_the_moves_of_the_table() -> None:
    """Who reads the picture reads the program."""
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", PAGE.read_text(), re.MULTILINE))

    assert {(str(origin), str(target)) for origin, moves in TRANSITIONS.items() for target in moves} == drawn


def test_the_diagram_ends_where_the_table_ends() -> None:
    """An end of the picture is an end of the table."""
    drawn = set(re.findall(r"^    (\w+) --> \[\*\]$", PAGE.read_text(), re.MULTILINE))

    assert {str(state) for state in ENDS} == drawn
