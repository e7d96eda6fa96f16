"""The Kubernetes API rules that a machine can check, over the committed YAML."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrollouts.api.crd.manifest import render

CRDS = Path(__file__).parents[2] / "crds"
Schema = dict[str, Any]
Nodes = list[tuple[str, Schema]]

KINDS = {
    crd["spec"]["names"]["kind"]: crd
    for path in CRDS.glob("*.yaml")
    if (crd := yaml.safe_load(path.read_text()))
}
ROOTS = {kind: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for kind, crd in KINDS.items()}


def walk(path: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(f"{path}.{name}", child)
    if "items" in node:
        yield from walk(f"{path}[]", node["items"])
    if "additionalProperties" in node:
        yield from walk(f"{path}[*]", node["additionalProperties"])


@pytest.fixture(params=sorted(ROOTS))
def nodes(request: pytest.FixtureRequest) -> Nodes:
    """Every node of one kind's spec and status, with its path."""
    root = ROOTS[request.param]["properties"]
    return [node for part in ("spec", "status") if part in root for node in walk(part, root[part])]


def test_the_committed_text_is_the_generated_one() -> None:
    """Models and CRDs do not drift apart; `agentrollouts crds` writes them anew."""
    committed = {path.name: path.read_text() for path in CRDS.glob("*.yaml")}

    assert committed == render()


def test_only_the_standard_roots_exist() -> None:
    """An object has metadata, spec and status, and spec is required."""
    roots = {kind: (sorted(root["properties"]), root["required"]) for kind, root in ROOTS.items()}

    standard = (["apiVersion", "kind", "metadata", "spec", "status"], ["spec"])
    kinds = ("AgentRelease", "AgentRollout", "AgentRolloutAction", "AgentFreeze")
    record = (["apiVersion", "kind", "metadata", "spec"], ["spec"])  # written once, so it has no status
    assert roots == dict.fromkeys(kinds, standard) | {"AgentRolloutRecord": record}


def test_every_field_is_described(nodes: Nodes) -> None:
    """`kubectl explain` has a sentence for every field."""
    bare = [
        path
        for path, node in nodes
        if not path.endswith("]") and not node.get("description", "").endswith(".")
    ]

    assert bare == []


def test_there_are_no_floats(nodes: Nodes) -> None:
    """A fraction is a decimal string."""
    assert [path for path, node in nodes if node.get("type") == "number"] == []


def test_there_is_no_phase_and_no_null(nodes: Nodes) -> None:
    """No status has a phase, since conditions say it better, and no field tells null from absent."""
    assert [path for path, node in nodes if path == "status.phase" or "nullable" in node] == []


def test_every_string_is_bounded(nodes: Nodes) -> None:
    """A string has a greatest length, a list of values or a format."""
    strings = [(path, node) for path, node in nodes if node.get("type") == "string"]

    assert [path for path, node in strings if not {"maxLength", "enum", "format"} & node.keys()] == []


def test_every_integer_is_bounded(nodes: Nodes) -> None:
    """An integer has a least and, but for generations, a greatest value, and a format that holds it."""
    integers = [(path, node) for path, node in nodes if node.get("type") == "integer"]

    assert [path for path, node in integers if "minimum" not in node] == []
    unbounded = {path.rpartition(".")[2] for path, node in integers if "maximum" not in node}
    assert unbounded <= {"observedGeneration"}
    assert {node["format"] for _, node in integers if "maximum" in node} <= {"int32"}


def test_every_list_is_bounded_and_has_a_list_type(nodes: Nodes) -> None:
    """A list has a greatest length and says how it is merged; the keys of a map are required fields."""
    lists = [(path, node) for path, node in nodes if node.get("type") == "array"]

    assert [path for path, node in lists if not {"maxItems", "x-kubernetes-list-type"} <= node.keys()] == []
    maps = [(path, node) for path, node in lists if node["x-kubernetes-list-type"] == "map"]
    assert [
        path
        for path, node in maps
        if not {*node["x-kubernetes-list-map-keys"]} <= {*node["items"]["required"]}
    ] == []
    sets = [node for _, node in lists if node["x-kubernetes-list-type"] == "set"]
    assert {node["items"]["type"] for node in sets} <= {"string"}


def test_every_map_is_bounded(nodes: Nodes) -> None:
    """A map with free keys has a greatest size."""
    assert [
        path for path, node in nodes if "additionalProperties" in node and "maxProperties" not in node
    ] == []


