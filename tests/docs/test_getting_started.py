"""`docs/getting-started.md`: how little its first hour takes. `tests/e2e` and `tests/node` play it."""

import re

import yaml

from tests.docs.getting_started import FIRST_HOUR, PAGE
from tests.docs.pages import blocks
from tests.docs.reader import commands

MOST_LINES, MOST_COMMANDS = 60, 4


def test_the_first_hour_has_sixty_lines_of_yaml_and_four_commands() -> None:
    """From an empty namespace to a rolled-back release; the name of a file, in its first line, is no YAML."""
    files = blocks(FIRST_HOUR, "yaml")
    lines = [line for text in files for line in text.splitlines()[1:]]
    texts = [command.text for command in commands(FIRST_HOUR)]

    assert all(re.match(r"# [\w.-]+\.yaml\n", text) for text in files)
    assert len(lines) <= MOST_LINES
    assert len(texts) <= MOST_COMMANDS
    assert not [text for text in texts if re.search(r"&&|;|\|", text)]


def test_a_release_is_about_ten_lines() -> None:
    """Without its status and its Service, which the operator makes."""
    releases = [text for text in blocks(PAGE, "yaml") if yaml.safe_load(text.partition("---")[0])]
    sizes = [len(text.splitlines()) - 1 for text in releases if "kind: AgentRelease\n" in text]

    assert len(sizes) == 3
    assert max(sizes) <= 10
