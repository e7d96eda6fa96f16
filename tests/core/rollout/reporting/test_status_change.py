"""What a tick costs that changes nothing but numbers."""

import pytest

from agentrollouts.api.model.base import ApiModel
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import a_world

MOST_COPIES = 16
"""With one gate: 6 of the conditions, which each decision creates again, 2 of the gate, and 6 of the status
and the attempt."""


def test_what_did_not_change_is_not_copied_to_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision at a tick copies the parts that have other numbers, and not all conditions of both."""
    world = a_world(a_rollout().serving(OLD).trying(NEW))
    world.run(120)
    observed = world.observe()
    copied: list[str] = []
    copy_with = ApiModel.copy_with

    def counted(model: ApiModel, **changes: object) -> ApiModel:
        copied.append(type(model).__name__)
        return copy_with(model, **changes)

    monkeypatch.setattr(ApiModel, "copy_with", counted)
    decision = decide(observed)

    assert (decision.status, decision.is_news) == (None, False)
    assert len(copied) <= MOST_COPIES, copied
