"""A cluster without the Gateway API; what is stated about it is in `inside_no_gateway.py`.

It needs a sandbox of its own.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_inside() -> None:
    """Everything that `inside_no_gateway.py` states holds."""
    here = Path(__file__).with_name("inside_no_gateway.py")
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(here)]
    command = [sys.executable, "-m", "sandbox", "run", "--", *pytest]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own command

    assert done.returncode == 0, done.stdout + done.stderr
