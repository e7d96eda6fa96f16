"""The command `agentrollouts` as a process, with the credentials of someone."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

Done = subprocess.CompletedProcess[str]


def run(kubeconfig: Path, arguments: Sequence[str], seconds: float = 120, *, text: str = "") -> Done:
    """Run `agentrollouts` to its end, with this text on its standard input."""
    return subprocess.run(  # noqa: S603 ours
        [sys.executable, "-m", "agentrollouts.main", *arguments],
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        input=text,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
