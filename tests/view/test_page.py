"""`docs/view.md`: its tables are the fields of the view with their docstrings, and no word is missing."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from types import ModuleType
from typing import Final

import pytest

from agentrollouts.insight.view import past, shape, words
from tests.docs.pages import blocks, page, section
from tests.view.test_states import GOLDEN

PAGE: Final = page("view.md")
SECTIONS: Final = {
    "The view": "View",
    "headline": "Headline",
    "running": "Running",
    "plan": "Step",
    "next": "Next",
    "gates": "GateView",
    "changed": "Changed",
    "actions": "Action",
    "actions.names": "Names",
    "window": "Window",
    "result": "Result",
    "before": "Before",
    "before.rollback": "Rollback",
    "before.actions": "Taken",
    "history": "Past",
    "around": "Notice",
}
"""The class behind each section of the page."""


def documented(module: ModuleType) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each class of a module, with its fields in JSON and their docstrings."""
    for each in ast.parse(inspect.getsource(module)).body:
        if isinstance(each, ast.ClassDef):
            yield each.name, list(_fields(each))


def _fields(of: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(of.body, of.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(text, ast.Expr)
            assert isinstance(text.value, ast.Constant)
            name = re.sub(r"_(\w)", lambda match: match[1].upper(), field.target.id)
            yield name, " ".join(str(text.value.value).split())


CLASSES: Final = dict([*documented(shape), *documented(past)])


def rows(text: str) -> list[tuple[str, str]]:
    """The fields of the table of a section, and what it says of them."""
    found = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    return [(name, says) for name, says in found]


def test_every_part_of_the_view_has_a_section() -> None:
    """No class of the shape is left out."""
    assert set(SECTIONS.values()) == CLASSES.keys()


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_has_the_fields_of_its_part(heading: str) -> None:
    """Names, order and descriptions are those of the code; only `view` itself is not a field of it."""
    found = [row for row in rows(section(PAGE, heading)) if row[0] != "view"]
    assert found == CLASSES[SECTIONS[heading]]


def test_every_event_is_described() -> None:
    """The words of `next.event` are all listed, and no others."""
    listed = re.findall(r"^\| `(\w+)` \|", section(PAGE, "Events"), re.MULTILINE)
    assert listed == [each.value for each in words.Happens]


@pytest.mark.parametrize(
    "word", [words.Needs, words.Role, words.Progress, words.StepKind, words.Mark, words.Topic]
)
def test_every_word_is_listed(word: type[StrEnum]) -> None:
    """A reader of the JSON knows every value that can come."""
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"- {word.__name__}: ")]
    assert re.findall(r"`(\w+)`", line) == [each.value for each in word]


def test_the_example_is_a_view() -> None:
    """The example is part of the view of a real status."""
    [example] = blocks(PAGE, "json")
    golden = json.loads((GOLDEN / "RolledBack.json").read_text())
    shown = json.loads(example)
    assert shown == {name: golden[name] for name in shown}
