"""Actions as people create them: `an_action(ActionType.ROLL_BACK, 2, release=NEW)`."""

import re
from datetime import timedelta

from agentrollouts.api.people.action import OF_NO_ATTEMPT, ActionType, AgentRolloutAction
from testkit.builders.names import AGENT, NAMESPACE, START

LEE = "lee@example.com"
"""Who requests something, if a test does not say it."""


def an_action(kind: ActionType, attempt: int, **fields: str | int | bool) -> AgentRolloutAction:
    """An action that nobody has answered yet; without a name, the same request has the same one.

    Args:
        kind: What is requested.
        attempt: Of which attempt.
        **fields: Of its spec; `name`; `age`, the seconds from `START` to its creation.
    """
    words = "-".join(map(str, [kind, attempt, *fields.values()])).lower()
    name = str(fields.pop("name", "")) or re.sub("[^a-z0-9.-]", "-", words)
    created = START + timedelta(seconds=int(fields.pop("age", 0)))
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-of-{name}"[:64],
        "generation": 1,
        "creationTimestamp": created.isoformat(),
    }
    spec: dict[str, str | int | bool] = {
        "rollout": AGENT,
        "type": kind,
        **({} if kind in OF_NO_ATTEMPT else {"attempt": attempt}),
        "requestedBy": LEE,
        "reason": "It is a test",
    }
    return AgentRolloutAction.model_validate({"metadata": metadata, "spec": spec | fields})
