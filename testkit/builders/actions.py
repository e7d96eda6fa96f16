"""Actions as people create them: `an_action(ActionType.ROLL_BACK, 2, release=NEW)`."""

import re
from datetime import datetime

from agentrollouts.api.action import ActionType, AgentRolloutAction
from testkit.builders.names import AGENT, NAMESPACE, START

LEE = "lee@example.com"
"""Who requests something, if a test does not say it."""


def an_action(
    kind: ActionType, attempt: int, *, name: str = "", at: datetime = START, **fields: str | int | bool
) -> AgentRolloutAction:
    """An action that nobody has answered yet; without a name, the same request has the same one."""
    words = "-".join(map(str, [kind, attempt, *fields.values()])).lower()
    name = name or re.sub("[^a-z0-9.-]", "-", words)
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-of-{name}"[:64],
        "generation": 1,
        "creationTimestamp": at.isoformat(),
    }
    spec: dict[str, str | int | bool] = {
        "rollout": AGENT,
        "type": kind,
        "attempt": attempt,
        "requestedBy": LEE,
        "reason": "It is a test",
    }
    return AgentRolloutAction.model_validate({"metadata": metadata, "spec": spec | fields})
