"""`agentrollouts snapshot-name`: the names that the operator gives, from files alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.api.release import AgentRelease
from agentrollouts.cli.arguments import parse
from agentrollouts.cli.reading import read_objects
from agentrollouts.cli.release.snapshot_name import run_snapshot_name
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.examine import Content, examine
from agentrollouts.core.release.snapshot import snapshot_write

ROOT: Final = Path(__file__).parents[3]
EXAMPLES: Final = sorted(
    str(path.relative_to(ROOT))
    for pattern in (
        "crds/examples/valid/release-*.yaml",
        "examples/*/releases.yaml",
        "sandbox/scenarios/*.yaml",
    )
    for path in ROOT.glob(pattern)
)
GUARDRAILS: Final = {"support-guardrails": {"a": "b"}, "shop-guardrails": {"c": "d"}}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    _, options = parse(["snapshot-name", *arguments])
    code = run_snapshot_name(options)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def config_map(name: str, data: Mapping[str, str], **metadata: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}


def made(path: str) -> list[dict[str, str]]:
    """What the operator makes of the releases of a file, from what the API server would give it."""
    written = []
    for manifest in read_objects(str(ROOT / path)):
        if manifest.get("kind") != "AgentRelease":
            continue
        stored = {"metadata": {"namespace": "support", "uid": "u", "generation": 1} | manifest["metadata"]}
        release = AgentRelease.model_validate({**manifest, **stored})
        maps = {name: ConfigMapData(data) for name, data in GUARDRAILS.items()}
        bundle = examine(Content(release=release, config_maps=maps)).bundle
        snapshot = snapshot_write(release, bundle).manifest  # type: ignore[arg-type]
        about = json.loads(snapshot["data"]["release.json"])
        written.append(
            {"release": about["name"], "name": snapshot["metadata"]["name"], "digest": about["digest"]}
        )
    return written


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_names_are_those_that_the_operator_gives(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For all releases of all examples, by name and by digest."""
    expected = made(path)
    namespaces = {each["metadata"].get("namespace") for each in read_objects(str(ROOT / path))}
    maps = tmp_path / "maps.yaml"
    maps.write_text(
        yaml.safe_dump_all(
            config_map(name, data, **({"namespace": namespace} if namespace else {}))
            for namespace in namespaces
            for name, data in GUARDRAILS.items()
        )
    )
    files = ("-f", str(ROOT / path), "-f", str(maps))

    assert expected
    code, out, _ = run(capsys, *files, "-o", "json")
    assert (code, json.loads(out)) == (0, expected)
    code, out, err = run(capsys, *files)
    assert (code, out.splitlines(), err) == (0, [each["name"] for each in expected], "")


FULL: Final = str(ROOT / "crds/examples/valid/release-full.yaml")
REFUSED: Final = (
    "support-agent-4.2.0: spec.components.guardrails.configMapRef: names a ConfigMap that is not in the "
    "files, so its content is not known; add it with --file, or use `inline` or `artifact`\n"
)


def test_content_that_is_elsewhere_is_refused_by_its_field(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed that could be taken for a name."""
    assert run(capsys, "-f", FULL) == (2, "", REFUSED)


def test_a_config_map_of_another_namespace_is_not_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release reads only those of its own namespace."""
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(yaml.safe_dump(config_map("support-guardrails", {"a": "b"}, namespace="other")))

    assert run(capsys, "-f", FULL, "-f", str(elsewhere)) == (2, "", REFUSED)


def test_what_the_operator_would_refuse_has_no_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle with a credential in it is never made; the sentence has the field."""
    manifest = yaml.safe_load((ROOT / "crds/examples/valid/release-minimal.yaml").read_text())
    manifest["spec"]["components"]["prompt"] = {
        "version": "1.0.0",
        "inline": {"system": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"},
    }
    path = tmp_path / "release.yaml"
    path.write_text(yaml.safe_dump(manifest))
    code, out, err = run(capsys, "-f", str(path))

    assert (code, out) == (2, "")
    assert "spec.components.prompt.inline.system" in err


def test_files_without_a_release_are_named_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong file is not an empty result."""
    rollout = str(ROOT / "crds/examples/valid/rollout-minimal.yaml")

    assert run(capsys, "-f", rollout) == (2, "", "no AgentRelease is in the files\n")
