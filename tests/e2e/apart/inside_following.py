"""`kubectl agentrollout status -w` while the API server restarts. Run by `test_following.py`.

No operator runs. By hand: `python -m sandbox run -- python -m pytest tests/e2e/apart/inside_following.py`.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import pytest

from sandbox.stack import Stack
from tests.e2e.manifests import a_release, a_rollout
from tests.e2e.plugin.by_kubectl import environment, left_over

WHERE: Final = "followed"
CRDS: Final = Path(__file__).parents[3] / "crds"
READY: Final = {"type": "Ready", "status": "True", "reason": "Healthy", "message": "it serves"}
STATUS: Final = {
    "weights": {"stable": 100, "canary": 0},
    "conditions": [READY | {"lastTransitionTime": "2026-08-01T00:00:00Z", "observedGeneration": 1}],
}


@pytest.fixture
def followed(stack: Stack) -> Iterator["subprocess.Popen[str]"]:
    """The command, which follows a rollout and writes lines."""
    stack.apply(CRDS)
    stack.kubectl.wait_kinds()
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    stack.apply([a_release(WHERE, "x", "1.0.0"), a_rollout(WHERE, "x", "x-1.0.0")])
    patch = ("patch", "agentrollout", "x", f"--namespace={WHERE}", "--subresource=status", "--type=merge")
    stack.kubectl(*patch, f"--patch={json.dumps({'status': STATUS})}")
    command = ["kubectl", "agentrollout", "status", "x", "-n", WHERE, "-w"]
    with subprocess.Popen(  # noqa: S603 ours
        command, env=environment(stack), stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.terminate()
    stack.kubectl("delete", "namespace", WHERE, "--wait=false")


def until(lines: IO[str], word: str) -> list[str]:
    """The lines before the first one that has the word."""
    before: list[str] = []
    while word not in (line := lines.readline()):
        assert line, f"it ended after {before}"
        before.append(line)
    return before


def test_it_says_that_there_is_no_answer_and_continues(
    stack: Stack, followed: "subprocess.Popen[str]"
) -> None:
    """The restart is a gap in the lines: the reason in the words of kubectl, then the rollout again."""
    assert followed.stdout
    until(followed.stdout, "Healthy")
    server = stack.processes["apiserver"]
    server.stop()
    until(followed.stdout, "no answer: ")
    server.start()

    gap = until(followed.stdout, "Healthy")

    assert all("  no answer: " in line for line in gap), gap
    followed.terminate()
    assert followed.wait(timeout=120) == 143
    assert left_over(WHERE) == []