def test_durations_carry_their_unit(nodes: Nodes) -> None:
    """No field is a text like "5m"; times end in Time, durations in Seconds."""
    times = {path for path, node in nodes if node.get("format") == "date-time"}

    assert {path.rpartition(".")[2] for path in times if not path.endswith("Time")} <= {
        "since",
        "until",
        "time",
        "activeUntil",
    }
    assert [path for path, node in nodes if "duration" in path.lower() and node["type"] != "integer"] == []


def test_a_status_has_no_defaults(nodes: Nodes) -> None:
    """What the operator did not report is absent; only that it has not looked yet is filled in."""
    defaults = {
        path: node["default"] for path, node in nodes if path.startswith("status") and "default" in node
    }
    has_status = any(path == "status" for path, _ in nodes)
    assert defaults == ({"status": {"observedGeneration": 0}} if has_status else {})


def test_a_record_has_no_defaults() -> None:
    """A field that the API server fills in would break the hash of an entry."""
    assert "'default'" not in repr(ROOTS["AgentRolloutRecord"])


def test_a_record_has_no_status() -> None:
    """All of it is reported, so there is nothing that people write."""
    assert "subresources" not in KINDS["AgentRolloutRecord"]["spec"]["versions"][0]


def test_every_rule_speaks_to_a_person(nodes: Nodes) -> None:
    """The message of every CEL rule states the requirement, and the rule is short enough to be read."""
    rules = [rule for _, node in nodes for rule in node.get("x-kubernetes-validations", ())]

    assert rules
    requirement = re.compile(r"\b(must|may|cannot|needs|goes|immutable|at least)\b")
    assert [rule for rule in rules if not requirement.search(rule["message"])] == []
    assert [rule for rule in rules if len(rule["rule"]) > 230] == []


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"AgentRolloutRecord"}))
def test_the_status_is_a_subresource_with_standard_conditions(kind: str) -> None:
    """Status has its own endpoint, an observed generation, and conditions that every tool can read."""
    version = KINDS[kind]["spec"]["versions"][0]
    status = ROOTS[kind]["properties"]["status"]["properties"]
    conditions = status["conditions"]

    assert version["subresources"] == {"status": {}}
    assert status["observedGeneration"]["type"] == "integer"
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == (
        "map",
        ["type"],
    )
    assert {*conditions["items"]["required"]} == {
        "type",
        "status",
        "reason",
        "message",
        "lastTransitionTime",
    }
    assert conditions["items"]["properties"]["status"]["enum"] == ["True", "False", "Unknown"]


def test_the_first_screen_answers_whether_all_is_well() -> None:
    """`kubectl get` shows Ready first, or what was requested, then Age last, and long texts only if wide."""
    columns = {
        kind: [f"{c['name']}{'*' if c.get('priority') else ''}" for c in crd["spec"]["versions"][0][key]]
        for key in ["additionalPrinterColumns"]
        for kind, crd in KINDS.items()
    }

    assert columns == {
        "AgentRelease": ["Ready", "Reason", "Version", "Agent", "Digest*", "Message*", "Age"],
        "AgentRollout": ["Ready", "State", "Release", "Stable", "Weight", "Recovery*", "Message*", "Age"],
        "AgentRolloutAction": ["Rollout", "Type", "Attempt", "By", "Result", "Message*", "Age"],
        "AgentFreeze": ["Active", "Until", "By", "Reason", "Age"],
        "AgentRolloutRecord": ["Rollout", "Attempt", "Release", "Outcome", "Age"],
    }


def test_names_are_short_and_in_a_category_of_their_own() -> None:
    """Each kind has a short name, and all are listed together by a word that is no plural, nor `all`."""
    names = {
        kind: (crd["spec"]["names"]["shortNames"], crd["spec"]["names"]["categories"])
        for kind, crd in KINDS.items()
    }

    assert names == {
        "AgentRelease": (["arel"], ["agentrollouts-dev"]),
        "AgentRollout": (["aro"], ["agentrollouts-dev"]),
        "AgentRolloutAction": (["aroa"], ["agentrollouts-dev"]),
        "AgentFreeze": (["afr"], ["agentrollouts-dev"]),
        "AgentRolloutRecord": (["aror"], ["agentrollouts-dev"]),
    }
