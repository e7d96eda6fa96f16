"""The commands that create an action: `rollback`, `approve`, `hold` and the like, one for each type.

None needs a confirmation. Each says what follows, requests it, and shows what happens, with its times.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import click

from agentrollouts.plugin.following import follow
from agentrollouts.plugin.kubectl import Kubectl, KubectlError, Manifest
from agentrollouts.plugin.loading import load
from agentrollouts.plugin.lost import hinting
from agentrollouts.plugin.options import DURATION, RELEASE, Decorated, Session, Verb, name_of, one_rollout

WAIT_SECONDS: Final = 60
_POSITIVE: Final = click.IntRange(min=1)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type of action is requested."""

    type: str
    summary: str
    own: tuple[Decorated, ...] = ()
    """Options that only this one has."""
    example: str = ""
    """What its second example adds to the first one."""


def _option(*names: str, **named: Any) -> Decorated:  # noqa: ANN401 those of click
    return click.option(*names, **named)


_PHASE: Final = _option("--phase", metavar="NAME", help="Phase. Defaults to the current one.")
_HOOK: Final = _option("--hook", metavar="NAME", required=True, help="Hook, as in `status.hooks`.")
VERBS: Final[Mapping[str, Kind]] = {
    "rollback": Kind(
        "RollBack",
        "Roll back the canary, or stable if no attempt is in progress.",
        (
            _option("--force", is_flag=True, help="Roll stable back even if no target has a ready endpoint."),
            _option("--release", type=RELEASE, help="Release to roll back. Defaults to the one in use."),
            _option("--to", "target", type=RELEASE, help="Release to roll stable back to."),
        ),
        " --to support-agent-4.0.0",
    ),
    "approve": Kind("Approve", "Approve a phase of the attempt.", (_PHASE,), " --phase canary-25"),
    "promote": Kind("Promote", "Treat the current phase as passed.", (_PHASE,), " --phase bake"),
    "hold": Kind("Hold", "Keep the weight of the canary and stop the clocks."),
    "resume": Kind("Resume", "End a hold that a person requested."),
    "retry": Kind(
        "Retry",
        "Take a release out of quarantine.",
        (click.argument("release", type=RELEASE, required=False),),
    ),
    "acknowledge": Kind(
        "Acknowledge",
        "Extend a hold that ends by itself.",
        (_option("--for", "for_seconds", type=DURATION, help="How long, such as 4h. Defaults to 4h."),),
        " --for 2h",
    ),
    "switch-off": Kind(
        "SwitchOff",
        "Send the traffic to the fallback instead of any release.",
        (
            _option(
                "--percent",
                type=click.IntRange(1, 100),
                help="Share of the traffic, in percent. Defaults to 100.",
            ),
        ),
        " --percent 50",
    ),
    "switch-on": Kind(
        "SwitchOn",
        "Give the traffic back to stable, or to another release.",
        (
            _option("--detour", metavar="ID", help="Detour to end. Defaults to the current one."),
            _option("--release", type=RELEASE, help="Release to ship instead. Defaults to stable."),
        ),
        " --release support-agent-4.2.1",
    ),
    "redo-hook": Kind("RedoHook", "Run a failed hook again.", (_HOOK,)),
    "waive-hook": Kind("WaiveHook", "Let nothing wait for a hook.", (_HOOK,)),
    "drill": Kind(
        "Drill",
        "Rehearse a rollback with a small share of the traffic.",
        (_option("--release", type=RELEASE, help="Release to drill. Defaults to the newest target."),),
        " --release support-agent-4.0.0",
    ),
}
"""Each verb, with the type of AgentRolloutAction that it creates."""
OF_NO_ATTEMPT: Final = frozenset({"SwitchOff", "SwitchOn"})


def command(verb: str) -> click.Command:
    """The command of a verb."""
    kind = VERBS[verb]

    def run(**options: Any) -> None:  # noqa: ANN401 those of this verb
        _run(verb, kind, options)

    needed = " --hook NAME" if _HOOK in kind.own else ""
    example = f"kubectl agentrollout {verb} support-agent{needed} --reason 'customers report wrong refunds'"
    text = f"{kind.summary}\n\n\b\nExamples:\n  {example}\n  {example}{kind.example or ' --no-wait'}"
    decorated: Callable[..., Any] = run
    for each in reversed((one_rollout, *kind.own, *_shared(kind))):
        decorated = each(decorated)
    return click.command(verb, cls=Verb, help=text, short_help=kind.summary)(decorated)


