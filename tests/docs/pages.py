"""Pages of `docs/` as tests read them: fenced blocks by language, and the text of a section."""

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / name).read_text()


def section(text: str, heading: str) -> str:
    """What is below a heading of the second level, up to the next one.

    Raises:
        ValueError: The page has no such heading.
    """
    _, title, rest = text.partition(f"\n## {heading}\n")
    if not title:
        raise ValueError(f"there is no section {heading}")
    return rest.partition("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    """The contents of all fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
