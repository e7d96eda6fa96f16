"""The campaign of hostile neighbors and the soak in brief, each in a sandbox of its own; nothing is timed."""

import pytest

from campaigns.tenants.campaign import ROWS
from tests.inside import INSIDE_SECONDS, in_sandbox

pytestmark = pytest.mark.timeout(INSIDE_SECONDS)


@pytest.mark.parametrize("row", [row.name for row in ROWS if row.is_sample])
def test_a_neighbor_does_not_keep_others_from_rolling_back(row: str) -> None:
    """While a tenant attacks, each victim's route is 100/0 within seconds, and no probe fails."""
    done = in_sandbox("campaigns", "tenants", "--size=1", f"--only={row}")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_brief_soak() -> None:
    """Dozens of attempts leave memory, files, connections, tasks and objects as they were."""
    done = in_sandbox("campaigns", "soak", "--size=1")

    assert done.returncode == 0, done.stdout + done.stderr
