"""`agentrollouts plan`: the table, its JSON, and what is said where the rollout or an argument is wrong."""

import io
import json
from pathlib import Path

import pytest

from agentrollouts.main import main

ROLLOUT = """
apiVersion: v1
kind: Service
metadata: {name: support}
---
apiVersion: agentrollouts.dev/v1alpha1
kind: AgentRollout
metadata: {name: support, namespace: support}
spec:
  agent: support
  releaseRef: {name: support-1.0.0}
  gates: [{name: errors, template: error-rate}, {name: completion, template: task-completion}]
"""

TABLE = """\
At 1,000 runs an hour:

canary-5 (5% for 1 h): about 50 canary runs: can catch total failure and not much else
  GATE        CATCHES      OF INTEREST
  errors      1.2% to 12%  1.2% to 8.4%  needs 88 canary runs
  completion  84% to 57%   84% to 71%    needs 187 canary runs
"""


@pytest.fixture
def rollout(tmp_path: Path) -> str:
    """A file with a rollout and another object."""
    path = tmp_path / "rollout.yaml"
    path.write_text(ROLLOUT)
    return str(path)


def test_people_get_a_table(rollout: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each phase has its sentence, each gate its row, and the end says what to change."""
    code = main(["plan", rollout, "--runs-per-hour", "1000"])
    out = capsys.readouterr().out

    assert code == 0
    assert out.startswith(TABLE)
    assert "What to change:\n- canary-5: about 50 of the 100 canary runs" in out


def test_machines_get_json(rollout: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same with all digits."""
    code = main(["plan", rollout, "--runs-per-hour", "1000", "--json"])
    report = json.loads(capsys.readouterr().out)

    first = report["phases"][0]
    assert code == 0
    assert [phase["name"] for phase in report["phases"]] == ["canary-5", "canary-25", "ramp"]
    assert (first["canaryRuns"], first["gates"][0]["isCaught"]) == (pytest.approx(50), False)
    assert first["gates"][0]["runsNeeded"] == pytest.approx(89, rel=0.04)
    assert first["message"] == "about 50 canary runs: can catch total failure and not much else"
    assert len(report["advice"]) == 3


LADDER = """
  phases:
  - {name: proof, weight: 1, durationSeconds: 3600, when: AfterRollback}
  - {name: canary-5, weight: 5, durationSeconds: 3600}
"""


def test_both_plans_are_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The usual one, and the one after a rollback, which has more phases."""
    path = tmp_path / "ladder.yaml"
    path.write_text(ROLLOUT.rstrip() + LADDER)
    main(["plan", str(path), "--runs-per-hour", "1000", "--json"])
    report = json.loads(capsys.readouterr().out)
    main(["plan", str(path), "--runs-per-hour", "1000"])
    usual, _, cautious = capsys.readouterr().out.partition("After a rollback, until a release is Healthy:")

    named = {key: [phase["name"] for phase in report[key]] for key in ("phases", "afterRollback")}
    assert named == {"phases": ["canary-5"], "afterRollback": ["proof", "canary-5"]}
    assert "canary-5 (5% for 1 h): about 50 canary runs" in usual
    assert "proof" not in usual
    assert "proof (1% for 1 h): about 10 canary runs" in cautious


def test_people_read_which_release_serves_instead_of_stable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For each standby its gates and its time; a gate that no standby names is refused."""
    path, gate = tmp_path / "rollout.yaml", "{name: tool, template: error-rate, action: Standby}"
    standby = {"releaseRef": {"name": "support-0.9.0"}, "gates": ["tool"], "returnAfterSeconds": 900}
    text = ROLLOUT.replace("[{name: errors,", f"[{gate}, {{name: errors,") + "  watch: {}\n"
    path.write_text(f"{text}  standby: {json.dumps([standby])}\n")

    assert main(["plan", str(path), "--runs-per-hour", "1000"]) == 0
    out = capsys.readouterr().out
    assert "\n  tool: support-0.9.0 serves for 15 min, twice as long each time, up to 1 h\n" in out
    assert main(["plan", str(path), "--runs-per-hour", "1000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["standby"] == [standby]
    path.write_text(text)
    assert main(["plan", str(path), "--runs-per-hour", "1000"]) == 2
    assert "must be named in `standby[].gates`" in capsys.readouterr().err


def test_a_rate_of_ones_own_counts(rollout: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--rate` is as the gate speaks: errors for one, completed runs for the other."""
    main(["plan", rollout, "--runs-per-hour", "1000", "--rate", "errors=0.05", "--rate", "completion=0.95"])

    assert "5.0% to 35%" in (out := capsys.readouterr().out)
    assert "95% to 91%" in out


def test_standard_input_is_a_file_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kubectl get aro support -o yaml | agentrollouts plan - ...` works."""
    monkeypatch.setattr("sys.stdin", io.StringIO(ROLLOUT))

    assert main(["plan", "-", "--runs-per-hour", "1000"]) == 0
    assert capsys.readouterr().out.startswith(TABLE)


WRONG = {
    "no traffic": (["--runs-per-hour", "0"], ROLLOUT, "--runs-per-hour: must be more than 0"),
    "not a number of runs": (["--runs-per-hour", "nan"], ROLLOUT, "--runs-per-hour: must be more than 0"),
    "an unknown gate": (["--rate", "speed=0.5"], ROLLOUT, "--rate speed=0.5: there is no gate speed; one of"),
    "no share": (["--rate", "errors=2"], ROLLOUT, "--rate errors=2: must be a share between 0 and 1"),
    "no rate": (["--rate", "errors"], ROLLOUT, "--rate errors: must be a share between 0 and 1"),
    "no rollout": ([], "kind: Service", "has 0 AgentRollouts"),
    "no YAML": ([], "a: [", "rollout.yaml:1: is not YAML: "),
    "a value that is not what its tag says": (
        [],
        f"{ROLLOUT}x: !!bool maybe\n",
        "rollout.yaml:13: is not YAML: found a value that is not !!bool",
    ),
    "a field that is wrong": ([], ROLLOUT.replace("name: errors", "name: 5"), "spec.gates[0].name"),
    "a key that clears the screen": (
        [],
        ROLLOUT.replace("  agent:", '  "\\e[2J": 1\n  agent:'),
        "spec.\\x1b[2J: unknown field",
    ),
    "a template that is none": (
        [],
        ROLLOUT.replace("error-rate", "mood"),
        "spec.gates[0].template: there is no",
    ),
}


@pytest.mark.parametrize(("arguments", "text", "message"), WRONG.values(), ids=list(WRONG))
def test_wrong_use_is_a_sentence_and_a_two(
    arguments: list[str], text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is named on standard error; nothing is on standard output."""
    path = tmp_path / "rollout.yaml"
    path.write_text(text)

    code = main(["plan", str(path), "--runs-per-hour", "1000", *arguments])
    out, err = capsys.readouterr()

    assert (code, out) == (2, "")
    assert message in err
