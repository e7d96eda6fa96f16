"""Input: files as users write them. Output: what `plan` and `simulate` refuse, as the API server would."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import celpy
import pytest
import yaml
from celpy.evaluation import base_functions

from agentrollouts.api.crd.manifest import crds
from agentrollouts.cli.admission import refusals
from agentrollouts.cli.cel import FUNCTIONS
from agentrollouts.main import main

EXAMPLES: Final = Path(__file__).parents[2] / "crds" / "examples"
VALID: Final = sorted((EXAMPLES / "valid").glob("*.yaml"))
INVALID: Final = sorted((EXAMPLES / "invalid").glob("*.yaml"))
MARK: Final = "# expect: "
"""Before what the API server says of an invalid example; tests/contract shows that it does."""
ROLLOUT: Final = yaml.safe_load((EXAMPLES / "valid" / "rollout-minimal.yaml").read_text())
RELEASE: Final = yaml.safe_load((EXAMPLES / "valid" / "release-minimal.yaml").read_text())
WORLD: Final = {"start": "2026-11-21T08:00:00Z", "lasts": "1m", "runsPerHour": 60}


def changed(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 any JSON
    """A copy with one field set; items of lists are named by their number."""
    copy = json.loads(json.dumps(manifest))
    *parents, last = path.split(".")
    place: Any = copy
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    place[last] = value
    return dict(copy)


def plan(path: Path) -> int:
    """Run `agentrollouts plan`."""
    return main(["plan", str(path), "--runs-per-hour", "1000"])


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_example_is_refused_as_by_the_api_server(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first words are the field that the API server names, and the exit code is 2."""
    expected = path.read_text().partition("\n")[0].removeprefix(MARK)

    assert plan(path) == 2
    out, err = capsys.readouterr()

    assert (out, expected in err, "Traceback" in err) == ("", True, False), err
    field = expected.strip('"').replace(":", " ").replace('"', " ").split()[0]
    assert err.startswith(field), err


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_example_is_accepted(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A release or an action is checked beside the rollout that is planned."""
    file = tmp_path / "objects.yaml"
    is_rollout = path.stem.startswith("rollout")
    file.write_text(path.read_text() + ("" if is_rollout else f"---\n{yaml.safe_dump(ROLLOUT)}"))

    assert (plan(file), capsys.readouterr().err) == (0, "")


WRONG: Final[tuple[tuple[dict[str, Any], str, Any, str], ...]] = (
    (ROLLOUT, "spec.gates", [{"name": "a", "template": "latency", "maxratio": "1.1"}],
     "spec.gates[0].maxratio: unknown field; did you mean maxRatio?"),
    (ROLLOUT, "spec.steps", [], "spec.steps: unknown field; "),
    (ROLLOUT, "metadata.label", {}, "metadata.label: unknown field; did you mean labels?"),
    (ROLLOUT, "specs", {}, "specs: unknown field; did you mean spec?"),
    (ROLLOUT, "apiVersion", "agentrollouts.dev/v1",
     "apiVersion: Invalid value: agentrollouts.dev/v1; write agentrollouts.dev/v1alpha1"),
    (ROLLOUT, "apiVersion", None, "apiVersion: Invalid value: None; write agentrollouts.dev/v1alpha1"),
    (ROLLOUT, "metadata.name", "Support_Agent", "metadata.name: Invalid value: 'Support_Agent'; must be"),
    (ROLLOUT, "metadata.name", "agent\n", "metadata.name: Invalid value: 'agent\\n'; must be"),
    (ROLLOUT, "metadata", None, "metadata.name: Required value; give the object a name"),
    (ROLLOUT, "metadata", {}, "metadata.name: Required value; give the object a name"),
    (ROLLOUT, "metadata.labels", {"a": 5}, "metadata.labels.a: Invalid value: must be of type string"),
    (ROLLOUT, "spec", "text", "spec: Invalid value: must be of type object, not string; correct it"),
    (ROLLOUT, "spec.agent", "support\n", 'spec.agent: Invalid value: "support\\n"; must match'),
    (ROLLOUT, "spec.agent", None, "spec.agent: Required value; add it"),
    (ROLLOUT, "spec.paused", "false", "spec.paused: Invalid value: must be of type boolean, not string"),
    (ROLLOUT, "spec.historyLimit", True, "spec.historyLimit: Invalid value: must be of type integer"),
    (ROLLOUT, "spec.historyLimit", 2.5, "spec.historyLimit: Invalid value: must be of type integer"),
    (ROLLOUT, "spec.watch", {"gates": ["a", "a"]}, 'spec.watch.gates[1]: Duplicate value: "a"; remove'),
    (ROLLOUT, "spec.caps", [{"name": "a", "metric": "m", "max": "1", "maxPerRun": "1"}],
     "spec.caps[0]: Invalid value: must have exactly one of `max` and `maxPerRun`"),
    (RELEASE, "spec.components.model.releaseDate", "20260801",
     'spec.components.model.releaseDate: Invalid value: "20260801"'),
    (RELEASE, "spec.components.prompts", {}, "spec.components.prompts: unknown field; did you mean prompt?"),
    (RELEASE, "spec.components.tools", {"version": "1.0.0", "items": [{"name": "a", "version": "1.0.0",
     "schemas": {}}]}, "spec.components.tools.items[0].schemas: unknown field; did you mean schema?"),
)  # fmt: skip


@pytest.mark.parametrize(("manifest", "path", "value", "message"), WRONG)
def test_one_wrong_field_is_one_sentence(
    manifest: dict[str, Any], path: str, value: object, message: str
) -> None:
    """Path, problem and remedy; nothing else in the object is blamed."""
    [refusal] = refusals(changed(manifest, path, value))
    assert refusal.startswith(message)


@pytest.mark.parametrize(
    ("metadata", "fields"),
    [
        ({"generateName": "support-agent-"}, []),
        ({"generateName": "a" * 80}, []),
        ({"generateName": "Support-"}, ["metadata.name:"]),
        ({"name": "", "generateName": ""}, ["metadata.name:"]),
    ],
)
def test_a_name_can_be_left_to_the_api_server(metadata: dict[str, str], fields: list[str]) -> None:
    """Its rules are for the name that the API server makes, as `kubectl create` of an action needs it."""
    action = yaml.safe_load((EXAMPLES / "valid" / "action-hold.yaml").read_text())

    assert [each.split()[0] for each in refusals(action | {"metadata": metadata})] == fields


RANGES: Final = (
    "1",
    "1.2",
    "*",
    "1.*",
    "^1.2.3",
    "~1.2",
    "~=1.0",
    ">= 1.0.0, < 2.0.0",
    "1.2.3-rc.1",
    "==1.0.0+b",
)
NO_RANGES: Final = (
    "banana",
    "1.x",
    "v1.0.0",
    "1 || 2",
    ">=",
    "1.0.0 - 2.0.0",
    ">=1.0.0,",
    ",",
    "01.2.3",
    "1.2.3.4",
)


@pytest.mark.parametrize("text", [*RANGES, *NO_RANGES])
def test_a_range_of_versions_is_one_or_is_refused(text: str) -> None:
    """By the schema, and so by the API server."""
    refused = refusals(changed(RELEASE, "spec.requires", [{"agent": "billing", "versions": text}]))
    assert [each.partition(" ")[0] for each in refused] == (
        [] if text in RANGES else ["spec.requires[0].versions:"]
    )


def test_content_of_any_shape_is_not_looked_into() -> None:
    """Fields of an inline component are the agent's own business."""
    inline = {"anything": None, "deep": {"x": [{"y": 2**70}]}, "\ud83d": 1.5}
    assert refusals(changed(RELEASE, "spec.components.prompt.inline", inline)) == ()


@pytest.mark.parametrize("field", ["phases", "paused", "watch", "traffic", "historyLimit"])
def test_a_null_is_a_field_that_is_not_there(
    field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for the API server: the default takes its place."""
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump(changed(ROLLOUT, f"spec.{field}", None)))
    assert (plan(file), capsys.readouterr().err) == (0, "")


def test_a_status_and_metadata_from_the_cluster_are_no_mistake() -> None:
    """What `kubectl get -o yaml` prints is accepted, whatever version of the operator wrote its status."""
    manifest = {**ROLLOUT, "status": {"unheardOf": 1}}
    for field, value in (
        ("managedFields", [{"manager": "x", "fieldsV1": {"f:spec": {}}}]),
        ("generation", 3),
    ):
        manifest = changed(manifest, f"metadata.{field}", value)
    assert refusals(manifest) == ()


TEXTS: Final = {
    "a repeated key": ("kind: AgentRollout\nspec: {}\nspec: {}\n", "found the key spec twice; remove one"),
    "a loop": ("&a {kind: AgentRollout, spec: *a}", "contains itself"),
    "a tag": ("kind: !!python/object:os.system AgentRollout", ":1: is not YAML: could not determine"),
    "no objects": ("- 1\n- 2\n", "must contain Kubernetes objects"),
    "two objects": (
        yaml.safe_dump_all([changed(RELEASE, "spec.risk", 1), changed(ROLLOUT, "spec.pause", "yes")]),
        "spec.pause: unknown field; did you mean paused? (AgentRollout ",
    ),
    "a list": (
        yaml.safe_dump({"kind": "List", "items": [changed(ROLLOUT, "spec.pause", "yes")]}),
        "spec.pause: unknown field; did you mean paused?\n",
    ),
    "a cap without a metric": (
        yaml.safe_dump(changed(ROLLOUT, "spec.caps", [{"name": "a", "metric": "sum(", "max": "1"}])),
        "spec.caps[0].metric: ",
    ),
    "a watch of nothing": (
        yaml.safe_dump(changed(ROLLOUT, "spec.watch", {"gates": ["nothing"]})),
        "spec.watch.gates[0]: no gate nothing in spec.gates",
    ),
}


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=list(TEXTS))
def test_a_wrong_file_is_a_sentence_and_a_two(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `plan` and by `simulate`, which reads the same files."""
    file, world = tmp_path / "objects.yaml", tmp_path / "world.yaml"
    file.write_text(text)
    world.write_text(yaml.safe_dump(WORLD))

    assert (plan(file), message in (planned := capsys.readouterr().err)) == (2, True), planned
    if message.startswith(("spec.caps", "spec.watch")):
        return  # the operator says so in a condition, and so does the simulation
    assert main(["simulate", str(file), "--world", str(world)]) == 2
    assert message in (simulated := capsys.readouterr().err), simulated


def test_falling_weights_are_not_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule that only CEL states."""
    phases = [
        {"name": name, "weight": weight, "durationSeconds": 60} for name, weight in (("a", 50), ("b", 5))
    ]
    file, world = tmp_path / "objects.yaml", tmp_path / "world.yaml"
    file.write_text(yaml.safe_dump_all([changed(ROLLOUT, "spec.phases", phases), RELEASE]))
    world.write_text(yaml.safe_dump(WORLD))

    assert main(["simulate", str(file), "--world", str(world)]) == 2
    message = "objects.yaml: spec.phases: Invalid value: the `weight` of each phase must be greater"
    assert message in capsys.readouterr().err


def test_json_with_characters_beyond_the_first_plane(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`kubectl get -o json` escapes an emoji as two halves; together they are one character."""
    file = tmp_path / "objects.json"
    file.write_text(json.dumps(changed(ROLLOUT, "metadata.annotations", {"note": "\U0001f642"})))
    assert (plan(file), capsys.readouterr().err) == (0, "")


def test_every_rule_of_the_schemas_can_be_evaluated() -> None:
    """A rule that calls a function which this evaluator lacks would be refused for every object."""
    all_rules = list(rules([crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for crd in crds()]))
    called = {
        str(child)
        for rule in all_rules
        for part in celpy.Environment().compile(rule).iter_subtrees()
        if part.data in {"ident_arg", "member_dot_arg", "dot_ident_arg"}
        for child in part.children
        if getattr(child, "type", "") == "IDENT"
    }
    macros = {"has", "all", "exists", "exists_one", "map", "filter"}

    assert "isSorted" in called
    assert called - macros - {*base_functions} == {*FUNCTIONS}


def rules(node: Any) -> Any:  # noqa: ANN401 any part of a schema
    """The CEL rules under a node."""
    if isinstance(node, list):
        for item in node:
            yield from rules(item)
    if isinstance(node, dict):
        yield from (rule["rule"] for rule in node.get("x-kubernetes-validations", ()))
        for child in node.values():
            yield from rules(child)


def test_the_operator_does_not_load_the_libraries_of_the_commands() -> None:
    """They take a third of a second and memory that only `plan` and `simulate` need."""
    code = (
        "import sys, agentrollouts.process; print(sorted({'celpy', 'jsonschema', 'lark'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 ours
    assert done.stdout == "[]\n"
