"""The agents of `examples/`: their files, their alert rules and what their pages name."""

import json
import re
from pathlib import Path
from typing import Any, Final, cast

import promql_parser
import pytest
import yaml

from agentrollouts.main import main
from tests.docs.pages import page

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
AGENTS: Final = sorted(path.parent for path in EXAMPLES.glob("*/kustomization.yaml"))


def objects(folder: Path) -> list[dict[str, Any]]:
    """All objects of an example."""
    files = sorted(folder.glob("*.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text())]


def of_kind(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Those of a kind."""
    return [each for each in objects(folder) if each["kind"] == kind]


def test_there_are_three() -> None:
    """One for each way to move traffic and to run releases."""
    assert [folder.name for folder in AGENTS] == ["code-review", "loans", "support"]


@pytest.mark.parametrize("folder", AGENTS, ids=lambda folder: folder.name)
def test_kustomize_takes_every_file(folder: Path) -> None:
    """No file of an example is left out, and the namespace is the one of its page."""
    [kustomization] = of_kind(folder, "Kustomization")
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}

    assert set(kustomization["resources"]) == files
    assert f"kubectl create namespace {kustomization['namespace']}\n" in (folder / "README.md").read_text()


@pytest.mark.parametrize("folder", AGENTS, ids=lambda folder: folder.name)
def test_the_page_names_both_releases(folder: Path) -> None:
    """The first one to begin with, and the one that the rollout requests."""
    [rollout] = of_kind(folder, "AgentRollout")
    names = [release["metadata"]["name"] for release in of_kind(folder, "AgentRelease")]

    named = re.findall(r"`releaseRef` to `([\w.-]+)`", (folder / "README.md").read_text())

    assert named == names
    assert rollout["spec"]["releaseRef"]["name"] == names[-1]


@pytest.mark.parametrize("folder", AGENTS, ids=lambda folder: folder.name)
def test_alert_rules_query_series_that_exist(folder: Path) -> None:
    """Each expression is PromQL over a series of the operator, of this namespace and rollout."""
    [rollout], [kustomization] = of_kind(folder, "AgentRollout"), of_kind(folder, "Kustomization")
    rules = [
        rule for each in of_kind(folder, "PrometheusRule") for rule in each["spec"]["groups"][0]["rules"]
    ]
    known = set(re.findall(r"`(agentrollouts_\w+)", page("operating.md")))
    labels = {"namespace": kustomization["namespace"], "rollout": rollout["metadata"]["name"]}

    assert rules
    for rule in rules:
        selector = cast("Any", promql_parser.parse(rule["expr"])).lhs
        matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        assert (selector.name in known, labels.items() <= matchers.items()) == (True, True), rule


@pytest.mark.parametrize("folder", AGENTS, ids=lambda folder: folder.name)
def test_a_breach_is_rolled_back(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In virtual time, all traffic is back with the first release, and each hook of the example succeeds."""
    [rollout] = of_kind(folder, "AgentRollout")
    releases = of_kind(folder, "AgentRelease")
    rollout["spec"].pop("workload", None)  # the simulation makes no pods before its first second
    for release in releases:
        service = release["metadata"]["name"].replace(".", "-")
        release["spec"].setdefault("serving", {"service": {"name": service, "port": 8080}})
    good, bad = (release["metadata"]["name"] for release in releases)
    world = {
        "start": "2026-11-21T08:00:00Z",
        "lasts": "2h",
        "stable": good,
        "runsPerHour": 2000,
        "releases": {good: {}, bad: {"failed": 0.5}},
    }
    files = tmp_path / "objects.yaml", tmp_path / "world.yaml"
    files[0].write_text(yaml.safe_dump_all([rollout, *releases]))
    files[1].write_text(yaml.safe_dump(world))

    assert main(["simulate", str(files[0]), "--world", str(files[1]), "--json"]) == 0

    status = json.loads(capsys.readouterr().out)["status"]
    last = status["lastRollback"]
    assert (status["stable"]["release"], last["trigger"], last["reason"]) == (good, "Breach", "GateFailed")
    assert [each["release"] for each in status["quarantined"]] == [bad]
    ran = [(each["name"], each["state"]) for each in status["hooks"]]
    assert sorted(ran) == sorted((hook["name"], "Succeeded") for hook in rollout["spec"]["hooks"])
