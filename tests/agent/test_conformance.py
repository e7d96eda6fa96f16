"""The conformance test: it passes agents that keep the contract, and finds each planted fault."""

import json
import socket
import sys
from pathlib import Path
from typing import Final

import pytest

from agentrollouts.api.release import AgentRelease
from agentrollouts.core.release import bundle as operator_bundle
from agentrollouts_agent.conformance import FAILED, WRONG_USE, main
from sandbox import scenarios
from tests.agent.snapshots import mount, snapshot

GOOD: Final = [
    "✓ row 1: reads its bundle once, at start, and does not start with what its digest does not fit",
    "✓ row 2: leaves the labels namespace, agent and release to the scrape configuration",
    "✓ row 3: names its release and its digest in every answer",
    "✓ row 4: sends the baggage with each call",
    "✓ row 4: has the release in each log line",
]


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def check(folder: Path, port: int, *command: str, metrics: bool = True, seconds: int = 30) -> int:
    """Run it against an agent."""
    page = [f"--metrics=http://127.0.0.1:{port}/metrics"] if metrics else []
    url = [f"--url=http://127.0.0.1:{port}/healthz", f"--seconds={seconds}"]
    return main([f"--bundle={folder}", *url, *page, "--", *command])


def candidate(port: int, fault: str) -> list[str]:
    """The command that starts the agent of the tests."""
    return [sys.executable, "-m", "tests.agent.candidate", "{bundle}", str(port), "{calls}", fault]


def test_who_keeps_the_contract_passes(tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each row, and code 0; the bundle of the caller is not touched."""
    files = snapshot()
    code = check(mount(tmp_path, files), port, *candidate(port, "none"))
    assert (code, capsys.readouterr().out.splitlines()) == (0, GOOD)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    ("fault", "row", "sentence", "seconds"),
    [
        ("trusts", 1, "starts with a changed bundle.json; it must end before it answers", 30),
        ("hangs", 1, "neither ends nor answers within 1 s with a changed bundle.json", 1),
        ("quiet", 1, "ends with code 0 with a changed bundle.json; nothing shows the problem", 30),
        ("rereads", 1, "answers otherwise once the files are gone; read them once, at start", 30),
        ("labels", 2, 'exports the label release="support-agent-9"; leave it out', 30),
        ("nameless", 3, "does not have the header agent-release;", 30),
        ("untied", 4, "does not carry agentrollouts.release and agentrollouts.digest in its header", 30),
        ("mute", 4, "2 of 2 log lines do not have its agent_release and agent_digest", 30),
    ],
)
def test_a_fault_is_found(  # noqa: PLR0913 the fault, what is said of it, and where
    *,
    tmp_path: Path,
    port: int,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    row: int,
    sentence: str,
    seconds: int,
) -> None:
    """It has a line with its row, no other row has one, and the code is 1."""
    code = check(mount(tmp_path, snapshot()), port, *candidate(port, fault), seconds=seconds)
    bad = [each for each in capsys.readouterr().out.splitlines() if each.startswith("✗")]
    assert (code, [each[:7] for each in bad if sentence in each]) == (FAILED, [f"✗ row {row}"]), bad
    assert fault == "rereads" or len(bad) == 1


def test_the_demo_agent_passes(tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """It makes no calls and writes no JSON, and what cannot be seen is not a problem."""
    resolved = operator_bundle.resolve(
        AgentRelease.model_validate(scenarios.load_release(scenarios.HEALTHY)), {}
    )
    assert isinstance(resolved, operator_bundle.Bundle)
    facts = {"agent": "support-agent", "digest": resolved.digest, "name": "a", "version": "1"}
    files = {"bundle.json": resolved.text.encode(), "release.json": json.dumps(facts).encode()}
    command = [sys.executable, "-m", "sandbox.agent", "--bundle={bundle}", "--release={release}"]

    code = check(mount(tmp_path, files), port, *command, f"--listen=127.0.0.1:{port}", metrics=False)

    lines = capsys.readouterr().out.splitlines()
    assert (code, [each[:7] for each in lines]) == (
        0,
        ["✓ row 1", "? row 2", "✓ row 3", "? row 4", "? row 4"],
    ), lines


def test_what_cannot_be_tested_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bundle that is not one, an address that answers already, and a command that is none: code 2."""
    folder = mount(tmp_path, snapshot())
    (tmp_path / "other").mkdir()
    assert main([f"--bundle={tmp_path / 'other'}", "--url=http://127.0.0.1:9/", "--", "a"]) == WRONG_USE
    assert main([f"--bundle={folder}", "--url=file:///etc/passwd", "--", "a"]) == WRONG_USE
    assert main([f"--bundle={folder}", "--url=http://127.0.0.1:9/", "--", "/no/such/program"]) == WRONG_USE
    assert "No such file" in capsys.readouterr().err
