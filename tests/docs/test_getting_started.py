"""`docs/getting-started.md`: how little its first hour takes. `tests/e2e` has a test that plays it."""

import re

import yaml

from tests.docs.pages import blocks, page, section

PAGE = page("getting-started.md")
FIRST_HOUR = [section(PAGE, heading) for heading in ("1. The agent", "2. The files", "3. Four commands")]
MOST_LINES, MOST_COMMANDS = 60, 4


def test_the_first_hour_has_sixty_lines_of_yaml_and_four_commands() -> None:
    """From an empty namespace to a rolled-back release; the name of a file, in its first line, is no YAML."""
    files = [text for part in FIRST_HOUR for text in blocks(part, "yaml")]
    lines = [line for text in files for line in text.splitlines()[1:]]
    commands = [
        line for part in FIRST_HOUR for text in blocks(part, "console") for line in text.splitlines()
        if line.startswith("$ ")
    ]  # fmt: skip

    assert all(re.match(r"# [\w.-]+\.yaml\n", text) for text in files)
    assert len(lines) <= MOST_LINES
    assert len(commands) <= MOST_COMMANDS
    assert not [command for command in commands if re.search(r"&&|;|\|", command)]


def test_a_release_is_about_ten_lines() -> None:
    """Without its status and its Service, which the operator makes."""
    releases = [text for text in blocks(PAGE, "yaml") if yaml.safe_load(text.partition("---")[0])]
    sizes = [len(text.splitlines()) - 1 for text in releases if "kind: AgentRelease\n" in text]

    assert len(sizes) == 3
    assert max(sizes) <= 10
