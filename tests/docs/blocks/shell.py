"""The commands in a block: those of a script, or those that a page shows after `$ `."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

from tests.docs.blocks.found import Block
from tests.docs.reader import shown_in

Words = tuple[str, ...]
SCRIPTS: Final = ("sh", "bash", "indented")
_COMMENT: Final = re.compile(r"(^|\s)#\s.*$", re.MULTILINE)
_ERRORS_TOO: Final = re.compile(r"\d?>&\d")
_NESTED: Final = re.compile(r"\$\(([^)]*)\)")


def in_block(block: Block) -> Iterator[Words]:
    """All commands of a block, each as its words."""
    is_session = block.language == "console"
    for text in (each.text for each in shown_in(block.text)) if is_session else (block.script,):
        yield from words_of(text)


def words_of(script: str) -> Iterator[Words]:
    """Each simple command of a script, those within `$(...)` included."""
    script = _ERRORS_TOO.sub("", _COMMENT.sub("", script)).replace("\\\n", " ")
    for line in script.splitlines():
        yield from _simple(line)
        for nested in _NESTED.findall(line):
            yield from words_of(nested)


def _simple(line: str) -> Iterator[Words]:
    tokens = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    tokens.whitespace_split, tokens.commenters = True, ""
    words: list[str] = []
    is_file = False
    for token in tokens:
        if is_file:
            is_file = False
        elif token[0] in "<>":
            is_file = True
        elif token[0] in "|&;":
            yield tuple(words)
            words = []
        else:
            words.append(token)
    if words:
        yield tuple(words)
