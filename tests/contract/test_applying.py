"""Input: one file, applied as people and GitOps tools do. Output: what a real API server stores of it.

Client-side and server-side with the real kubectl. Argo CD with `ServerSideApply=true` compares what it wants
with what is live by the schema's list types; `argo_diff` does the same.
"""

import itertools
import json
from copy import deepcopy
from typing import Any, Final

import pytest
import yaml

from agentrollouts.api.crd.manifest import crds
from agentrollouts.api.release import AgentRelease
from agentrollouts.cli.reading import Loader, as_json
from agentrollouts.core.release.bundle import Bundle, edited, resolve
from sandbox.errors import SandboxError
from sandbox.stack import Stack
from tests.contract.server import ApiServer

Manifest = dict[str, Any]

CLIENT_SIDE: Final = ("apply",)
SERVER_SIDE: Final = ("apply", "--server-side", "--force-conflicts")
WAYS: Final = {"client-side": CLIENT_SIDE, "server-side": SERVER_SIDE}
NUMBERS = itertools.count(1)
SCHEMAS: Final = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for crd in crds()
}
NULLS: Final[Manifest] = {
    "type": "object",
    "default": None,
    "enum": [None, "a"],
    "properties": {
        "query": {"type": "string", "default": None},
        "deep": {"anyOf": [{"default": None}, {"items": [{"x": None, "z": [None]}]}]},
        "row_id": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        "empty": {"only": None},
    },
}


@pytest.fixture
def kubectl(stack: Stack, api_server: ApiServer) -> "Kubectl":
    """The real kubectl on an API server that has our kinds."""
    del api_server  # it has brought the CRDs
    return Kubectl(stack)


class Kubectl:
    """Applies manifests and reads back what is stored."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def __call__(self, way: tuple[str, ...], manifest: Manifest) -> Manifest:
        """Apply as a person would, and answer with the object as it is stored then."""
        text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
        self._stack.kubectl(*way, "--validate=strict", "--filename=-", stdin=text)
        return self.stored(manifest)

    def written(self, way: tuple[str, ...], text: str, name: str) -> Manifest:
        """The same of a release as it is written in a file."""
        self._stack.kubectl(*way, "--validate=strict", "--filename=-", stdin=text)
        return self.stored({"kind": "AgentRelease", "metadata": {"name": name}})

    def dry_run(self, manifest: Manifest) -> Manifest:
        """What a server-side apply would store: how Argo CD's `ServerSideDiff=true` and Flux compare."""
        text = json.dumps(manifest)
        answer = self._stack.kubectl(
            *SERVER_SIDE, "--dry-run=server", "--output=json", "--filename=-", stdin=text
        )
        return dict(json.loads(answer))

    def stored(self, manifest: Manifest) -> Manifest:
        """The object as returned by the API server."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        text = self._stack.kubectl("get", kind, name, "--output=json", "--show-managed-fields")
        return dict(json.loads(text))


def a_release(**tools: Any) -> Manifest:  # noqa: ANN401 - JSON
    """A release with nulls and large integers in its free-form content."""
    name = f"applied-{next(NUMBERS)}"
    items = [
        {"name": "list_things", "version": "1.0.0", "schema": deepcopy(NULLS)},
        {"name": "b", "version": "1.0.0"},
    ]
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRelease",
        "metadata": {"name": name},
        "spec": {
            "agent": "applied",
            "version": "1.0.0",
            "components": {
                "prompt": {"version": "1.0.0", "inline": {"system": "Hello 🙂", "tone": None}},
                "model": {"version": "1.0.0", "provider": "p", "name": "m"},
                "config": {"version": "1.0.0", "inline": {"seed": None, "stop": [None, {"x": None}]}},
                "tools": {"version": "1.0.0", "items": items} | tools,
            },
        },
    }


def a_rollout(*phases: Manifest) -> Manifest:
    """A rollout with these phases."""
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"name": f"applied-{next(NUMBERS)}"},
        "spec": {
            "agent": "applied",
            "releaseRef": {"name": "applied-1.0.0"},
            "phases": list(phases),
            "gates": [{"name": "errors", "template": "error-rate"}],
        },
    }


def phase(name: str, weight: int) -> Manifest:
    """A phase as people write it, without its defaults."""
    return {"name": name, "weight": weight, "durationSeconds": 60}


def digest(manifest: Manifest) -> str:
    """The digest of a stored release."""
    bundle = resolve(AgentRelease.model_validate(manifest), {})
    assert isinstance(bundle, Bundle), bundle
    return bundle.digest


def names(manifest: Manifest, *path: str) -> list[str]:
    """The names of a list's items, in their order."""
    node: Any = manifest["spec"]
    for step in path:
        node = node[step]
    return [item["name"] for item in node]


