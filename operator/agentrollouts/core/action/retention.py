"""Which answered actions are no longer needed: those about attempts that the history has dropped.

An action that someone creates again from a backup has no effect: the attempt that it names is over. It
stays, since it is younger than the attempts that are kept; else a tool that applies it from Git would
create it, and the operator delete it, in turns. What could have an effect again stays too: a Retry of
what is in quarantine, and a RedoHook of a hook in the status.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agentrollouts.api.names import API_VERSION
from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import HistoryEntry
from agentrollouts.core.effects import Deletion

AT_ONCE: Final = 10
"""Actions that one decision deletes. The next one follows at once."""


@dataclass(frozen=True, slots=True)
class AnsweredAction:
    """What is remembered of an action that has its last answer."""

    name: str
    uid: str
    version: str
    """Its resource version, as it was seen."""
    attempt: int
    """0 if it names none."""
    made: datetime
    """When it was created."""


def expired(answered: Iterable[AnsweredAction], rollout: AgentRollout) -> tuple[Deletion, ...]:
    """The deletions that are due, each of the very version that was seen; the oldest attempts first.

    A SwitchOff stays, whatever its age: a tool that created it again would switch the agent off again.
    """
    oldest = oldest_kept(rollout)
    if oldest is None:
        return ()
    status = rollout.status
    needed = {entry.attempt for entry in status.quarantined} | {entry.attempt for entry in status.hooks}
    old = (
        each
        for each in answered
        if 0 < each.attempt < oldest.number and each.made < oldest.start_time and each.attempt not in needed
    )
    first = sorted(old, key=lambda each: (each.attempt, each.name))[:AT_ONCE]
    return tuple(Deletion(_manifest(each, rollout)) for each in first)


def oldest_kept(rollout: AgentRollout) -> HistoryEntry | None:
    """The oldest attempt whose actions are kept; None until there are as many as `spec.historyLimit`."""
    limit = rollout.spec.history_limit
    newest = rollout.status.history[:limit]
    return min(newest, key=lambda entry: entry.number) if len(newest) == limit else None


def _manifest(action: AnsweredAction, rollout: AgentRollout) -> Mapping[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": AgentRolloutAction.resource.kind,
        "metadata": {
            "name": action.name,
            "namespace": rollout.metadata.namespace,
            "uid": action.uid,
            "resourceVersion": action.version,
        },
        "spec": {"rollout": rollout.metadata.name},
    }
