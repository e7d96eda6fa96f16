"""The arguments of the commands that create an action, one command for each type of action."""

import argparse
from collections.abc import Mapping
from typing import Final

from agentrollouts.api.people.action import ACKNOWLEDGED_SECONDS, OF_NO_ATTEMPT, ActionType
from agentrollouts.api.people.person import REASON_AT_LEAST, REASON_AT_MOST, TOO_SHORT
from agentrollouts.cli.described import described

WAIT_SECONDS: Final = 10

SUMMARIES: Final[Mapping[ActionType, str]] = {
    ActionType.APPROVE: "approve a phase of the attempt",
    ActionType.PROMOTE: "treat the phase as passed, whatever its gates say",
    ActionType.HOLD: "keep the weight of the canary and stop the clocks",
    ActionType.RESUME: "end a hold that a person requested",
    ActionType.ROLL_BACK: "roll back the canary, or stable if no attempt is in progress",
    ActionType.RETRY: "take a release out of quarantine",
    ActionType.ACKNOWLEDGE: "extend a hold that ends by itself",
    ActionType.SWITCH_OFF: "send the traffic to the fallback instead of any release",
    ActionType.SWITCH_ON: "give the traffic back to stable, or to another release",
    ActionType.REDO_HOOK: "run a failed hook again",
    ActionType.WAIVE_HOOK: "let nothing wait for a hook",
    ActionType.DRILL: "rehearse a rollback with a small share of the traffic",
}
"""What each type of action is for."""
DETAILS: Final[Mapping[ActionType, str]] = {
    ActionType.APPROVE: "An approval can be given before the phase has passed. Each person counts once.",
    ActionType.PROMOTE: (
        "It overrides time, missing data, and gates that are inconclusive or hold the canary. It overrides\n"
        "neither a gate or cap that rolls back, nor a missing approval, nor a hold by a person."
    ),
    ActionType.HOLD: "Gates and caps are still evaluated. `agentrollouts resume` ends the hold.",
    ActionType.RESUME: "`spec.paused` and the other reasons for a hold are not affected.",
    ActionType.ROLL_BACK: (
        "A release that is rolled back is in quarantine until `agentrollouts retry` takes it out. A\n"
        "rollback waits for no approval, and it works without the admission policies."
    ),
    ActionType.RETRY: "A new attempt begins at the first phase if `spec.releaseRef` names the release.",
    ActionType.ACKNOWLEDGE: "The hold ends later than it would, and it still ends by itself.",
    ActionType.SWITCH_OFF: (
        "It works without metrics, a release or the admission policies. An attempt in progress is rolled\n"
        "back. Runs in flight are still answered. `agentrollouts switch-on` ends it."
    ),
    ActionType.SWITCH_ON: (
        "With --release, the release that was switched off is in quarantine, and that one, which\n"
        "`spec.releaseRef` must name, begins as the first release does."
    ),
    ActionType.REDO_HOOK: "It has the same input and the same key. It waits while another hook runs.",
    ActionType.WAIVE_HOOK: "The hook must have failed, or not have started.",
    ActionType.DRILL: (
        "The release that a rollback at rest would choose gets `spec.drill.weight` of the traffic for\n"
        "`spec.drill.durationSeconds` (without `spec.drill`: 1% for 120 s), and is rolled back. If it does\n"
        "harm or does not answer, it is not a rollback target until a drill of it passes."
    ),
}
"""What else to know."""
ANSWERS: Final = """\
This creates an AgentRolloutAction in your name, and prints the answer of the operator as one line. The exit
code is 0 if the answer is yes, 1 if the action was refused or not created, 2 if the command was used wrongly,
and 3 if there was no answer in time; the action remains then, and can still be answered."""


def add_actions(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare one command for each type of action."""
    for kind, summary in SUMMARIES.items():
        parser = described(
            commands,
            command_of(kind),
            summary,
            f"{summary[0].upper()}{summary[1:]}. {DETAILS[kind]}\n\n{ANSWERS}",
        )
        parser.set_defaults(type=kind)
        _add_subject(parser, kind)
        _add_way(parser)


def command_of(kind: ActionType) -> str:
    """The command that creates this type of action, as `roll-back`."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind)[1:]


def _add_subject(parser: argparse.ArgumentParser, kind: ActionType) -> None:
    """Declare what the action is about, and why."""
    parser.add_argument("rollout", metavar="NAME", help="name of the AgentRollout")
    parser.add_argument(
        "--namespace", metavar="NAME", help="its namespace (default: that of the current context)"
    )
    default = "the newest in quarantine of the release" if kind is ActionType.RETRY else "the current one"
    if kind not in OF_NO_ATTEMPT:
        parser.add_argument(
            "--attempt", type=_number, metavar="N", help=f"number of the attempt (default: {default})"
        )
    _add_own(parser, kind)
    parser.add_argument(
        "--reason",
        type=_reason,
        required=True,
        metavar="TEXT",
        help="why, in at least 8 characters; it is shown to everyone who can read the rollout",
    )


RELEASES: Final[Mapping[ActionType, str]] = {
    ActionType.ROLL_BACK: "roll back (default: the canary, or stable if no attempt is in progress)",
    ActionType.RETRY: "retry (default: the only one in quarantine)",
    ActionType.SWITCH_ON: "ship instead (default: give the traffic back to stable)",
    ActionType.DRILL: "drill (default: the newest healthy one before stable)",
}
"""What the option `--release` names, and its default."""


def _add_own(parser: argparse.ArgumentParser, kind: ActionType) -> None:
    """Declare what only some types of action have."""
    if kind in RELEASES:
        parser.add_argument("--release", metavar="NAME", help=f"release to {RELEASES[kind]}")
    if kind in {ActionType.APPROVE, ActionType.PROMOTE}:
        parser.add_argument(
            "--phase", metavar="NAME", help="phase (default: the current one; bake after the last one)"
        )
    if kind is ActionType.ROLL_BACK:
        parser.add_argument(
            "--target",
            metavar="NAME",
            help="release to roll stable back to (default: the newest healthy one with a ready endpoint)",
        )
        parser.add_argument(
            "--force", action="store_true", help="roll stable back even if no target has a ready endpoint"
        )
    if kind is ActionType.SWITCH_OFF:
        parser.add_argument(
            "--percent", type=_number, metavar="N", help="share to send elsewhere, 1 to 100 (default: 100)"
        )
    if kind is ActionType.SWITCH_ON:
        parser.add_argument("--detour", metavar="ID", help="detour to end (default: the current one)")
    if kind in {ActionType.REDO_HOOK, ActionType.WAIVE_HOOK}:
        parser.add_argument("--hook", metavar="NAME", required=True, help="hook, as in `status.hooks`")
    if kind is ActionType.ACKNOWLEDGE:
        parser.add_argument(
            "--for",
            type=_number,
            dest="for_seconds",
            metavar="SECONDS",
            help=f"how long the hold lasts from now, 60 to 86400 (default: {ACKNOWLEDGED_SECONDS})",
        )


def _add_way(parser: argparse.ArgumentParser) -> None:
    """Declare how the action is created."""
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="name of the action, so that it is created only once (default: a generated one)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the action as YAML and create nothing")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for the answer (default: {WAIT_SECONDS}; 0: do not wait)",
    )


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number, at least 1")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a number of seconds")
    return int(text)


def _reason(text: str) -> str:
    if len(text.strip()) < REASON_AT_LEAST:
        raise argparse.ArgumentTypeError(TOO_SHORT)
    if len(text) > REASON_AT_MOST:
        raise argparse.ArgumentTypeError(f"must be at most {REASON_AT_MOST} characters")
    return text
