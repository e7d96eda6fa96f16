"""Wall-clock time as an input of the shell, beside the watch and the poller.

Observations and questions to Prometheus carry a time; whoever builds them is given a clock, so that a test
can run hours of a rollout in no time. Waiting is measured by the event loop's own clock.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""The time now, aware, in UTC."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)