def argo_diff(desired: Manifest, live: Manifest) -> bool:
    """Whether Argo CD would call the object OutOfSync: the wanted fields merged into the live ones differ."""
    merged = merge(desired["spec"], live["spec"], SCHEMAS[live["kind"]]["properties"]["spec"])
    return bool(merged != live["spec"])


def merge(desired: Any, live: Any, schema: Manifest) -> Any:  # noqa: ANN401 - JSON
    """Structured merge: maps by key, lists of type map by item, everything else as a whole."""
    if isinstance(desired, dict) and isinstance(live, dict) and "properties" in schema:
        properties = schema["properties"]
        return live | {
            key: merge(value, live.get(key), properties.get(key, {})) for key, value in desired.items()
        }
    if isinstance(desired, list) and schema.get("x-kubernetes-list-type") == "map":
        [key] = schema["x-kubernetes-list-map-keys"]
        by_key = {item[key]: item for item in live or ()}
        return [merge(item, by_key.get(item[key], {}), schema["items"]) for item in desired]
    return desired


@pytest.mark.parametrize("first", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("second", WAYS.values(), ids=WAYS.keys())
def test_a_release_can_be_applied_again_in_either_way(
    first: tuple[str, ...], second: tuple[str, ...], kubectl: Kubectl
) -> None:
    """An unchanged file is accepted however it was applied before, and its digest is the same."""
    release = a_release()

    before = kubectl(first, release)
    again = kubectl(first, release)
    after = kubectl(second, release)

    made = digest(before)
    assert made == digest(release)
    bundle = resolve(AgentRelease.model_validate(before), {})
    assert isinstance(bundle, Bundle)
    for later in (again, after):
        assert edited(AgentRelease.model_validate(later), bundle.text) is None


ODD: Final = """\
numbers: [-0, 0, -0.0, 1.0, 1.50, 1e3, 1E+2, 2.5e-7, 1e17, 100000000000000000, 9007199254740993, 5e-324]
empty: {a: {}, b: [], c: "", d: null, e: {f: null}, "": [{}, null, ""]}
"\\u00e9": composed
"e\\u0301": of two
"\\u20ac": before the next by UTF-16
"\U0001f642": after it by UTF-16 only
"\\uff5e": the last
"%s": a long key
Z: 1
a: 2
""" % ("k" * 1000)
"""Content that JSON can write in several ways; also JSON itself if it is in braces."""
FORMS: Final = {
    "YAML": "inline:\n" + "".join(f"        {line}\n" for line in ODD.splitlines()),
    "flow": "inline: {" + ", ".join(ODD.splitlines()) + "}\n",
}


def test_odd_content_has_one_digest(kubectl: Kubectl) -> None:
    """However a file is written and applied, and also as `lint` and `snapshot-name` read it."""
    digests = dict[tuple[object, ...], str]()
    for form, inline in FORMS.items():
        for way in (*WAYS.values(), ("create",)):
            release = a_release()
            release["spec"]["components"] = {"prompt": {"version": "1.0.0"}} | {
                key: release["spec"]["components"][key] for key in ("model",)
            }
            text = yaml.safe_dump(release, sort_keys=False).replace("prompt:\n", f"prompt:\n      {inline}")
            stored = kubectl.written(way, text, release["metadata"]["name"])
            digests[form, way] = digest(stored)
            [document] = yaml.load_all(text, Loader=Loader)
            digests[form, way, "file"] = digest(as_json("file", document))

    assert len(set(digests.values())) == 1, digests


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_an_edit_of_content_is_seen(way: tuple[str, ...], kubectl: Kubectl) -> None:
    """The API server cannot look into content; the operator finds a change there by the digest."""
    release = a_release()
    bundle = resolve(AgentRelease.model_validate(kubectl(way, release)), {})
    assert isinstance(bundle, Bundle)
    changed = deepcopy(release)
    changed["spec"]["components"]["tools"]["items"][0]["schema"]["properties"]["deep"]["anyOf"][1] = {}

    stored = kubectl(way, changed)

    assert edited(AgentRelease.model_validate(stored), bundle.text) == "tools"


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_integers_and_text_are_stored_as_written(way: tuple[str, ...], kubectl: Kubectl) -> None:
    """64-bit integers keep their digits on the way through kubectl and the API server, and emoji stay."""
    stored = kubectl(way, a_release())

    schema = stored["spec"]["components"]["tools"]["items"][0]["schema"]
    assert schema["properties"]["row_id"] == {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
    assert stored["spec"]["components"]["prompt"]["inline"]["system"] == "Hello 🙂"
    assert schema["enum"] == [None, "a"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_the_tools_of_a_release_stay_in_their_order(way: tuple[str, ...], kubectl: Kubectl) -> None:
    """The order is as written; another order, a missing tool and a further one are refused as changes."""
    release = a_release()
    items = release["spec"]["components"]["tools"]["items"]
    assert names(kubectl(way, release), "components", "tools", "items") == ["list_things", "b"]

    for other in (items[::-1], items[:1], [*items, {"name": "c", "version": "1.0.0"}], []):
        changed = deepcopy(release)
        changed["spec"]["components"]["tools"]["items"] = other
        with pytest.raises(SandboxError, match="is immutable"):
            kubectl(way, changed)
    assert names(kubectl.stored(release), "components", "tools", "items") == ["list_things", "b"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("make", [a_release, lambda: a_rollout(phase("a", 5), phase("b", 50))])
def test_what_is_applied_is_in_sync(way: tuple[str, ...], make: Any, kubectl: Kubectl) -> None:  # noqa: ANN401
    """Argo CD finds no difference after the first apply, although defaults were filled in."""
    applied = make()
    if applied["kind"] == "AgentRelease":
        _drop_outermost_nulls(applied)
    live = kubectl(way, applied)

    without_nulls = json.loads(json.dumps(applied))
    if applied["kind"] == "AgentRelease" and way == CLIENT_SIDE:
        without_nulls["spec"]["components"] = live["spec"]["components"]  # kubectl has dropped the nulls
    assert not argo_diff(without_nulls, live)
    if way == SERVER_SIDE:
        assert kubectl.dry_run(applied)["spec"] == live["spec"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_phases_are_stored_as_written(way: tuple[str, ...], kubectl: Kubectl) -> None:
    """Insertion in the middle, removal, renaming and a new order give exactly the list that was applied."""
    rollout = a_rollout()
    plans = (
        [phase("a", 5), phase("b", 25), phase("c", 95)],
        [phase("a", 5), phase("x", 10), phase("b", 25), phase("c", 95)],
        [phase("a", 5), phase("c", 95)],
        [phase("c", 5), phase("a", 95)],
        [phase("first", 1), phase("c", 5), phase("b", 50), phase("a", 95)],
        [phase("a", 50)],
    )
    for plan in plans:
        stored = kubectl(way, {**rollout, "spec": {**rollout["spec"], "phases": plan}})
        defaults = {"approval": "NotRequired", "when": "Always"}
        assert stored["spec"]["phases"] == [defaults | item for item in plan]


def _drop_outermost_nulls(release: Manifest) -> None:
    """The API server drops nulls directly below free-form content when it reads an object."""
    components = release["spec"]["components"]
    contents = (
        components["prompt"]["inline"],
        components["config"]["inline"],
        components["tools"]["items"][0]["schema"],
    )
    for content in contents:
        for field in [field for field, value in content.items() if value is None]:
            del content[field]


def test_two_managers_share_a_plan(kubectl: Kubectl) -> None:
    """A second manager owns one field of one phase; the first applies again and takes nothing from it."""
    rollout = a_rollout(phase("a", 5), phase("b", 50))
    kubectl(("apply", "--server-side"), rollout)
    theirs = {**rollout, "spec": {"phases": [{"name": "b", "approval": "Required"}]}}
    kubectl((*SERVER_SIDE, "--field-manager=security", "--validate=false"), _only_phases(rollout, theirs))

    stored = kubectl(("apply", "--server-side"), rollout)

    assert [(phase["name"], phase["approval"]) for phase in stored["spec"]["phases"]] == [
        ("a", "NotRequired"),
        ("b", "Required"),
    ]
    assert not argo_diff(rollout, stored)


def _only_phases(rollout: Manifest, theirs: Manifest) -> Manifest:
    """What the second manager applies: required fields of the item go with it."""
    [item] = theirs["spec"]["phases"]
    mine = next(phase for phase in rollout["spec"]["phases"] if phase["name"] == item["name"])
    spec = {key: rollout["spec"][key] for key in ("agent", "releaseRef")}
    return {**theirs, "spec": spec | {"phases": [mine | item]}}


def test_content_too_large_for_the_annotation_needs_server_side_apply(kubectl: Kubectl) -> None:
    """Kubectl's copy of the object in an annotation has at most 256 KiB; server-side apply needs none."""
    release = a_release()
    release["spec"]["components"]["prompt"]["inline"]["system"] = "x" * 300_000

    with pytest.raises(SandboxError, match=r"metadata\.annotations: Too long"):
        kubectl(CLIENT_SIDE, release)
    stored = kubectl(("apply", "--server-side"), release)

    assert len(stored["spec"]["components"]["prompt"]["inline"]["system"]) == 300_000
