"""Two replicas, of which one decides; what is stated about them is in `inside_replicas.py`.

They need a sandbox of their own.
"""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_replicas.py` states holds."""
    done = run_inside(Path(__file__).with_name("inside_replicas.py"))

    assert done.returncode == 0, done.stdout + done.stderr
