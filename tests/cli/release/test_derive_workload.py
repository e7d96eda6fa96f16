"""`agentrollouts derive --workload`: the Deployment and the Service too, from files and from a cluster."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.core.release.snapshot import snapshot_name
from testkit.builders.names import NAMESPACE
from testkit.builders.workloads import a_workload
from tests.cli.release.test_derive import (
    BASE,
    BASE_RELEASE,
    NEXT,
    OTHER,
    OTHER_RELEASE,
    bundle_of,
    cluster,
    files,
    online,
    run,
)

SNAPSHOT: Final = snapshot_name("support-agent", bundle_of(BASE_RELEASE).digest)
ARGUMENTS: Final = (BASE, "--version=4.2.2", f"--take=prompt={OTHER}", "--workload")

LEFT: Final = (
    "spec.template.spec.serviceAccountName",
    "spec.template.spec.containers[0].image",
    "spec.template.spec.containers[0].env[1].value",
    "spec.template.spec.containers[0].env[2].valueFrom.secretKeyRef.name",
)


def workload(**fields: Any) -> list[Manifest]:  # noqa: ANN401 any field
    """What runs the base."""
    return a_workload(BASE, "4.2.1", SNAPSHOT, **fields)


def expected(derived: Manifest) -> list[Manifest]:
    """What runs the derived release: its digest is computed from what was printed."""
    deployment, service = a_workload(NEXT, "4.2.2", snapshot_name("support-agent", bundle_of(derived).digest))
    pods = deployment["spec"]["template"]["spec"]
    pods["serviceAccountName"] = "support-agent-4-2-1"
    title, key = pods["containers"][0]["env"][1:]
    title["value"] = f"I am {BASE}"
    key["valueFrom"]["secretKeyRef"]["name"] = "support-agent-4-2-1"
    return [deployment, service]


def test_the_files_have_what_runs_the_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three documents: the release names the Service, and the Deployment names the release's snapshot."""
    path = files(tmp_path, BASE_RELEASE, OTHER_RELEASE, *workload())
    assert run(*ARGUMENTS, "-f", path) == 0
    output = capsys.readouterr()
    release, *made = yaml.safe_load_all(output.out)

    assert made == expected(release)
    assert release["spec"]["serving"]["service"]["name"] == made[1]["metadata"]["name"]
    assert output.err.splitlines()[3:] == [
        f"Deployment support-agent-4-2-2 and Service support-agent-4-2-2 are those of {BASE} otherwise",
        f"Deployment support-agent-4-2-2 still has the name or the version of {BASE} in {', '.join(LEFT)}",
    ]


async def test_the_cluster_has_what_runs_the_base(capsys: pytest.CaptureFixture[str]) -> None:
    """As the API server lists it: without kind, and with fields of its own; `-o json` prints a List."""
    api = cluster()
    for each in workload():
        api.put(each | {"metadata": each["metadata"] | {"uid": "u"}, "status": {"replicas": 2}})
    assert await online(api, *ARGUMENTS, "-o", "json") == 0
    printed = json.loads(capsys.readouterr().out)

    assert (printed["apiVersion"], printed["kind"]) == ("v1", "List")
    release, *made = printed["items"]
    assert made == expected(release)


