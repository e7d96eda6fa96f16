"""Every block of every page is in a language that a test judges. `python -m tests.docs.blocks` lists them."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

import promql_parser
import pytest

from tests.docs.blocks.found import Block, every, of
from tests.docs.blocks.shell import SCRIPTS

JUDGES: Final[Mapping[str, str]] = {
    "yaml": "tests/docs/blocks/test_yaml.py",
    "console": "tests/docs/blocks/test_commands.py",
    **dict.fromkeys(SCRIPTS, "tests/docs/blocks/test_commands.py"),
    "json": "tests/docs/blocks/test_inventory.py",
    "python": "tests/docs/blocks/test_inventory.py",
    "promql": "tests/docs/blocks/test_inventory.py",
    "text": "tests/docs/blocks/test_printed.py",
    "markdown": "tests/docs/test_reports.py",
    "mermaid": "tests/docs/blocks/test_inventory.py",
}
"""The test of the blocks in a language."""


def test_every_language_has_a_judge() -> None:
    """A block without a language, or in a new one, is judged by nothing."""
    assert [block.place for block in every() if block.language not in JUDGES] == []
    assert [block.page for block in of("markdown")] == ["docs/reports.md"]


_NODE: Final = r'\w+(\["[^"]+"\])?'
_DRAWN: Final = re.compile(rf'{_NODE} (-- "[^"]+" )?--> {_NODE}|(\w+|\[\*\]) --> (\w+|\[\*\])')


def drawn(text: str) -> None:
    """Read a picture of mermaid: what kind it is, and an arrow in each line.

    Raises:
        ValueError: It has another line, which our pictures do not need.
    """
    kind, *arrows = text.splitlines()
    if kind not in {"flowchart LR", "stateDiagram-v2"}:
        raise ValueError(f"{kind} is not a kind of picture")
    for arrow in arrows:
        if not _DRAWN.fullmatch(arrow.strip()):
            raise ValueError(f"{arrow} is not an arrow")


PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "json": json.loads,
    "mermaid": drawn,
    "promql": promql_parser.parse,
    "python": lambda text: compile(text, "page", "exec"),
}


@pytest.mark.parametrize("block", of(*PARSERS), ids=lambda block: block.place)
def test_a_block_can_be_read(block: Block) -> None:
    """By what reads it."""
    PARSERS[block.language](block.text)


WRONG: Final = (
    ("json", "{a: 1}"),
    ("mermaid", "flowchart LR\n  a -> b"),
    ("promql", "sum(a"),
    ("python", "if:"),
)


@pytest.mark.parametrize(("language", "text"), WRONG)
def test_a_mistake_is_found(language: str, text: str) -> None:
    """So that the test of the pages can fail."""
    with pytest.raises((ValueError, SyntaxError)):
        PARSERS[language](text)
