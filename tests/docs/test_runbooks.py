"""Runbooks: each reason that needs a person has a section, and what a page says to run can be run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from agentrollouts.api.reasons import Reason
from agentrollouts.core.endings import NEEDS_A_PERSON
from agentrollouts.kubectl_agentrollout import OWN, plugin
from agentrollouts.plugin.options import Session
from tests.docs.pages import DOCS

RUNBOOKS: Final = DOCS / "runbooks"
OF_REASONS: Final = sorted(RUNBOOKS.glob("reasons-*.md"))
CHECK: Final = DOCS.parent / "operator/agentrollouts/insight/check"
COMMAND: Final = re.compile(r"^ {4}(kubectl agentrollout .*)|`(kubectl agentrollout [^`]*)`", re.MULTILINE)


def test_each_reason_that_needs_a_person_has_one_section() -> None:
    """In alphabetical order on its page, and no section is about anything else."""
    pages = [re.findall(r"^## (.*)$", path.read_text(), re.MULTILINE) for path in OF_REASONS]

    assert sorted(heading for page in pages for heading in page) == sorted(
        {*NEEDS_A_PERSON, Reason.AWAITING_APPROVAL}
    )
    assert pages == [sorted(page) for page in pages]


def commands() -> Iterator[tuple[str, str]]:
    """Every command of the plugin on a page, with the name of the page."""
    for path in sorted(RUNBOOKS.glob("*.md")):
        for indented, quoted in COMMAND.findall(path.read_text()):
            yield path.name, indented or quoted


@pytest.mark.parametrize(("page", "command"), list(commands()))
def test_a_command_of_the_plugin_is_one(page: str, command: str) -> None:
    """Its verb exists and takes these options and arguments."""
    verb, *arguments = shlex.split(command.lower())[2:]  # names in capitals stand for others

    assert verb in OWN, page
    found = plugin().get_command(click.Context(plugin()), verb)
    assert found is not None
    assert found.make_context(verb, arguments, obj=Session()).args == []


@pytest.mark.parametrize("module", sorted(CHECK.glob("*.py")), ids=lambda path: path.stem)
def test_check_names_pages_that_exist(module: Path) -> None:
    """A line that says "see docs/..." leads somewhere."""
    named = re.findall(r"docs/[\w/-]+\.md", module.read_text())

    assert [page for page in named if not (DOCS.parent / page).exists()] == []
