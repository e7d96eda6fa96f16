"""A sample of the campaign, in a sandbox of its own: a dozen faults for seconds, and nothing is timed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_sample_of_the_faults() -> None:
    """No fault advances a canary or takes it back unasked; all go on by themselves afterwards."""
    campaign = [sys.executable, "-m", "campaigns", "prometheus-faults", "--size=12"]
    command = [sys.executable, "-m", "sandbox", "run", "--", *campaign]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own command

    assert done.returncode == 0, done.stdout + done.stderr
