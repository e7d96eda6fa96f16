"""The command that creates an action, to be copied from a message as it is."""

from agentrollouts.api.rollout import AgentRollout


def create_action(rollout: AgentRollout, action: str, attempt: int, **options: str) -> str:
    """The command; the reader adds the reason.

    Args:
        rollout: The rollout that it is about.
        action: The command of that type of action.
        attempt: The attempt that it is about.
        **options: Its further options.
    """
    where = f"{rollout.metadata.name} --namespace={rollout.metadata.namespace} --attempt={attempt}"
    further = "".join(f" --{name}={text}" for name, text in options.items())
    return f"agentrollouts {action} {where}{further} --reason=..."
