"""An operator for some namespaces, of which one is closed; stated in `inside_namespaces.py`.

It needs a sandbox of its own.
"""

from pathlib import Path

import pytest

from tests.inside import INSIDE_SECONDS, run_inside


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_namespaces.py` states holds."""
    done = run_inside(Path(__file__).with_name("inside_namespaces.py"))

    assert done.returncode == 0, done.stdout + done.stderr
