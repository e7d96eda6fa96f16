"""`agentrollouts plan`: what a file shows of a recovery, and what it cannot show."""

import json
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.main import main

RELEASE = """
apiVersion: agentrollouts.dev/v1alpha1
kind: AgentRelease
metadata: {name: support-1.0.0, namespace: support}
spec:
  agent: support
  version: 1.0.0
  components:
    prompt: {version: 1.0.0, inline: {system: Help.}}
    model: {version: 1.0.0, provider: openai, name: gpt-x-2026-08-01}
    tools:
      version: 1.0.0
      items: [{name: issue_refund, version: 1.0.0, externalAction: true}, {name: search, version: 1.0.0}]
"""
ROLLOUT = """
---
apiVersion: agentrollouts.dev/v1alpha1
kind: AgentRollout
metadata: {name: support, namespace: support}
spec:
  agent: support
  releaseRef: {name: support-1.0.0}
  gates: [{name: errors, template: error-rate}]
"""
PREPARED = """
  caps: [{name: spend, metric: agent_run_cost_usd_sum, max: "50"}]
  hooks:
  - {name: keep, at: BeforeTraffic, job: {cronJob: keep}}
  - {name: reverse, at: AfterRollback, job: {cronJob: reverse}, forTools: [issue_refund]}
"""
CAUTION = (
    "canary-5: at most 3 of the 7 points of a recovery hold. Begin with `weight: 1` while fewer than 5 do, "
    "or add what is missing."
)


def planned(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    """The last two lines for people, and what machines get."""
    path = folder / "rollout.yaml"
    path.write_text(text)
    assert main(["plan", str(path), "--runs-per-hour", "100000"]) == 0
    shown = capsys.readouterr().out
    assert main(["plan", str(path), "--runs-per-hour", "100000", "--json"]) == 0
    return "\n".join(shown.splitlines()[-2:]), json.loads(capsys.readouterr().out)


def test_only_what_the_file_shows_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the release its tools are not known to be unknown, so nothing is advised."""
    text, report = planned(ROLLOUT, tmp_path, capsys)
    assert text == (
        "Recovery: 0 of the 2 points that this file shows hold: missing a cap that rolls back (4), a hook "
        "before traffic (7).\n"
        "It does not show the points 1, 2, 3, 5, 6; see the condition RollbackReady of the rollout."
    )
    assert report["recovery"] == {
        "hold": [],
        "missing": ["a cap that rolls back (4)", "a hook before traffic (7)"],
        "notShown": [1, 2, 3, 5, 6],
    }
    assert CAUTION not in report["advice"]


def test_a_rollout_that_is_not_prepared_should_begin_with_little_traffic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the release it is certain that fewer than five points hold."""
    _, report = planned(RELEASE + ROLLOUT, tmp_path, capsys)
    assert report["recovery"]["hold"] == [3]
    assert CAUTION in report["advice"]
    phases = "  phases: [{name: proof, weight: 1, durationSeconds: 60}]"
    _, report = planned(RELEASE + ROLLOUT + phases, tmp_path, capsys)
    assert not any("of a recovery" in each for each in report["advice"])


def test_a_prepared_rollout_needs_no_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All points that a file can show hold."""
    text, report = planned(RELEASE + ROLLOUT.rstrip() + PREPARED, tmp_path, capsys)
    assert text == (
        "Recovery: 5 of the 5 points that this file shows hold.\n"
        "It does not show the points 1, 2; see the condition RollbackReady of the rollout."
    )
    assert not any("recovery" in each or "forTools" in each for each in report["advice"])


@pytest.mark.parametrize("release", [RELEASE, ""], ids=["with the release", "without it"])
def test_a_tool_that_no_release_has_is_reported(
    release: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is accepted, as a later release can have it; nothing is said of a file without releases."""
    wrong = PREPARED.replace("[issue_refund]", "[issue_refund, isue_refund]")
    _, report = planned(release + ROLLOUT.rstrip() + wrong, tmp_path, capsys)
    warning = (
        "spec.hooks[1].forTools: no release in this file has the tool isue_refund. Correct the name, unless "
        "another release has it."
    )
    assert (warning in report["advice"]) is bool(release)
