"""The page in the cluster while the API server restarts; what is stated about it is in `inside_page.py`.

It needs a sandbox of its own, since others would notice.
"""

from pathlib import Path

import pytest

from tests.browser.chromium import IS_SKIPPED, MISSING
from tests.inside import run_inside


@pytest.mark.skipif(IS_SKIPPED, reason=MISSING)
def test_inside() -> None:
    """Everything that `inside_page.py` states holds."""
    done = run_inside(Path(__file__).with_name("inside_page.py"))

    assert done.returncode == 0, done.stdout + done.stderr
