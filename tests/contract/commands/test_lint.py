"""Input: objects. Output: `lint` refuses and accepts what the real API server does in a dry run."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from agentrollouts.cli.admission import refusals
from agentrollouts.cli.lint.documents import Found
from testkit.properties import usually
from tests.contract.server import ApiServer

EXAMPLES: Final = Path(__file__).parents[3] / "crds" / "examples"
CREATED: Final = 201
OK: Final = 200
PATHS: Final = sorted(EXAMPLES.glob("*/*.yaml"))
MANIFESTS: Final = [yaml.safe_load(path.read_text()) for path in sorted((EXAMPLES / "valid").glob("*.yaml"))]
GONE: Final = object()
"""The field is removed."""

VERDICTS: Final = {"release-full": {True, False}, "rollout-full": {True, False}, "action-hold": {False}}
"""Of edits: some fields of an object can change, or none."""

Manifest = dict[str, Any]
Path_ = tuple[str | int, ...]


def places(node: Any, path: Path_ = ()) -> Iterator[Path_]:  # noqa: ANN401 any JSON
    """The path of every value, objects and lists included."""
    if path:
        yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_is_judged_alike(path: Path, api_server: ApiServer) -> None:
    """Every example, valid or not."""
    found = Found()
    found.add(str(path), path.read_bytes())
    [document] = found.ours

    code = api_server.create(yaml.safe_load(path.read_text())).code

    assert (code == CREATED) == (refusals(document.manifest) == ())


TEXTS: Final = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
KNOWN: Final = ("", "a", "A", "1.0", "0.5", "Hold", "1.0.0", ">=1.0.0", "2026-08-01T00:00:00Z", "* * * * *")
VALUES: Final = st.recursive(
    st.sampled_from(KNOWN)
    | TEXTS
    | st.integers(-2, 110)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)


def at(node: Any, path: Path_) -> Any:  # noqa: ANN401 any JSON
    """The value at a path."""
    for part in path:
        node = node[part]
    return node


def changed_at(manifest: Manifest, path: Path_, value: object) -> Manifest:
    """A copy with one field set, or removed."""
    changed = copy.deepcopy(manifest)
    spot = at(changed, path[:-1])
    if value is GONE:
        del spot[path[-1]]
    else:
        spot[path[-1]] = value
    return changed


@st.composite
def objects(draw: st.DrawFn) -> Manifest:
    """A valid example of which some fields are set to anything, or removed."""
    manifest: Manifest = draw(st.sampled_from(MANIFESTS))
    for _ in range(draw(st.integers(1, 3))):
        paths = [path for path in places(manifest) if path[0] in {"metadata", "spec"}]
        if paths:
            manifest = changed_at(manifest, draw(st.sampled_from(paths)), draw(st.just(GONE) | VALUES))
    return manifest


def edits(manifest: Manifest) -> Iterator[Manifest]:
    """Copies with another spec, each of which a new object could have."""
    for path in places({"spec": manifest["spec"]}):
        for value in (GONE, "1.0.1", "other", 7, True):
            if len(path) > 1 and (value is GONE or type(at(manifest, path)) is type(value)):
                changed = changed_at(manifest, path, value)
                if refusals(changed) == ():
                    yield changed


def is_lenient(manifest: Manifest) -> bool:
    """The API server takes a list where a string with a format belongs; the operator could not read it."""
    spots = [path for path in places(manifest) if path[-1] in {"releaseDate", "startTime", "endTime"}]
    return any(isinstance(at(manifest, path), list) for path in spots)


@usually(150)
@given(objects())
def test_generated_objects_are_judged_alike(api_server: ApiServer, manifest: Manifest) -> None:
    """Whatever several fields have at once, `lint` refuses an object exactly if the API server does."""
    assume(not is_lenient(manifest))

    answer, refused = api_server.create(manifest), refusals(manifest)

    assert (answer.code == CREATED) == (refused == ()), (answer.message, refused)


@pytest.mark.parametrize("name", ["release-full", "rollout-full", "action-hold"])
def test_an_edit_is_judged_alike(name: str, api_server: ApiServer) -> None:
    """A stored object with one field removed, or set to another value that a new object could have."""
    manifest = yaml.safe_load((EXAMPLES / "valid" / f"{name}.yaml").read_text())
    manifest["metadata"] |= {"name": f"edited-{name}", "namespace": "default"}
    stored = api_server.create(manifest, dry_run=False)
    version = {"resourceVersion": stored.body["metadata"]["resourceVersion"]}
    verdicts = []
    try:
        for changed in edits(manifest):
            answer = api_server.update(changed | {"metadata": changed["metadata"] | version}, dry_run=True)
            refused = refusals(changed, manifest)
            verdicts.append((answer.code == OK, refused == (), answer.message[-200:], refused))
    finally:
        api_server.delete(manifest)

    assert [each for each in verdicts if each[0] != each[1]] == []
    assert {each[0] for each in verdicts} == VERDICTS[name]
