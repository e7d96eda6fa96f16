"""`agentrollouts simulate`: the story that it tells, its picture, and what is said where a file is wrong."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.main import main

EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "simulate"
ROLLOUT: Final = {
    "apiVersion": "agentrollouts.dev/v1alpha1",
    "kind": "AgentRollout",
    "metadata": {"name": "agent", "namespace": "here"},
    "spec": {
        "agent": "agent",
        "releaseRef": {"name": "agent-1.0.0"},
        "phases": [
            {"name": "first", "weight": 20, "durationSeconds": 600},
            {"name": "second", "weight": 60, "durationSeconds": 600},
        ],
        "gates": [{"name": "errors", "template": "error-rate"}],
        "bake": {"durationSeconds": 300},
    },
}
WORLD: Final = {
    "start": "2026-11-21T08:00:00Z",
    "lasts": "1h",
    "stable": "agent-1.0.0",
    "runsPerHour": 6000,
    "edits": [{"at": "1m", "releaseRef": "agent-2.0.0"}],
}


def a_release(version: str) -> dict[str, Any]:
    """A release of that version."""
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRelease",
        "metadata": {"name": f"agent-{version}"},
        "spec": {
            "agent": "agent",
            "version": version,
            "components": {
                "prompt": {"version": version, "inline": {"system": "Help."}},
                "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
            },
        },
    }


def play(
    folder: Path, *options: str, world: dict[str, Any] | None = None, rollout: dict[str, Any] | None = None
) -> int:
    """Simulate these objects."""
    objects, script = folder / "objects.yaml", folder / "world.yaml"
    objects.write_text(yaml.safe_dump_all([rollout or ROLLOUT, a_release("1.0.0"), a_release("2.0.0")]))
    script.write_text(yaml.safe_dump({**WORLD, **(world or {})}))
    return main(["simulate", str(objects), "--world", str(script), *options])


def reasons(output: str) -> list[str]:
    """What the operator did, in one word each."""
    return [entry["reason"] for entry in json.loads(output)["timeline"] if entry["reason"]]


def test_a_good_release_is_seen_to_ship(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The story has a line for each event, the end, and the runs of each release."""
    code = play(tmp_path)
    out = capsys.readouterr().out

    assert code == 0
    assert "00:01:00                         0%  (A user sets spec.releaseRef to agent-2.0.0)" in out
    assert "00:01:00     Canary             20%  PhaseStarted: Phase first: canary weight 20%" in out
    assert "At the end, 2026-11-21 09:00:00: Healthy. agent-2.0.0 serves all traffic" in out


def test_a_bad_release_is_seen_to_be_taken_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the time on at which it is bad, with the odds that it took."""
    play(tmp_path, "--json", world={"releases": {"agent-2.0.0": {"failed": {"0s": 0.02, "12m": 0.4}}}})
    out = capsys.readouterr().out
    report = json.loads(out)
    shares = [(each["seconds"], each["releases"]) for each in report["shares"]]
    [errors] = report["gates"]

    assert reasons(out)[-4:] == ["RollbackStarted", "RolledBack", "Recovered", "Quarantined"]
    assert shares[0] == (0, {"agent-1.0.0": 100})
    assert (660, {"agent-1.0.0": 40, "agent-2.0.0": 60}) in [(round(s), share) for s, share in shares]
    assert shares[-1][1] == {"agent-1.0.0": 100}
    assert errors["looks"][-1]["evidence"] >= errors["needed"]
    assert report["status"]["lastRollback"]["reason"] == "GateFailed"


def test_the_seed_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Equal seeds give equal courses, others do not."""
    outputs = []
    for seed in ("1", "1", "2"):
        play(tmp_path, "--json", "--seed", seed)
        outputs.append(capsys.readouterr().out)

    assert outputs[0] == outputs[1]
    assert outputs[1] != outputs[2]