def _shared(kind: Kind) -> tuple[Decorated, ...]:
    attempt = _option("--attempt", type=_POSITIVE, help="Number of the attempt. Defaults to the current one.")
    return (
        *(() if kind.type in OF_NO_ATTEMPT else (attempt,)),
        _option("--reason", required=True, help="Why, in at least 8 characters. Everyone can read it."),
        _option("--name", "action", metavar="NAME", help="Name of the action, so that it is created once."),
        _option("--dry-run", is_flag=True, help="Print the action as YAML and create nothing."),
        _option("--no-wait", is_flag=True, help="Return once the action is created."),
        _option(
            "--timeout",
            type=DURATION,
            default=WAIT_SECONDS,
            help="How long to wait for the effect. Defaults to 60s.",
        ),
        _option("--output", "-o", type=click.Choice(["name", "json", "yaml"]), help="Print the action only."),
    )


def _run(verb: str, kind: Kind, options: dict[str, Any]) -> None:
    kubectl = click.get_current_context().ensure_object(Session).kubectl
    name = name_of(kubectl, options.pop("name"), options.pop("agent"))
    caller = kubectl.start("auth", "whoami", "--output=json")
    loaded = load("agentrollouts.plugin.actions", "agentrollouts.insight.view.view")
    try:
        with closing(follow(kubectl, name, seconds=options["timeout"])) as looks:
            with hinting(kubectl, name):
                rollout = next(looks).rollout
            loaded()
            _requested(kubectl, verb, kind, options, (rollout, looks, caller))
    finally:
        caller.end()


def _requested(
    kubectl: Kubectl, verb: str, kind: Kind, options: dict[str, Any], seen: tuple[Manifest, Any, Any]
) -> None:
    """Create the action, and show what comes of it."""
    from agentrollouts.core.action.request import OpenRequestError  # noqa: PLC0415 while kubectl runs
    from agentrollouts.plugin import actions  # noqa: PLC0415 while kubectl runs
    from agentrollouts.plugin.screens import printed  # noqa: PLC0415 the same

    rollout, looks, caller = seen
    try:
        manifest = actions.completed(_request(kind, options, rollout), rollout, actions.whoami(caller))
    except OpenRequestError as error:
        raise KubectlError(f"{rollout['metadata']['name']}: {error}") from None
    if options["dry_run"]:
        click.echo(printed.as_yaml(manifest), nl=False)
        return
    form = options["output"]
    began = time.monotonic()
    if not form:
        printed.line(actions.consequence(rollout, verb, manifest))
    created = actions.create(kubectl, manifest, options["timeout"])
    if form:
        click.echo(printed.object_as(created, form), nl=False)
    followed = actions.Followed(created, began, actions.weights_of(rollout.get("status") or {}))
    shown = _quiet if form else printed.step
    shown(followed.elapsed, f"requested as agentrolloutaction/{created['metadata']['name']}")
    if options["no_wait"]:
        return
    try:
        for step in followed.steps(looks, options["timeout"]):
            shown(step.seconds, step.sentence)
    except actions.RefusedError as error:
        raise KubectlError(str(error)) from None
    if not form and followed.has_rolled_back:
        printed.verifying(rollout, kubectl.flags)


def _quiet(seconds: float, sentence: str) -> None:
    del seconds, sentence


def _request(kind: Kind, options: Mapping[str, Any], rollout: Manifest) -> Any:  # noqa: ANN401 imported late
    """What the options request."""
    from agentrollouts.api.people.action import ActionType  # noqa: PLC0415 while kubectl runs
    from agentrollouts.api.people.person import REASON_AT_LEAST, TOO_SHORT  # noqa: PLC0415 the same
    from agentrollouts.core.action.request import Request  # noqa: PLC0415 the same

    if len(options["reason"].strip()) < REASON_AT_LEAST:
        raise click.UsageError(f"--reason: {TOO_SHORT}")
    own = ("attempt", "phase", "release", "target", "force", "for_seconds", "percent", "detour", "hook")
    return Request(
        type=ActionType(kind.type),
        rollout=rollout["metadata"]["name"],
        namespace=rollout["metadata"]["namespace"],
        reason=options["reason"],
        name=options["action"],
        **{each: options[each] for each in own if options.get(each) is not None},
    )
