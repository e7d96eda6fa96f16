"""An API server that is restored from a backup; what is stated about it is in `inside_restored.py`.

It needs a sandbox of its own.
"""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_restored.py` states holds."""
    done = run_inside(Path(__file__).with_name("inside_restored.py"))

    assert done.returncode == 0, done.stdout + done.stderr
