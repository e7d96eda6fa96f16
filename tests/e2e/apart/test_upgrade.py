"""Two versions of the operator take turns; `inside_upgrade.py` has the statements.

It needs a sandbox of its own: both versions have CRDs of their own.
"""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_upgrade.py` states holds."""
    done = run_inside(Path(__file__).with_name("inside_upgrade.py"))

    assert done.returncode == 0, done.stdout + done.stderr