def test_what_people_and_fate_do_is_part_of_the_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outages, blips, a foreign write, a pause, a restart: all of it is told, and none of it harms."""
    edits = [
        {"at": "1m", "releaseRef": "agent-2.0.0"},
        {"at": "2m", "routeWeight": 100},
        {"at": "3m", "paused": True},
        {"at": "5m", "paused": False},
        {"at": "6m", "restart": "30s"},
    ]
    world = {
        "lasts": "2h",
        "edits": edits,
        "outages": [{"from": "7m", "for": "15m"}],
        "blips": [{"from": "30m", "for": "5m", "failed": 0.5}],
    }
    play(tmp_path, "--json", world=world)
    out = capsys.readouterr().out

    messages = [entry["message"] for entry in json.loads(out)["timeline"] if not entry["reason"]]
    assert messages[1:] == [
        "Someone else sets the canary's weight in the route to 100%",
        "A user sets spec.paused to true",
        "A user sets spec.paused to false",
        "The operator stops; another one starts 30 s later",
        "Prometheus is away",
        "Prometheus is back",
        "All releases are worse for some time",
        "All releases are as usual again",
    ]
    assert {"Paused", "MetricsUnavailable"} <= set(reasons(out))
    assert reasons(out)[-1] == "Promoted"


def test_a_phase_waits_for_its_approval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The edit names the phase; the attempt's number is filled in."""
    phases = [{"name": "asked", "weight": 50, "durationSeconds": 600, "approval": "Required"}]
    rollout = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "phases": phases}}  # type: ignore[dict-item] # a mapping by name
    edits = [*WORLD["edits"], {"at": "20m", "approve": "asked"}]  # type: ignore[misc] # a list by name
    play(tmp_path, "--json", rollout=rollout, world={"edits": edits})
    out = capsys.readouterr().out

    assert [reason for reason in reasons(out) if reason != "PhaseStarted"] == [
        "AttemptStarted",
        "AwaitingApproval",
        "ActionTaken",
        "Baking",
        "Promoted",
    ]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_picture_is_drawn(tmp_path: Path, ending: str) -> None:
    """In the format that the file's name asks for."""
    path = tmp_path / f"picture.{ending}"
    assert play(tmp_path, "--plot", str(path)) == 0
    assert path.read_bytes().startswith(b"\x89PNG" if ending == "png" else b"<?xml")


WRONG: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"lasts": "one hour"}, "lasts: must be a duration such as 90s, 45m or 2h30m"),
    ({"runsPerHour": {"2h": -1}}, "runsPerHour.2h: Input should be greater than or equal to 0"),
    ({"releases": {"agent-9.0.0": {}}}, "releases.agent-9.0.0: no AgentRelease agent-9.0.0 in the files"),
    ({"edits": [{"at": "1m"}]}, "edits[0]: must have exactly one of `releaseRef`, `paused`, `approve`"),
    ({"edits": [{"at": "1m", "approve": "third"}]}, "edits[0].approve: the rollout has no phase third"),
    ({"outage": []}, "outage: Extra inputs are not permitted"),
    (
        {"releases": {"agent-2.0.0": {"failed": 0.8, "escalated": 0.5}}},
        "releases.agent-2.0.0: `failed`, `escalated` and `refused` must be at most 1 together",
    ),
)


@pytest.mark.parametrize(("world", "message"), WRONG)
def test_a_wrong_world_is_refused_by_file_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], world: dict[str, Any], message: str
) -> None:
    """Exit code 2 and a sentence."""
    assert play(tmp_path, world=world) == 2
    assert f"world.yaml: {message}" in capsys.readouterr().err


def test_wrong_objects_are_refused_by_file_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake that the API server would refuse is refused here too."""
    phases = [{"name": "first", "weight": 200, "durationSeconds": 1}]
    rollout = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "phases": phases}}  # type: ignore[dict-item] # a mapping by name

    assert play(tmp_path, rollout=rollout) == 2
    assert "objects.yaml: spec.phases[0].weight: Invalid value: 200; must be less than or equal to 100" in (
        capsys.readouterr().err
    )


def test_without_matplotlib_it_is_said_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package does not need it for anything else."""
    monkeypatch.setitem(__import__("sys").modules, "agentrollouts.cli.plot", None)

    assert play(tmp_path, "--plot", str(tmp_path / "x.png")) == 2
    assert "pip install 'agentrollouts[plot]'" in capsys.readouterr().err


OBJECTS: Final = tuple(EXAMPLES / name for name in ("rollout.yaml", "releases.yaml"))


@pytest.mark.parametrize("world", sorted({*EXAMPLES.glob("*.yaml")} - {*OBJECTS}), ids=lambda path: path.name)
def test_the_examples_are_good(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each world of the examples can be played with their objects; here only its first minutes."""
    script = tmp_path / "world.yaml"
    script.write_text(yaml.safe_dump({**yaml.safe_load(world.read_text()), "lasts": "5m"}))

    assert main(["simulate", *map(str, OBJECTS), "--world", str(script)]) == 0
    assert "At the end" in capsys.readouterr().out
