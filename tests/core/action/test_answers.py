"""Input: an action and what the ledger says of it. Output: its status, by the rules of kstatus."""

from datetime import timedelta

import pytest

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.action.answers import answer
from agentrollouts.core.action.ledger import FINAL, ON_THE_WAY, SUCCESSFUL
from testkit.builders.actions import an_action
from testkit.builders.names import NEW, START

ACTION = an_action(ActionType.ROLL_BACK, 2, release=NEW)
REFUSALS = FINAL - SUCCESSFUL


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (SUCCESSFUL, ("True", "False", "False")),
        (ON_THE_WAY, ("False", "True", "False")),
        (REFUSALS, ("False", "False", "True")),
    ],
)
def test_the_conditions_say_whether_to_wait(
    reasons: frozenset[Reason], expected: tuple[str, str, str]
) -> None:
    """Ready is the answer; Reconciling: another one follows; Stalled: none will."""
    for reason in reasons:
        status = answer(ACTION, reason, "so", START)
        assert status is not None
        assert tuple(condition.status for condition in status.conditions) == expected
        assert [condition.type for condition in status.conditions] == ["Ready", "Reconciling", "Stalled"]
        assert {condition.reason for condition in status.conditions[:1]} == {reason}
        assert status.observed_generation == ACTION.metadata.generation


def test_an_answer_that_is_there_is_not_written_again() -> None:
    """However much later; the time of a condition is that of its change."""
    status = answer(ACTION, Reason.DONE, "so", START, "0.014")
    assert status is not None
    told = ACTION.replace(status=status)
    assert answer(told, Reason.DONE, "so", START + timedelta(hours=1), "0.014") is None
    later = answer(told, Reason.DONE, "so", START + timedelta(hours=1), "0.015")
    assert later is not None
    assert (later.routed_seconds, later.conditions) == ("0.015", status.conditions)
