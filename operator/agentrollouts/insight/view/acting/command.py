"""The command of each action, and how an action is written."""

from collections.abc import Mapping
from typing import Final

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.insight.view.shape import Action

VERBS: Final[Mapping[ActionType, str]] = {
    ActionType.ROLL_BACK: "rollback",
    ActionType.APPROVE: "approve",
    ActionType.PROMOTE: "promote",
    ActionType.HOLD: "hold",
    ActionType.RESUME: "resume",
    ActionType.RETRY: "retry",
    ActionType.ACKNOWLEDGE: "acknowledge",
    ActionType.SWITCH_OFF: "switch-off",
    ActionType.SWITCH_ON: "switch-on",
    ActionType.REDO_HOOK: "redo-hook",
    ActionType.WAIVE_HOOK: "waive-hook",
    ActionType.DRILL: "drill",
}
"""The verb of `kubectl agentrollout` for each type of action."""


def action(
    rollout: AgentRollout, kind: ActionType, label: str, consequence: str, *, options: str = ""
) -> Action:
    """An action that a command creates.

    Args:
        rollout: What it is about.
        kind: What is requested.
        label: What a button says.
        consequence: What follows.
        options: What the command needs beside the rollout, as it is written.
    """
    verb = VERBS[kind]
    command = f"{_begin(verb, rollout.metadata.name, options)}{_where(rollout)} --reason '...'"
    return Action(verb=verb, label=label, consequence=consequence, command=command, type=kind)


def look(rollout: AgentRollout, verb: str, name: str, consequence: str) -> Action:
    """A command that only shows something."""
    label = f"{verb[0].upper()}{verb[1:]} of {name}"
    command = f"{_begin(verb, name, '')}{_where(rollout)}"
    return Action(verb=verb, label=label, consequence=consequence, command=command)


def in_git(label: str, consequence: str, change: str) -> Action:
    """A change of the object in Git, or by hand."""
    return Action(verb="git", label=label, consequence=consequence, command=change)


def _begin(verb: str, name: str, options: str) -> str:
    return f"kubectl agentrollout {verb} {name}" + (f" {options}" if options else "")


def _where(rollout: AgentRollout) -> str:
    namespace = rollout.metadata.namespace
    return f" -n {namespace}" if namespace else ""
