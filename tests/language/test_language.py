"""What people read is plain American English: a scan for phrases that stop a native reader."""

import argparse
import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from agentrollouts.api.reasons import Reason
from agentrollouts.cli.admission import refusals
from agentrollouts.cli.arguments import parser

ROOT: Final = Path(__file__).parents[2]

PATTERNS: Final = {
    r"(?<!there )(?<!there can )\b(?:is|are|was|were|be) no (?!longer|different|more than)\w": "is not a",
    r"\b(?:tak(?:e|es|en|ing)|took) (?:\S+ ){0,4}?back\b|\bg(?:ive|ives|iven|ave) \w+ back\b": "roll back",
    r"\b(?:go|goes|going|gone|went|com(?:e|es|ing)|came) back\b|\bway back\b": "roll back, return",
    r"\bheld against\b": "compared with",
    r"\bask(?:s|ed)\b": "request, query, evaluate",
    r"\btold\b|\btells? (?:of|apart)\b|\bsays of itself\b": "report, distinguish",
    r"\b(?:some|every|no)body\b|\bwhoever\b": "someone, anyone, no one",
    r"\banew\b": "again, restart",
    r"\b(?:is|are|was|been) beyond\b|\bbeyond (?:that|it|the limit|`limit`)": "exceeds, above, below",
    r"\bdear(?:er)?\b": "expensive",
    r"\bmanners?\b": "mode, way",
    r"\bany more\b|\bno more(?=[.,;:)]|$)": "no longer",
    r"\bfor ever\b": "indefinitely",
    r"\blooks? after\b": "manages",
    r"\bwanted\b": "desired, needed",
    r"\b(?:go|goes|went|going) on\b": "continue, resume",
    r"\bis to be\b": "must be, will be",
    r"\bunder way\b": "in progress",
    r"\bstand(?:s|ing)? (?:in|beside|at)\b|\blies? in\b": "is in, has",
    r"\b(?:on|under) trial\b": "is being rolled out",
    r"[\d}] %(?![\w(])": "5%",
}
"""What not to write, and what to write instead."""

EXCEPTIONS: Final = {
    "docs/decisions": "records of their day, which are not edited",
}
"""Paths that are not scanned, each with its reason."""
MACHINE: Final = re.compile(r"`Nobody`|^Nobody$")
"""Values of the view that read like a phrase."""


def texts() -> Iterator[tuple[str, str]]:
    """Every text that people read, by its name; line breaks are spaces."""
    for pattern in ("*.md", "docs/**/*.md", "charts/**/*.*", "crds/**/*.yaml", "examples/**/*.yaml"):
        for path in sorted(ROOT.glob(pattern)):
            name = str(path.relative_to(ROOT))
            if not name.startswith(tuple(EXCEPTIONS)) and path.suffix not in {".svg", ".tgz"}:
                yield name, path.read_text()
    for reason in Reason:
        yield f"reason {reason}", reason.sentence
    commands = parser()
    yield "agentrollouts --help", commands.format_help()
    for action in commands._actions:  # noqa: SLF001 argparse has no public way to list subcommands
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, command in action.choices.items():
                yield f"agentrollouts {name} --help", command.format_help()


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Every string literal, docstring and comment by its line; the values of an f-string are `{}`."""
    tree = ast.parse(source)
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                yield (
                    node.lineno,
                    "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in values),
                )
            case ast.Constant(value=str(text)) if node not in parts:
                yield node.lineno, text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def hits(texts: Iterable[tuple[str, str]]) -> list[str]:
    """The phrases that should not be there: where, what, and what to write instead."""
    return [
        f"{name}: {match.group()!r}: write {instead}"
        for name, text in texts
        for pattern, instead in PATTERNS.items()
        for match in re.finditer(pattern, " ".join(MACHINE.sub("", text).split()), re.IGNORECASE)
    ]


def test_no_text_has_a_phrase_of_the_old_register() -> None:
    """No text that people read has a phrase that stops a native reader."""
    assert hits(texts()) == []


def test_no_message_or_docstring_has_a_phrase_of_the_old_register() -> None:
    """No message, docstring or comment of the operator has a phrase that stops a native reader."""
    files = {path: path.read_text() for path in sorted((ROOT / "operator").rglob("*.py"))}
    passages = [(f"{p.relative_to(ROOT)}:{n}", t) for p, source in files.items() for n, t in literals(source)]
    assert len(passages) > 1000
    assert hits(passages) == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_pattern_can_match(pattern: str) -> None:
    """Each pattern finds the phrase that it is for."""
    old = (
        "X is no count. It was taken back, goes back, is held against stable, and asked for. It is told. "
        "Somebody starts anew: it is beyond it, a dearer manner, no more, for ever. It looks after the "
        "wanted one, goes on, is to be seen, is under way, stands in the status, is on trial, has 5 %."
    )
    assert re.search(pattern, old, re.IGNORECASE)


def test_no_line_of_the_readme_is_too_long() -> None:
    """Every line of the README has at most 160 characters."""
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [line for line in lines if len(line) > 160] == []


def test_no_table_cell_is_too_long() -> None:
    """Every cell of a table in the docs has at most 120 characters."""
    cells = [
        f"{path.name}: {cell.strip()}"
        for path in sorted((ROOT / "docs").glob("*.md"))
        for line in path.read_text().splitlines()
        if line.startswith("|")
        for cell in re.split(r"(?<!\\)\|", line)
        if len(cell.strip()) > 120
    ]
    assert cells == []


def test_the_yaml_of_the_readme_is_valid() -> None:
    """The API server accepts both objects of the README."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    objects = [yaml.safe_load(block) for block in blocks]
    assert [(item["kind"], refusals(item)) for item in objects] == [
        ("AgentRelease", ()),
        ("AgentRollout", ()),
    ]
