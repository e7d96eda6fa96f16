"""From the version before this one to this one and back, as Helm does it on the real API server."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.operator import Version
from sandbox.stack import Stack
from tests.contract.chart.rendering import CHART, NAME, NAMESPACE, NAMESPACES, ROOT, helm
from tests.previous import unpacked

WHERE = (NAME, f"--namespace={NAMESPACE}")
EXAMPLES = ("release-minimal", "rollout-minimal")


@pytest.fixture
def previous(tmp_path: Path) -> Version:
    """The version before this one."""
    return unpacked(tmp_path)


@pytest.fixture
def installed(stack: Stack, previous: Version) -> Iterator[Stack]:
    """A cluster where that version was installed, with objects; this version's CRDs are left."""
    for name in (NAMESPACE, *NAMESPACES):
        stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    run(stack, "install", *WHERE, str(previous.chart), "--take-ownership", "--force-conflicts")
    stack.kubectl.insist("get", "agentreleases,agentrollouts", "--all-namespaces", seconds=120)
    for manifest in examples():
        stack.apply(manifest)
    yield stack
    run(stack, "uninstall", *WHERE, "--no-hooks")  # no node would run their Job
    for manifest in examples():
        metadata = manifest["metadata"]
        stack.kubectl("delete", manifest["kind"], metadata["name"], f"--namespace={metadata['namespace']}")
    stack.apply(ROOT / "crds")


def run(stack: Stack, *arguments: str) -> str:
    """Run helm, which has to succeed; what it printed."""
    done = helm(*arguments, kubeconfig=stack.kubeconfig)
    assert done.returncode == 0, done.stderr
    return done.stdout


def examples() -> list[dict[str, Any]]:
    """The smallest release and rollout, in a team's namespace."""
    folder = ROOT / "crds" / "examples" / "valid"
    manifests = [yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in EXAMPLES]
    return [item | {"metadata": item["metadata"] | {"namespace": NAMESPACES[0]}} for item in manifests]


def uids(stack: Stack) -> dict[str, str]:
    """The uid of each object of the Helm release, and of each object that people wrote."""
    manifest = run(stack, "get", "manifest", *WHERE)
    listed = stack.kubectl("get", "--filename=-", f"--namespace={NAMESPACE}", "--output=json", stdin=manifest)
    written = stack.kubectl("get", "agentreleases,agentrollouts", "--all-namespaces", "--output=json")
    items = [*json.loads(listed)["items"], *json.loads(written)["items"]]
    return {
        f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}": item[
            "metadata"
        ]["uid"]
        for item in items
    }


@pytest.mark.usefixtures("api_server")
def test_an_upgrade_keeps_every_object(installed: Stack) -> None:
    """No object is replaced, neither by the upgrade nor on the way back: each keeps its uid."""
    before = uids(installed)
    run(installed, "upgrade", *WHERE, str(CHART), "--force-conflicts")
    upgraded = uids(installed)
    run(installed, "rollback", *WHERE, "1", "--force-conflicts")

    assert len(before) > 10
    assert {name: upgraded.get(name) for name in before} == before
    assert {name for name in upgraded if "Lease" in name or name.endswith("-lease")} != set()
    assert uids(installed) == before


def test_values_of_the_version_before_alone_are_refused(tmp_path: Path, previous: Version) -> None:
    """As `helm upgrade --reuse-values` has them: what they lack is named, and no template trips over it."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    shutil.copyfile(previous.chart / "values.yaml", chart / "values.yaml")

    done = helm("template", NAME, str(chart))

    assert done.returncode != 0
    assert "missing propert" in done.stderr
    assert "'uninstall'" in done.stderr


def test_our_scripts_upgrade_as_the_docs_advise() -> None:
    """A cluster that they are run on again can have the chart of an earlier version."""
    scripts = {script.name: script.read_text() for script in (ROOT / "image").glob("*.sh")}
    assert [name for name, text in scripts.items() if " --reuse-values" in text] == []
    assert {name for name, text in scripts.items() if " --reset-then-reuse-values" in text} == {
        "check.sh",
        "story.sh",
    }
