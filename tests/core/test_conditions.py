from datetime import UTC, datetime

import pytest

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import READY, condition, find_condition, set_condition

EARLIER = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 13, tzinfo=UTC)
STALLED = condition(
    "Stalled",
    ConditionStatus.FALSE,
    Reason.NOT_STALLED,
    "Nothing stands in the way",
    generation=1,
    now=EARLIER,
)


def ready(status: ConditionStatus, reason: Reason, *, now: datetime, generation: int = 1) -> Condition:
    """A Ready condition."""
    return condition(READY, status, reason, reason.sentence, generation=generation, now=now)


def test_first_condition_of_its_type_is_added_at_the_end() -> None:
    """A type that is not there yet is added, with the time that it brings."""
    new = ready(ConditionStatus.TRUE, Reason.MATERIALIZED, now=NOW)

    assert set_condition((STALLED,), new) == (STALLED, new)


@pytest.mark.parametrize(
    ("status", "since"),
    [(ConditionStatus.FALSE, EARLIER), (ConditionStatus.TRUE, NOW), (ConditionStatus.UNKNOWN, NOW)],
)
def test_time_moves_with_the_status_alone(status: ConditionStatus, since: datetime) -> None:
    """Reason, message and generation are always the new ones; the time only where the status is another."""
    old = ready(ConditionStatus.FALSE, Reason.REFERENCE_MISSING, now=EARLIER)
    new = ready(status, Reason.MATERIALIZED, now=NOW, generation=2)

    assert set_condition((old, STALLED), new) == (new.replace(last_transition_time=since), STALLED)


def test_find_condition() -> None:
    """The condition of a type, or None."""
    assert (find_condition((STALLED,), "Stalled"), find_condition((STALLED,), READY)) == (STALLED, None)
