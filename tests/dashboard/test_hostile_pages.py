"""Hostile text in every text of the view stays text: on a page, in the list, and in a terminal."""

import dataclasses
import io
import re
from enum import Enum
from functools import lru_cache
from typing import Any, Final

import html5lib
import pytest
from hypothesis import given

from agentrollouts.api.people.action import ActionType
from agentrollouts.dashboard.pages.listing import listing
from agentrollouts.dashboard.pages.requested import Requested
from agentrollouts.dashboard.pages.rollout import Reader, rollout_page
from agentrollouts.insight.view.view import view
from agentrollouts.plugin.screens.rollout import status
from agentrollouts.plugin.screens.terminal import console, drawn
from testkit.builders.names import START
from testkit.properties import usually
from tests.insight.test_hostile import ACTS, ATTACKS, TEXTS
from tests.view.test_total import FULL

CALM: Final = "calm"
SEEN: Final = view(FULL, {}, START)


def told(value: Any, text: str) -> Any:  # noqa: ANN401 any part of a view
    """The same, with that text in place of each text in it."""
    if isinstance(value, Enum) or value == "":
        return value
    if isinstance(value, str):
        return text
    if isinstance(value, tuple):
        return tuple(told(each, text) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {part.name: told(getattr(value, part.name), text) for part in dataclasses.fields(value)}
        return dataclasses.replace(value, **parts)
    return value


@lru_cache(maxsize=8)
def pages(text: str) -> tuple[str, str]:
    """The page of the rollout and the list, for a reader who may do everything and has just been refused."""
    seen = told(SEEN, text)
    tickets, rights = dict.fromkeys(seen.actions, text), dict.fromkeys(ActionType, True)
    reader = Reader(tickets=tickets, rights=rights, unsure=text, reason=text, refusal=text)
    requested = Requested("Hold", START, text, "0.014")
    page = rollout_page(seen, reader, chart=None, requested=requested, problem=text, query="?after=1")
    return page, listing([seen], scope=text, problem=text, events="/events")


@lru_cache(maxsize=8)
def elements(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page in order, with the names of their attributes, by a parser of the standard."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    return [(str(each.tag), tuple(sorted(map(str, each.attrib)))) for each in tree.iter()]


def addresses(page: str) -> list[str]:
    """Where the links and forms of a page lead."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    named = ("href", "action", "src", "sse-connect")
    return [each.attrib[name] for each in tree.iter() for name in named if name in each.attrib]


@given(TEXTS)
@usually(25)
def test_no_text_changes_the_elements_of_a_page(text: str) -> None:
    """Elements and attributes are the same for every text, and each link stays on the page."""
    for page, calm in zip(pages(text), pages(CALM), strict=True):
        assert elements(page) == elements(calm)
        assert ACTS.search(page) is None
        assert [each for each in addresses(page) if re.match(r"[^/?#.]|//", each)] == []


@pytest.mark.parametrize("text", ATTACKS)
def test_no_text_acts_on_a_terminal(text: str) -> None:
    """It has the lines of a harmless one, and no character that a terminal obeys or that no one sees."""
    shown, calm = (
        drawn(status(told(SEEN, each), is_wide=True), console(io.StringIO())).plain for each in (text, CALM)
    )

    assert shown.count("\n") == calm.count("\n")
    assert ACTS.search(shown) is None
