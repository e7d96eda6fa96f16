"""What a page shows of what a command prints, and whether a printed text has it."""

import re

from tests.docs.blocks.found import Block, every, of
from tests.docs.reader import Command, shown_in


def commands_with_output() -> list[tuple[Block, Command]]:
    """The commands of all pages below which a page shows what they print."""
    found = [(block, command) for block in of("console") for command in shown_in(block.text)]
    return [(block, command) for block, command in found if any(command.output)]


def command_of(page: str, program: str) -> Command:
    """The command of a page that is this one, or begins so."""
    commands = [each for block, each in commands_with_output() if block.page == page]
    exact = [each for each in commands if each.text == program]
    [command] = exact or [each for each in commands if each.text.startswith(program)]
    return command


def text_of(page: str, start: str) -> list[str]:
    """The lines of a block in `text` that begins so."""
    texts = [block.text for block in every() if (block.page, block.language) == (page, "text")]
    [text] = [text for text in texts if text.lstrip().startswith(start)]
    return text.splitlines()


def agrees(shown: list[str], printed: str) -> bool:
    """Whether a text is what a page shows, apart from the width of spaces and what it leaves out.

    The page writes `...` for that, at the beginning of a line.
    """
    parts = [re.escape(_plain(part)) for part in re.split(r"(?m)^\.\.\.(?=\s|$)", "\n".join(shown))]
    return re.fullmatch(r"\s?" + r"\s?.*".join(parts), _plain(printed)) is not None


def _plain(text: str) -> str:
    return " ".join(text.split())
