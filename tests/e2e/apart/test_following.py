"""`status -w` while the API server restarts; what is stated about it is in `inside_following.py`.

It needs a sandbox of its own, since others would notice.
"""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_following.py` states holds."""
    done = run_inside(Path(__file__).with_name("inside_following.py"))

    assert done.returncode == 0, done.stdout + done.stderr
