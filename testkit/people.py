"""What people request of a simulated world, by what its status shows; nothing where it shows nothing."""

from collections.abc import Iterable

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.rollout import BAKE
from agentrollouts.simulation.world import World
from testkit.builders.actions import LEE


def approve(world: World, people: Iterable[str] = (LEE,)) -> None:
    """Each of them agrees to the current phase."""
    attempt = world.status.attempt
    if attempt is not None and attempt.phase_name:
        for by in people:
            world.act(ActionType.APPROVE, by, phase=attempt.phase_name)


def promote(world: World) -> None:
    """The current phase counts as passed."""
    attempt = world.status.attempt
    if attempt is not None:
        phase = BAKE if attempt.state is State.BAKING else attempt.phase_name
        world.act(ActionType.PROMOTE, phase=phase or BAKE)


def act(world: World, kind: ActionType) -> None:
    """Something that only names the attempt."""
    if world.status.attempt is not None:
        world.act(kind)


def roll_back(world: World) -> None:
    """The canary if there is one, else stable."""
    attempt, record = world.status.attempt, world.status.canary or world.status.stable
    if attempt is not None and record is not None:
        world.act(ActionType.ROLL_BACK, release=record.release)


def retry(world: World) -> None:
    """What is first in quarantine is tried again."""
    for entry in world.status.quarantined[:1]:
        world.act(ActionType.RETRY, attempt=entry.attempt, release=entry.release)
