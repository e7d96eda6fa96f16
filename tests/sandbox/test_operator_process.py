"""`sandbox.operator` on real parts; what it states is in `inside_operator.py`, in a sandbox of its own."""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_operator.py` states about the operator as a process holds."""
    done = run_inside(Path(__file__).with_name("inside_operator.py"))

    assert done.returncode == 0, done.stdout + done.stderr
