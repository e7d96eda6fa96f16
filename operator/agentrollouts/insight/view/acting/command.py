"""The command of each action, and how an action is written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from shlex import join
from typing import Final

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.insight.view.shape import GIT, NOTHING, Action, Names, View

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
PROGRAM: Final = "kubectl agentrollout"
NOT_REPEATED: Final = ("--namespace=", "--token=", "--password=", "--request-timeout=", "--cache-dir=")
"""Flags of kubectl that a command does not need again, or that must not be shown."""


def action(
    rollout: AgentRollout, kind: ActionType, label: str, consequence: str, names: Names = NOTHING
) -> Action:
    """An action that a command creates.

    Args:
        rollout: What it is about.
        kind: What is requested.
        label: What a button says.
        consequence: What follows.
        names: What the status does not say.
    """
    verb = VERBS[kind]
    options = _options(names, is_retry=kind is ActionType.RETRY)
    command = f"{_begin(verb, rollout.metadata.name, options)}{_where(rollout)} --reason '...'"
    return Action(verb=verb, label=label, consequence=consequence, command=command, type=kind, names=names)


def look(rollout: AgentRollout, verb: str, name: str, consequence: str) -> Action:
    """A command that only shows something."""
    label = f"{verb[0].upper()}{verb[1:]} of {name}"
    command = f"{_begin(verb, name, '')}{_where(rollout)}"
    return Action(verb=verb, label=label, consequence=consequence, command=command)


def in_git(label: str, consequence: str, change: str) -> Action:
    """A change of the object in Git, or by hand."""
    return Action(verb=GIT, label=label, consequence=consequence, command=change)


def addressed(seen: View, flags: Sequence[str]) -> View:
    """The view with commands for the cluster and the user that it was read with.

    Args:
        seen: What was seen.
        flags: Flags of kubectl, such as `--context=prod`.
    """
    actions = tuple(replace(each, command=repeating(each.command, flags)) for each in seen.actions)
    around = tuple(replace(each, sentence=repeating(each.sentence, flags)) for each in seen.around)
    return replace(seen, actions=actions, around=around)


def repeating(command: str, flags: Sequence[str]) -> str:
    """The command with these flags: copied without them, it could reach another cluster."""
    kept = [each for each in flags if not each.startswith(NOT_REPEATED)]
    return command.replace(PROGRAM, f"{PROGRAM} {join(kept)}", 1) if kept else command


def _options(names: Names, *, is_retry: bool) -> str:
    """As they are written after the name of the rollout; only what is retried needs no option."""
    release = names.release if is_retry else f"--release {names.release}"
    given = (
        release if names.release else None,
        f"--phase {names.phase}" if names.phase else None,
        f"--hook {names.hook}" if names.hook else None,
        f"--attempt {names.attempt}" if names.attempt else None,
    )
    return " ".join(each for each in given if each)


def _begin(verb: str, name: str, options: str) -> str:
    return f"{PROGRAM} {verb} {name}" + (f" {options}" if options else "")


def _where(rollout: AgentRollout) -> str:
    namespace = rollout.metadata.namespace
    return f" -n {namespace}" if namespace else ""
