"""Wall-clock time as an input of the shell, beside the watch and the poller.

Observations and queries have a time. Code that builds them gets a clock, so that a test can run hours of a
rollout in no time. Waiting is measured by the clock of the event loop.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""The time now, aware, in UTC."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)
