"""The values and the metadata of the chart: each value is explained, and catalogs show what the files say."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import yaml

from sandbox.parts import parts
from sandbox.stack import Stack
from tests.contract.chart.policies import SERVED, policies
from tests.contract.chart.rendering import CHART, NAME, NAMESPACE, NAMESPACES, ROOT, dry_run, hooks

VALUES: Final = CHART / "values.yaml"
OPAQUE: Final = {"settings", "resources", "dashboard.resources"}
"""Values whose content belongs to someone else: the operator's settings, and Kubernetes."""
URL: Final = "https://prometheus.example"
MATRIX: Final[dict[str, Mapping[str, Any]]] = {
    "defaults": {},
    "one replica": {"replicas": 1, "crds": {"install": False}, "policies": {"tenants": False}},
    "a plan of its own": {
        "authority": {"separatePlan": True, "usernamePrefix": "oidc:", "unproved": "Refuse"},
        "policies": {"authority": False},
        "hooks": {"policy": True},
    },
    "namespaces": {
        "namespaces": ["team-a", "team-b"],
        "settings": {"gatewayClasses": ["public"]},
        "uninstall": {"timeoutSeconds": 30},
    },
    "monitoring": {
        "podMonitor": {"enabled": True, "labels": {"team": "sre"}},
        "alerts": {"enabled": True, "labels": {"team": "sre"}, "runbooks": "https://runbooks.example"},
        "grafana": {"dashboards": {"enabled": True, "label": "a.example/dashboard", "folder": "Agents: 1"}},
        "settings": {"alertmanagers": [{"name": "a", "url": URL}], "links": {"runbooks": URL}},
    },
    "network": {
        "networkPolicy": {"enabled": True, "apiServerPorts": [6443]},
        "settings": {
            "prometheus": [{"name": "a", "url": URL}, {"name": "b", "url": f"{URL}:9443/x"}],
            "hooks": {"endpoints": [{"name": "crm", "url": URL, "secretFile": "/dev/null"}]},
        },
    },
    "page": {
        "dashboard": {"enabled": True, "hosts": ["a.example"], "resources": {"limits": {"memory": "1Gi"}}},
        "networkPolicy": {"enabled": True},
    },
    "accounts": {
        "serviceAccount": {"create": False, "name": "own"},
        "rbac": {"create": False, "aggregate": False},
        "imagePullSecrets": [{"name": "registry"}],
        "uninstall": {"rollBack": False},
    },
    "pods": {
        "image": {"digest": "sha256:" + "ab" * 32},
        "port": 9000,
        "podAnnotations": {"a.example/b": "true"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "resources": {"limits": {"memory": "1Gi"}},
        "extraVolumes": [{"name": "token", "secret": {"secretName": "token"}}],
        "extraVolumeMounts": [{"name": "token", "mountPath": "/token"}],
    },
}
"""Every value is in one of these at least once with something else than its default."""


def leaves(node: yaml.MappingNode, path: str = "") -> Iterator[tuple[str, int]]:
    """Each value that someone can set, by its dotted name, with its line from 0 on."""
    for key, value in node.value:
        name = f"{path}{key.value}"
        if isinstance(value, yaml.MappingNode) and value.value and name not in OPAQUE:
            yield from leaves(value, f"{name}.")
        else:
            yield name, key.start_mark.line


def values() -> dict[str, int]:
    """All values, with their lines."""
    node = yaml.compose(VALUES.read_text())
    assert isinstance(node, yaml.MappingNode)
    return dict(leaves(node))


def test_each_value_has_a_comment() -> None:
    """Directly above it there is a sentence that says what it does."""
    lines = VALUES.read_text().splitlines()

    assert [name for name, line in values().items() if not lines[line - 1].lstrip().startswith("# ")] == []


def in_schema(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Each value that the schema knows."""
    for key, value in schema["properties"].items():
        name = f"{path}{key}"
        yield from in_schema(value, f"{name}.") if "properties" in value else [name]


def test_the_schema_knows_the_same_values() -> None:
    """No value is without a rule, and none of the schema is unmentioned; `global` belongs to Helm."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    assert set(in_schema(schema)) == {*values(), "global"}


def dotted(tree: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The dotted names in a tree of values."""
    declared = values()
    for key, value in tree.items():
        name = f"{path}{key}"
        yield from [name] if name in declared else dotted(value, f"{name}.")


def test_the_matrix_has_all_values() -> None:
    """Each value is set somewhere, except the few that only name something."""
    named = {"image.repository", "image.tag", "image.pullPolicy", "crds.keep", "policies.operator"}
    named |= {
        "podMonitor.intervalSeconds",
        "serviceAccount.annotations",
        "grafana.dashboards.folderAnnotation",
    }

    assert {name for row in MATRIX.values() for name in dotted(row)} == set(values()) - named


@pytest.mark.usefixtures("api_server")
@pytest.mark.parametrize("row", MATRIX)
def test_the_api_server_accepts_each_row(stack: Stack, row: str) -> None:
    """Each object of each row passes the server's validation, those of the Prometheus operator too."""
    stack.apply(parts.monitoring_api())
    stack.kubectl.wait_kinds()
    for name in (NAMESPACE, *NAMESPACES):
        stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    objects = [*policies(MATRIX[row]), *hooks(MATRIX[row], SERVED)]

    done = dry_run(stack, objects)

    assert len(done.splitlines()) == len(objects)
    assert f"deployment.apps/{NAME}-agentrollouts serverside-applied (server dry run)" in done


def annotations() -> dict[str, Any]:
    """The Artifact Hub annotations, parsed."""
    texts = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    return {key.removeprefix("artifacthub.io/"): yaml.safe_load(text) for key, text in texts.items()}


def test_artifact_hub_shows_the_kinds_and_their_examples() -> None:
    """Kinds, versions and examples are those of the repository."""
    shown = annotations()
    crds = [yaml.safe_load(file.read_text()) for file in sorted((ROOT / "crds").glob("*.yaml"))]
    minimal = ("release-minimal", "rollout-minimal", "action-hold")
    files = [ROOT / "crds" / "examples" / "valid" / f"{name}.yaml" for name in minimal]

    assert [(item["kind"], item["version"], item["name"]) for item in shown["crds"]] == [
        (crd["spec"]["names"]["kind"], crd["spec"]["versions"][0]["name"], crd["metadata"]["name"])
        for crd in crds
    ]
    assert shown["crdsExamples"] == [yaml.safe_load(file.read_text()) for file in files]
    assert (shown["operator"], shown["license"]) == (True, "Apache-2.0")


def test_artifact_hub_shows_changes_of_the_changelog() -> None:
    """Each change is in its section of the newest version in the changelog."""
    newest = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1]
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", newest, re.MULTILINE | re.DOTALL))
    lost = [
        item
        for item in annotations()["changes"]
        if item["description"] not in sections[item["kind"].capitalize()]
    ]

    assert lost == []
