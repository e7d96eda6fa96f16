"""Alerts that a real Alertmanager gets from two replicas; what is stated about them is in `inside_alerts.py`.

They need a sandbox of their own.
"""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_alerts.py` states holds."""
    done = run_inside(Path(__file__).with_name("inside_alerts.py"))

    assert done.returncode == 0, done.stdout + done.stderr
