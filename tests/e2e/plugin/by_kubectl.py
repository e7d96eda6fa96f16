"""`kubectl agentrollout`, found and run by the real kubectl as it runs any plugin."""

import os
import subprocess
import sys
from pathlib import Path

from sandbox.stack import Stack

Done = subprocess.CompletedProcess[str]


def environment(stack: Stack, **changes: str) -> dict[str, str]:
    """Variables with which kubectl finds the plugin, and no terminal settings of the caller."""
    found = stack.environment
    path = f"{found['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    return found | {"PATH": path, "COLUMNS": "120"} | changes


def kubectl(stack: Stack, *arguments: str, seconds: float = 120, **changes: str) -> Done:
    """Run kubectl to its end, as the administrator."""
    return subprocess.run(  # noqa: S603 ours
        ["kubectl", *arguments],  # noqa: S607 that of the sandbox
        env=environment(stack, **changes),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def plugin(stack: Stack, *arguments: str, seconds: float = 120, **changes: str) -> Done:
    """Run `kubectl agentrollout` to its end, as the administrator."""
    return kubectl(stack, "agentrollout", *arguments, seconds=seconds, **changes)


def left_over(namespace: str) -> list[str]:
    """Processes of kubectl that read this namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().decode().split("\0")
        except OSError:  # it has ended
            continue
        if "--watch" in command and f"--namespace={namespace}" in command:
            found.append(" ".join(command))
    return found
