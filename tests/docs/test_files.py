"""`docs/files.md`: its examples beside what the operator writes for the objects on the page."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.decide import ReleaseObservation, decide_release
from agentrollouts.simulation.play import Objects, world_of
from agentrollouts.simulation.script import Script
from tests.docs.pages import blocks, page, section

PAGE = page("files.md")
OBJECTS = [manifest for text in blocks(PAGE, "yaml") for manifest in yaml.safe_load_all(text)]
START = datetime(2026, 11, 21, 8, tzinfo=UTC)
STABLE, CANARY = "support-agent-4.1.0", "support-agent-4.2.0"
FILES = ("bundle.json", "release.json", "split.json", "flags.json")


def of_kind(kind: str) -> list[dict[str, Any]]:
    """The objects on the page that have this kind."""
    return [manifest for manifest in OBJECTS if manifest["kind"] == kind]


def config_maps() -> dict[str, ConfigMapData]:
    """The ConfigMaps on the page."""
    return {
        manifest["metadata"]["name"]: ConfigMapData(manifest["data"]) for manifest in of_kind("ConfigMap")
    }


def snapshot() -> Manifest:
    """The ConfigMap that the operator writes for the canary's release."""
    [manifest] = [each for each in of_kind("AgentRelease") if each["metadata"]["name"] == CANARY]
    metadata = manifest["metadata"] | {"uid": "uid", "generation": 1}
    release = AgentRelease.model_validate(manifest | {"metadata": metadata})
    decision = decide_release(ReleaseObservation(now=START, release=release, config_maps=config_maps()))
    return decision.writes[0].manifest


def traffic() -> Manifest:
    """The ConfigMap that the operator writes for the rollout, a minute after the canary was requested."""
    releases = tuple(map(AgentRelease.model_validate, of_kind("AgentRelease")))
    script = Script.model_validate(
        {
            "start": START,
            "lasts": "10m",
            "stable": STABLE,
            "runsPerHour": 100,
            "releases": {STABLE: {}, CANARY: {}},
        }
    )
    rollout = AgentRollout.model_validate(of_kind("AgentRollout")[0])
    world = world_of(script, Objects(rollout, releases, config_maps()))
    world.run(60)
    return world.traffic["ConfigMap", "support-agent-traffic"]


def written() -> Mapping[str, str]:
    """All four files."""
    return {**snapshot()["data"], **traffic()["data"]}


def shown(name: str) -> Any:  # noqa: ANN401 any JSON
    """The example of a file on the page."""
    [text] = blocks(section(PAGE, name), "json")
    return json.loads(text)


@pytest.mark.parametrize("name", FILES)
def test_an_example_is_what_the_operator_writes(name: str) -> None:
    """The JSON on the page has the keys and values of the file that the operator writes."""
    assert shown(name) == json.loads(written()[name])


def test_the_operator_writes_no_other_file() -> None:
    """The page describes every key of both ConfigMaps."""
    assert tuple(written()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_every_field_of_a_file_is_explained(name: str) -> None:
    """Each key of an example, below free-form content excepted, is named in a table of its section."""
    cells = [line.split("|") for line in section(PAGE, name).splitlines() if line.startswith("| `")]
    explained = {field for cell in cells for field in re.findall(r"`([^`]+)`", "".join(cell[1:]))}

    assert keys_of(name) - explained == set()


def keys_of(name: str) -> set[str]:
    """The keys whose meaning is ours to explain."""
    example = shown(name)
    if name == "bundle.json":
        return {key for component in example.values() for key in component} - {"version"}
    if name == "flags.json":
        return set()  # the format is flagd's
    return {*example, *(example["canary"] if name == "split.json" else ())}


def test_the_command_that_verifies_a_bundle_shows_its_digest() -> None:
    """`sha256sum` of the text of `bundle.json` is the digest in `release.json`, as the page shows."""
    [command] = blocks(section(PAGE, "release.json"), "console")
    digest = hashlib.sha256(written()["bundle.json"].encode()).hexdigest()

    assert f"sha256:{digest}" == shown("release.json")["digest"]
    assert command.splitlines()[1] == f"{digest}  -"
    assert snapshot()["metadata"]["name"] in command
