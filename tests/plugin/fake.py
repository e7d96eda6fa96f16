"""A kubectl that answers from files, where a test is about the plugin alone."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

Done = subprocess.CompletedProcess[str]


def fake(folder: Path, script: str) -> Path:
    """A folder for the PATH with a kubectl that is this shell script."""
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder


def run(folder: Path, *arguments: str, **changes: str) -> Done:
    """Run the plugin with the kubectl of this folder, without a terminal."""
    return subprocess.run(  # noqa: S603 ours
        [sys.executable, "-m", "agentrollouts.kubectl_agentrollout", *arguments],
        env=environment(folder, changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(folder: Path, changes: Mapping[str, str]) -> dict[str, str]:
    """Our variables without what terminals set."""
    kept = {
        key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "FORCE_COLOR", "LC_ALL"}
    }
    return {**kept, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONUTF8": "1", **changes}
