"""Input: objects with any value of theirs marked. Output: the line that `lint` shows for its path."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.cli.lint.documents import Found
from agentrollouts.cli.mistakes import place

VALID: Final = Path(__file__).parents[3] / "crds" / "examples" / "valid"
ODD: Final = {"a.b": {"c: d": 1, "e[0]": [1, 2]}, "q": {"b.c": 1, "b": [[1], {"-": 1}]}, "x y": {"z": 1}}
"""Keys that look like parts of a path."""
Path_ = tuple[str | int, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:  # noqa: ANN401 any JSON
    """The path of each value without others in it."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from leaves(child, (*path, key)) if isinstance(child, dict | list) else [(*path, key)]


def marked(manifest: dict[str, Any], path: Path_) -> dict[str, Any]:
    """A copy with another value in one place."""
    changed = copy.deepcopy(manifest)
    spot: Any = changed
    for part in path[:-1]:
        spot = spot[part]
    spot[path[-1]] = "HERE"
    return changed


def line_with(mark: str, text: str) -> int:
    """The number of the one line that has it."""
    [number] = [index for index, line in enumerate(text.splitlines(), start=1) if mark in line]
    return number


@pytest.mark.parametrize("name", ["rollout-full", "release-full", "freeze-full"])
@pytest.mark.parametrize("is_json", [False, True])
def test_each_field_has_its_line(name: str, *, is_json: bool) -> None:
    """In block style and in JSON, after other documents, whatever the keys are."""
    manifest = yaml.safe_load((VALID / f"{name}.yaml").read_text())
    manifest["metadata"]["annotations"] = ODD
    for path in leaves(manifest):
        if path[0] in {"apiVersion", "kind"}:
            continue
        changed = marked(manifest, path)
        text = json.dumps(changed, indent="\t") if is_json else f"# 1\n---\n{yaml.safe_dump(changed)}"
        found = Found()
        found.add("file", text.encode())

        [document] = found.ours
        finding = document.finding(f"{place(path)}: is wrong: correct it")

        expected = (line_with("HERE", text), place(path), "is wrong: correct it")
        assert (finding.line, finding.field, finding.sentence) == expected
