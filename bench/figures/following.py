"""Figure: whether `kubectl agentrollout status -w` takes more and more of anything while it follows changes.

A kubectl of our own prints the changes, each after the plugin has shown the one before, so nothing queues.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.rig.meters import resident_mib
from bench.rig.report import Check, Result, Series

CHANGES: Final = 3_000
WARM: Final = 500
"""Changes after which everything is loaded and every cache is full."""
STEP: Final = 250
GROWS_MIB: Final = 4.0
"""What the memory may differ between two steps that nothing leaks in."""

_KUBECTL: Final = """\
#!{python}
import json, sys
if "--watch" not in sys.argv:
    release = {{"kind": "AgentRelease", "metadata": {{"name": "x-1.0.0"}}, "spec": {{}}}}
    print(json.dumps({{"items": [release]}}))
    sys.exit()
ready = {{"type": "Ready", "status": "True", "reason": "Healthy"}}
ready["lastTransitionTime"] = "2026-08-01T00:00:00Z"
spec = {{"agent": "x", "releaseRef": {{"name": "x-1.0.0"}}}}
with open({turns!r}) as turns:
    for number, _ in enumerate(turns):
        condition = ready | {{"message": f"look {{number}}"}}
        status = {{"weights": {{"stable": 100, "canary": 0}}, "conditions": [condition]}}
        metadata = {{"name": "x", "namespace": "n", "resourceVersion": str(number)}}
        ours = {{"apiVersion": "agentrollouts.dev/v1alpha1", "kind": "AgentRollout"}}
        rollout = ours | {{"metadata": metadata, "spec": spec, "status": status}}
        print(json.dumps({{"type": "MODIFIED", "object": rollout}}), flush=True)
"""


def measure() -> Result:
    """Follow one rollout through all changes; needs no cluster."""
    with tempfile.TemporaryDirectory() as folder:
        turns, program = Path(folder) / "turns", Path(folder) / "kubectl"
        os.mkfifo(turns)
        program.write_text(_KUBECTL.format(python=sys.executable, turns=str(turns)))
        program.chmod(0o755)
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        samples = _followed(turns, os.environ | {"PATH": path})
    first, last = samples[WARM], samples[CHANGES]
    grown = last["memory"] - first["memory"]
    kept = {what: (first[what], last[what]) for what in ("files", "processes")}
    return Result(
        f"`status -w` follows a rollout through {CHANGES} changes",
        (Series("memory of the plugin", "MiB", (tuple(each["memory"] for each in samples.values()),)),),
        (
            Check(f"memory grows by ≤ {GROWS_MIB:g} MiB", f"{grown:.1f} MiB", grown <= GROWS_MIB),
            *(
                Check(f"{what}: as many at the end", f"{before:.0f} and {after:.0f}", before == after)
                for what, (before, after) in kept.items()
            ),
        ),
    )


def _followed(turns: Path, environment: Mapping[str, str]) -> dict[int, dict[str, float]]:
    """What the plugin has after so many changes, from the warm state on."""
    command = [sys.executable, "-m", "agentrollouts.kubectl_agentrollout", "status", "x", "-w", "-o", "name"]
    samples = {}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 ours
        assert process.stdout  # noqa: S101 for mypy
        with turns.open("w") as turn:
            for number in range(CHANGES + 1):
                turn.write("\n")
                turn.flush()
                if not process.stdout.readline():
                    raise RuntimeError(f"the plugin ended after {number} changes")
                if number >= WARM and number % STEP == 0:
                    samples[number] = _has(process.pid)
        process.terminate()
    return samples


def _has(pid: int) -> dict[str, float]:
    """Memory, open files and children of a process."""
    folder = Path(f"/proc/{pid}")
    children = [each.read_text().split() for each in folder.glob("task/*/children")]
    return {
        "memory": resident_mib(pid),
        "files": len(list((folder / "fd").iterdir())),
        "processes": sum(map(len, children)),
    }
