"""Fields of other versions of the operator in a status."""

import pytest

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.model.unknown import with_unknown
from agentrollouts.api.release import AgentReleaseStatus
from agentrollouts.api.status import AgentRolloutStatus


@pytest.mark.parametrize(
    ("model", "own"),
    [(AgentRolloutStatus, "lastRollback"), (AgentReleaseStatus, "observedGeneration"), (Attempt, "planHash")],
)
def test_only_unknown_fields_are_carried_over(model: type[ApiModel], own: str) -> None:
    """A field that the model has is never taken from the former status."""
    before = {own: "former", "later": {"a": [1]}}

    assert with_unknown(model, before, {"number": 2}) == {"later": {"a": [1]}, "number": 2}


def test_a_former_status_may_be_empty() -> None:
    """The first status has only its own fields."""
    assert with_unknown(AgentRolloutStatus, {}, {"observedGeneration": 1}) == {"observedGeneration": 1}
