"""Kinds that go and come back, or are older than the operator; what is stated is in `inside_kinds.py`.

It needs a sandbox of its own.
"""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_kinds.py` states holds."""
    done = run_inside(Path(__file__).with_name("inside_kinds.py"))

    assert done.returncode == 0, done.stdout + done.stderr
