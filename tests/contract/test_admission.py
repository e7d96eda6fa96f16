"""Input: objects with one field spoiled. Output: `plan` refuses and accepts what the real API server does."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.cli.admission import refusals
from tests.contract.server import ApiServer

EXAMPLES: Final = Path(__file__).parents[2] / "crds" / "examples" / "valid"
GONE: Final = object()
"""The field is removed."""
VALUES: Final[tuple[Any, ...]] = (
    *(
        GONE,
        None,
        "",
        "x",
        "X_y",
        "a\n",
        "-1",
        "1.5",
        "2026-08-01",
        "x" * 300,
        "\U0001f642",
        "banana",
        "Auto",
    ),
    *(True, 0, 1, -1, 101, 1.5, 10**10, 2**63),
    *([], {}, {"a": None}, ["a", "a"], [1], {"name": "x"}, [{"name": "x"}, {"name": "x"}]),
)
"""What fields are set to: each to a part of it, and all of it in turn. 5.0 is left out: kubectl sends 5."""
SPREAD: Final = 5
LENIENT: Final = {("releaseDate", list)}
"""The API server takes a list where a string with a format belongs; the operator could not read it."""
CREATED: Final = 201
REASONS: Final = (
    "12345678",
    "1234567",
    " \t1234567\u3000\u2028\u0085",
    "\x1c123456\x1f",
    "\u200b1234567",
    "123456\U0001f642",
    "1234567\U0001f642",
    " " * 9,
)
"""Around the least length of what is left of a text without its blanks."""
Path_ = tuple[str | int, ...]


def places(node: Any, path: Path_ = ()) -> Iterator[Path_]:  # noqa: ANN401 any JSON
    """The path of every value, objects and lists included."""
    if path:
        yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def spoiled(manifest: dict[str, Any], path: Path_, value: object) -> dict[str, Any]:
    """A copy with one field set, or removed."""
    changed = copy.deepcopy(manifest)
    place: Any = changed
    for part in path[:-1]:
        place = place[part]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = copy.deepcopy(value)
    return changed


@pytest.mark.parametrize(
    "name",
    [
        "rollout-full",
        "rollout-own-metrics",
        "rollout-route-patch",
        "release-full",
        "action-approve",
        "action-roll-back",
        "action-acknowledge",
        "action-drill",
    ],
)
def test_each_spoiled_field_is_judged_alike(name: str, api_server: ApiServer) -> None:
    """Whatever one field is set to, `plan` accepts it exactly where the API server does."""
    manifest = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    assert refusals(manifest) == ()
    differing = []
    for index, path in enumerate(places({"metadata": manifest["metadata"], "spec": manifest["spec"]})):
        for value in (GONE, None, *VALUES[index % SPREAD :: SPREAD]):
            changed = spoiled(manifest, path, value)
            answer, refused = api_server.create(changed), refusals(json.loads(json.dumps(changed)))
            if (answer.code == CREATED) != (not refused) and (path[-1], type(value)) not in LENIENT:
                differing.append((path, value, answer.code, answer.message[-200:], refused))
    assert differing == []


@pytest.mark.parametrize("reason", REASONS, ids=ascii)
def test_blanks_are_judged_alike(reason: str, api_server: ApiServer) -> None:
    """What counts as a blank around a reason, and as one character, is the same."""
    manifest = yaml.safe_load((EXAMPLES / "action-hold.yaml").read_text())
    manifest["spec"]["reason"] = reason

    assert (api_server.create(manifest).code == CREATED) == (refusals(manifest) == ())