async def test_without_the_option_nothing_of_it_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Someone who may read releases alone can derive one."""
    api = cluster()
    assert await online(api, *ARGUMENTS[:-1]) == 0
    assert len(list(yaml.safe_load_all(capsys.readouterr().out))) == 1
    assert not {"Deployment", "Service"} & set(api.listed)


def changed(manifest: Manifest, **spec: Any) -> Manifest:  # noqa: ANN401 any field
    """The same with other fields of the spec."""
    return manifest | {"spec": manifest["spec"] | spec}


DEPLOYMENT, SERVICE = workload()
NO_LABEL: Final = {"app": "support-agent"}
ALIKE: Final = "would select the pods of support-agent-4.2.1 too"
REMEDY: Final = "add a label with the release or its version to the selector"


@pytest.mark.parametrize(
    ("objects", "arguments", "sentence"),
    [
        (
            [SERVICE],
            [],
            "no Deployment with pods of Service support-agent-4-2-1 is in the input; add it",
        ),
        ([DEPLOYMENT], [], "Service support-agent-4-2-1: the input does not have it; add it"),
        (
            [DEPLOYMENT, changed(SERVICE, selector=NO_LABEL)],
            [],
            f"Service support-agent-4-2-2 {ALIKE}; {REMEDY}",
        ),
        (
            [changed(DEPLOYMENT, selector={"matchLabels": NO_LABEL}), SERVICE],
            [],
            f"Deployment support-agent-4-2-2 {ALIKE}; {REMEDY}",
        ),
        (
            [*workload(), *a_workload(NEXT, "4.2.2", "other")],
            [],
            "Deployment support-agent-4-2-2 exists; give another --name or --service",
        ),
        (
            workload(),
            ["--service=support-agent-4-2-1"],
            f"Service support-agent-4-2-1 is that of {BASE}; name another one with --service",
        ),
        (
            [
                {"kind": "Service", "metadata": 5},
                {"kind": "Deployment", "metadata": {"name": "x"}, "spec": []},
                {"kind": "Service", "metadata": {"name": "support-agent-4-2-1", "labels": 7}, "spec": "x"},
            ],
            [],
            "Service support-agent-4-2-1 has no selector, so its Deployment is not known",
        ),
    ],
)
def test_what_cannot_be_copied_is_refused(
    objects: list[Manifest],
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is printed, not even the release, and the exit code is 2."""
    path = files(tmp_path, BASE_RELEASE, OTHER_RELEASE, *objects)
    assert run(*ARGUMENTS, *arguments, "-f", path) == 2
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", f"--workload: {sentence}\n")


GROUP: Final = "inference.networking.k8s.io"
UNSERVED: Final = (
    f"{BASE} has no `serving`, so the operator makes its Deployment from spec.workload; leave this option out"
)


@pytest.mark.parametrize(
    ("serving", "sentence"),
    [
        (
            None,
            UNSERVED,
        ),
        (
            {"service": {"name": "pool-4-2-1", "kind": "InferencePool", "group": GROUP}},
            f"the backend of {BASE} is of kind InferencePool, not Service; copy it yourself",
        ),
    ],
)
def test_a_base_without_a_service_is_refused(
    serving: dict[str, Any] | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator runs it, or another kind of object does."""
    spec = {key: value for key, value in BASE_RELEASE["spec"].items() if key != "serving"}
    base = BASE_RELEASE | {"spec": spec | ({"serving": serving} if serving else {})}
    path = files(tmp_path, base, OTHER_RELEASE, *workload())
    assert run(*ARGUMENTS, "-f", path) == 2
    assert capsys.readouterr().err == f"--workload: {sentence}\n"


def test_content_that_is_not_at_hand_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name of the snapshot follows from it."""
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump_all([BASE_RELEASE, OTHER_RELEASE, *workload()]))
    assert run(*ARGUMENTS, "-f", str(path)) == 2
    sentence = "the snapshot depends on a ConfigMap that is not in the files; add it with --file"
    assert capsys.readouterr().err == f"--workload: {sentence}\n"


def test_a_deployment_that_needs_a_look_gets_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that runs no pods, or that does not mount the bundle."""
    _, service = workload()
    deployment, _ = a_workload(BASE, "4.2.1", "another", replicas=0)
    path = files(tmp_path, BASE_RELEASE, OTHER_RELEASE, deployment, service)
    assert run(*ARGUMENTS, "-f", path) == 0
    notes = capsys.readouterr().err
    name = "Deployment support-agent-4-2-2"
    assert f"{name} does not name the snapshot; check that its pods run the new release" in notes
    assert f"{name} has 0 replicas, as that of {BASE}" in notes


def test_the_namespace_of_another_team_is_not_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Deployment of another namespace does not run the base."""
    assert BASE_RELEASE["metadata"]["namespace"] == NAMESPACE
    deployment, service = workload()
    deployment["metadata"] = deployment["metadata"] | {"namespace": "other"}
    path = files(tmp_path, BASE_RELEASE, OTHER_RELEASE, deployment, service)
    assert run(*ARGUMENTS, "-f", path) == 2
    assert "no Deployment with pods of Service" in capsys.readouterr().err
