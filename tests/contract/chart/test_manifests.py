"""What `make manifests` writes, for clusters without Helm."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.stack import Stack
from tests.contract.chart.rendering import ROOT, of_kind, rendered

WHERE = "--namespace=agentrollouts"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file."""
    written = tmp_path_factory.mktemp("manifests") / "install.yaml"
    command = ["make", "--no-print-directory", "manifests", f"MANIFEST={written}"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=150)  # noqa: S603 ours
    return written


def objects(file: Path) -> list[dict[str, Any]]:
    """The objects in it."""
    return [manifest for manifest in yaml.safe_load_all(file.read_text()) if manifest]


def uids(stack: Stack, file: Path) -> list[str]:
    """The uids of its objects on the API server, in their order."""
    listed = json.loads(stack.kubectl("get", f"--filename={file}", WHERE, "--output=json"))
    return [item["metadata"]["uid"] for item in listed["items"]]


def test_it_is_the_chart_with_its_policies_and_a_namespace(file: Path) -> None:
    """It has all that Helm installs by default, and the namespace comes first."""
    policies = "--api-versions=admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy"
    namespace, *others = objects(file)

    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "agentrollouts")
    assert sorted(manifest["kind"] for manifest in others) == sorted(
        manifest["kind"] for manifest in rendered({}, policies)
    )
    assert of_kind(others, "ValidatingAdmissionPolicy") != []


@pytest.mark.usefixtures("api_server")
def test_it_applies_to_a_cluster(stack: Stack, file: Path) -> None:
    """`kubectl apply` creates every object, and applied once more it replaces none."""
    apply = ("apply", "--server-side", "--force-conflicts", "--validate=strict", f"--filename={file}")
    remove(stack, file)  # an operator of another test has the same names
    try:
        done = stack.kubectl(*apply)
        before = uids(stack, file)
        stack.kubectl(*apply)

        assert len(done.splitlines()) == len(objects(file)) == len(before)
        assert uids(stack, file) == before
    finally:
        remove(stack, file)


def remove(stack: Stack, file: Path) -> None:
    """Delete its objects, except the CRDs and the namespace, which other tests need."""
    kept = {"CustomResourceDefinition", "Namespace"}
    items = [manifest for manifest in objects(file) if manifest["kind"] not in kept]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    stack.kubectl("delete", "--filename=-", "--ignore-not-found", stdin=listed)
