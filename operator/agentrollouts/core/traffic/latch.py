"""The latch: the mark of a rolled-back attempt on the objects that move traffic.

Written with the weights of the rollback in one write, before the status. A process that finds it there, after
its predecessor ended in between, finishes the rollback and can still say why it began.

Anyone who may edit such an object can write a mark. It counts only if it names the uid of the rollout, and if
the object also shows what it says: all traffic at stable. Its text is quoted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.names import (
    ANNOTATION_DETOUR_MESSAGE,
    ANNOTATION_ROLLBACK_MESSAGE,
    ANNOTATION_ROLLBACK_TRIGGER,
    ANNOTATION_ROLLED_BACK,
    ANNOTATION_ROLLED_BACK_UID,
)
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.history import rollback_of
from agentrollouts.core.states import LATCHED

_SENTENCES: Final = frozenset({ANNOTATION_ROLLBACK_MESSAGE, ANNOTATION_DETOUR_MESSAGE})
DIGITS: Final = 10
"""Digits of the largest number that an attempt can have."""
UNTOLD: Final = "The route was already rolled back; completing the rollback"
"""Why, where the mark does not say it."""


@dataclass(frozen=True, slots=True)
class Latch:
    """Which attempt was rolled back, and why."""

    number: int
    trigger: Trigger
    message: str
    uid: str = ""
    """Of the rollout; empty in a mark that an earlier version of the operator wrote."""

    @property
    def annotations(self) -> dict[str, str]:
        """As it stands on an object of ours."""
        return {
            ANNOTATION_ROLLED_BACK: str(self.number),
            ANNOTATION_ROLLED_BACK_UID: self.uid,
            ANNOTATION_ROLLBACK_TRIGGER: self.trigger,
            ANNOTATION_ROLLBACK_MESSAGE: self.message,
        }


def is_latched(status: AgentRolloutStatus) -> bool:
    """Whether the current attempt was rolled back, permanently."""
    return status.attempt is not None and status.attempt.state in LATCHED


def latch_of(status: AgentRolloutStatus) -> Latch | None:
    """The mark that the status requires; None while the attempt was not rolled back."""
    attempt, rollback = status.attempt, rollback_of(status)
    if attempt is None or not is_latched(status):
        return None
    return Latch(attempt.number, attempt.trigger or Trigger.BREACH, (rollback and rollback.message) or UNTOLD)


def read_latch(annotations: Mapping[str, str]) -> Latch | None:
    """The mark on an object of ours; None if there is none, or one that names no attempt."""
    number = annotations.get(ANNOTATION_ROLLED_BACK, "")
    if not number.isdecimal() or len(number) > DIGITS:
        return None
    trigger = trigger_of(annotations.get(ANNOTATION_ROLLBACK_TRIGGER))
    uid = annotations.get(ANNOTATION_ROLLED_BACK_UID, "")
    return Latch(int(number), trigger, annotations.get(ANNOTATION_ROLLBACK_MESSAGE) or UNTOLD, uid)


def quoted(latch: Latch) -> str:
    """The sentence of a mark, as what it is: a text on an object that many people can edit."""
    return latch.message if latch.message == UNTOLD else f'The route says: "{latch.message}"'


def trigger_of(text: str | None) -> Trigger:
    """The trigger that a mark names; a breach where it names none."""
    return Trigger(text) if text in set(Trigger) else Trigger.BREACH


def without_message(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest of a rollback or a detour with the bare mark; any other manifest as it is."""
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations") or {}
    if _SENTENCES.isdisjoint(annotations):
        return manifest
    kept = {key: value for key, value in annotations.items() if key not in _SENTENCES}
    return {**manifest, "metadata": {**metadata, "annotations": kept}}
