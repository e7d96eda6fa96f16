"""For tests that need a sandbox of their own: from outside how it is run, and inside how it is waited for."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def in_sandbox(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python module in a sandbox of its own, to its end."""
    command = [sys.executable, "-m", "sandbox", "run", "--", sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own


def run_inside(file: Path) -> "subprocess.CompletedProcess[str]":
    """Run the tests of a file in a sandbox of its own."""
    return in_sandbox("pytest", "-q", "-p", "no:cacheprovider", str(file))


def eventually(condition: Callable[[], object], seconds: float = 120) -> None:
    """Ask until the answer is yes.

    Raises:
        AssertionError: it was not within that time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
