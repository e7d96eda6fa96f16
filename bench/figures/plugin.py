"""Figure: how long a person waits for `kubectl agentrollout`, compared with `kubectl get` in the same minute.

The commands take turns, so that all share what else the machine does. The plugin has its bytecode, as it has
after an installation: without it, Python compiles all sources first, which takes longer than the rest.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.rig.crowd import NAMESPACE, Crowd
from bench.rig.report import Check, Result, Series
from sandbox.people.apiserver import ApiServer
from sandbox.stack import Stack

SAMPLES: Final = 15
SIZE: Final = 20
TRYING: Final = 5
"""Rollouts with an attempt in progress; one of them is shown."""
TARGET_SECONDS: Final = 0.4


async def measure(stack: Stack, server: ApiServer) -> Result:
    """Each command in turn; needs the operator to run."""
    crowd = Crowd(server, SIZE)
    await crowd.settle(seconds=600)
    await crowd.begin_canaries(crowd.names[:TRYING])
    with tempfile.TemporaryDirectory() as bytecode:
        commands, environment = _commands(crowd.names[0]), _environment(stack, Path(bytecode))
        for command in commands.values():  # writes the bytecode, and fills the caches of kubectl
            await _seconds(command, environment)
        runs = [
            {what: await _seconds(command, environment) for what, command in commands.items()}
            for _ in range(SAMPLES)
        ]
    series = {what: Series(what, "s", (tuple(run[what] for run in runs),)) for what in commands}
    found = series["status"].median
    return Result(
        f"A person looks at {SIZE} rollouts, {TRYING} of them in progress",
        tuple(series.values()),
        (Check(f"status: median ≤ {TARGET_SECONDS} s", f"{found:.2f} s", found <= TARGET_SECONDS),),
    )


def _commands(name: str) -> Mapping[str, tuple[str, ...]]:
    where, folder = f"--namespace={NAMESPACE}", Path(sys.executable).parent
    complete = str(folder / "kubectl_complete-agentrollout")
    return {
        "kubectl get": ("kubectl", "get", "agentrollout", name, where, "--output=json"),
        "status": ("kubectl", "agentrollout", "status", name, where),
        "list": ("kubectl", "agentrollout", "list", where),
        "completion of a verb": (complete, "st"),
        "completion of a name": (complete, "status", where, "agent-"),
    }


def _environment(stack: Stack, bytecode: Path) -> dict[str, str]:
    """Variables with which kubectl finds the plugin, and the plugin its bytecode."""
    found = stack.environment
    path = f"{found['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    kept = {key: value for key, value in found.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PATH": path, "PYTHONPYCACHEPREFIX": str(bytecode)}


async def _seconds(command: tuple[str, ...], environment: Mapping[str, str]) -> float:
    """From the start of a command to its end."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - began
