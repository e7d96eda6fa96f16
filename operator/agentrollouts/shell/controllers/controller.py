"""What the workers need of a kind's controller, and the part that all controllers share."""

from datetime import UTC, datetime
from typing import NamedTuple, Protocol, TypeVar

from pydantic import ValidationError

from agentrollouts.adapters.cluster.errors import NotFoundError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.model.base import ApiModel
from agentrollouts.core.rollout.reporting.invalid import invalid_events, invalid_status
from agentrollouts.shell.effects.act import Actor

Model = TypeVar("Model", bound=ApiModel)
Found = TypeVar("Found")


class Outcome(NamedTuple):
    """What a pass over one object came to."""

    wait_seconds: float | None
    """Until the next pass; None if nothing but a change calls for one, or if the pass failed."""
    is_complete: bool
    """Whether everything that was decided has been written."""

    @classmethod
    def of(cls, pause: float, problem: object | None, wait: float | None) -> "Outcome":
        """The outcome of a pass that wrote something.

        Args:
            pause: Seconds until the same writes can be repeated; 0 if they were not held back.
            problem: Why a write failed; None if none did.
            wait: Seconds until the decision wants the next pass; None if it wants none.
        """
        if pause:
            return cls(pause, is_complete=False)
        return cls(None, is_complete=False) if problem is not None else cls(wait, is_complete=True)


class Controller(Protocol):
    """Observes, decides and acts for the objects of one kind."""

    async def reconcile(self, key: Ref, manifest: Manifest) -> Outcome:
        """One pass over an object, which may be in deletion.

        Raises `ClusterError` if it has to be tried again.
        """

    async def settle(self, key: Ref) -> bool:
        """Settle what a deleted object left behind; False if that has to be tried again."""

    def forget(self, key: Ref) -> None:
        """Follow an object no longer."""

    def is_urgent(self, manifest: Manifest) -> bool:
        """Whether a failed pass over this object is repeated soon, however often it has failed."""


def existing(key: Ref, value: Found | None) -> Found:
    """What was read of an object. Raises `NotFoundError` if it is gone, and the watch has not reported it."""
    if value is None:
        raise NotFoundError(f"{key} is gone")
    return value


async def parsed(model: type[Model], manifest: Manifest, actor: Actor) -> Model | None:
    """The object as a value; if it is invalid, its conditions and an Event say so."""
    try:
        return model.model_validate(manifest)
    except ValidationError as error:
        status = invalid_status(manifest, error, datetime.now(UTC))
        if status is not None:
            await actor.statuses.replace(manifest, status)
            actor.send_events(manifest, invalid_events(manifest, error))
        return None


def earliest(*waits: float | None) -> float | None:
    """The shortest of several waits; None if there is none."""
    return min((wait for wait in waits if wait is not None), default=None)


def seconds_until(now: datetime, then: datetime | None) -> float | None:
    """Seconds from one time to another."""
    return None if then is None else (then - now).total_seconds()
