"""Actions as people create them: `an_action(ActionType.ROLL_BACK, 2, release=NEW)`."""

from agentrollouts.api.action import ActionType, AgentRolloutAction
from testkit.builders.names import AGENT, NAMESPACE, START

LEE = "lee@example.com"
"""Who requests something, if a test does not say it."""


def an_action(kind: ActionType, attempt: int, **fields: str | int | bool) -> AgentRolloutAction:
    """An action of LEE that nobody has answered yet; the same request has the same name."""
    name = "-".join(["act", kind.lower(), str(attempt), *map(str, fields.values())])
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-of-{name}",
        "generation": 1,
        "creationTimestamp": START.isoformat(),
    }
    spec: dict[str, str | int | bool] = {
        "rollout": AGENT,
        "type": kind,
        "attempt": attempt,
        "requestedBy": LEE,
        "reason": "It is a test",
    }
    return AgentRolloutAction.model_validate({"metadata": metadata, "spec": spec | fields})
