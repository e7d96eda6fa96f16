"""Inputs: annotations by which people once acted. Outputs: a condition, and one Event."""

import pytest

from agentrollouts.api.objects import Condition
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import find_condition
from testkit.builders.names import AGENT, NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world

REQUESTS = {
    "approve": "agentrollouts.dev/approve",
    "roll-back": "agentrollouts.dev/roll-back",
    "retry": "agentrollouts.dev/retry",
}


def warning(status: AgentRolloutStatus) -> Condition | None:
    """The condition."""
    return find_condition(status.conditions, "AnnotationIgnored")


@pytest.mark.parametrize("command", REQUESTS)
def test_an_annotation_has_no_effect_and_says_what_has(command: str) -> None:
    """One Event names the command; nothing moves; the warning goes with the annotation."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW)
    world.run(60)
    before = world.shares()

    annotate(world, {REQUESTS[command]: f"2/{NEW}"})
    world.run(30)

    found = warning(world.status)
    assert found is not None
    assert found.message.endswith(f"create an AgentRolloutAction: agentrollouts {command} {AGENT}")
    assert world.told(Reason.ANNOTATION_IGNORED) == [found.message]
    assert world.shares() == before

    annotate(world, {})
    world.settle()
    assert warning(world.status) is None


def annotate(world: World, annotations: dict[str, str]) -> None:
    """Someone sets the annotations of the rollout."""
    metadata = world.rollout.metadata.replace(annotations=annotations)
    world.rollout = world.rollout.copy_with(metadata=metadata)
