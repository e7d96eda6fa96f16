"""A sample of the campaign, in a sandbox of its own: a dozen faults for seconds, and nothing is timed."""

import pytest

from tests.inside import INSIDE_SECONDS, in_sandbox

pytestmark = pytest.mark.timeout(INSIDE_SECONDS)


def test_a_sample_of_the_faults() -> None:
    """No fault advances a canary or takes it back unasked; all go on by themselves afterwards."""
    done = in_sandbox("campaigns", "prometheus-faults", "--size=12")

    assert done.returncode == 0, done.stdout + done.stderr
