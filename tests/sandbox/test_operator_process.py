"""`sandbox.operator` on real parts; what it states is in `inside_operator.py`, in a sandbox of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_inside() -> None:
    """Everything that `inside_operator.py` states about the operator as a process holds."""
    here = Path(__file__).with_name("inside_operator.py")
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(here)]
    command = [sys.executable, "-m", "sandbox", "run", "--", *pytest]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own command

    assert done.returncode == 0, done.stdout + done.stderr
