"""Every block of code of every page that users read, with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

from tests.docs.pages import DOCS

ROOT: Final = DOCS.parent
PATTERNS: Final = (
    "README.md",
    "docs/**/*.md",
    "examples/**/README.md",
    "charts/**/README.md",
    "agent/README.md",
)
INDENTED: Final = "indented"
"""The language of a block without a fence: our pages write commands so."""
_HEREDOC: Final = re.compile(r"<<'?(\w+)'?[^\n]*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code."""

    page: str
    """Its path in the repository."""
    line: int
    """The line of the page on which its fence is, from 1."""
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where to look for it."""
        return f"{self.page}:{self.line}"

    @property
    def documents(self) -> list[str]:
        """What a command in it reads from the block itself, by `<<EOF`."""
        return [body for _, body in _HEREDOC.findall(self.text)]

    @property
    def script(self) -> str:
        """The text without these documents."""
        return _HEREDOC.sub("", self.text)


def pages() -> list[Path]:
    """All pages."""
    return sorted({path for pattern in PATTERNS for path in ROOT.glob(pattern)})


def blocks_of(page: str, text: str) -> Iterator[Block]:
    """The blocks of a page, as renderers of Markdown find them."""
    for token in MarkdownIt().parse(text):
        if token.type in {"fence", "code_block"}:
            language = INDENTED if token.type == "code_block" else token.info.strip()
            yield Block(page, (token.map or [0])[0] + 1, language, token.content)


def in_sentences() -> list[tuple[str, str]]:
    """What is in backquotes within the text of a page: the page, and the words."""
    return [
        (str(path.relative_to(ROOT)), child.content)
        for path in pages()
        for token in MarkdownIt().enable("table").parse(path.read_text())
        for child in token.children or ()
        if child.type == "code_inline"
    ]


def every() -> list[Block]:
    """The blocks of all pages."""
    return [block for path in pages() for block in blocks_of(str(path.relative_to(ROOT)), path.read_text())]


def of(*languages: str) -> list[Block]:
    """The blocks in some languages."""
    return [block for block in every() if block.language in languages]


def in_yaml() -> list[Block]:
    """The blocks in YAML, and the documents that commands read from their own block."""
    inner = [replace(block, language="yaml", text=text) for block in every() for text in block.documents]
    return [*of("yaml"), *inner]
