"""`sandbox.agents.fleet` on real parts; what it states is in `inside_fleet.py`, in a sandbox of its own."""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_fleet.py` states about agents behind the gateway holds."""
    done = run_inside(Path(__file__).with_name("inside_fleet.py"))

    assert done.returncode == 0, done.stdout + done.stderr
