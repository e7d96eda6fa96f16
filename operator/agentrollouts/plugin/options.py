"""What the commands share: kubectl's flags, the name of a rollout, durations, and the form of the output."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from agentrollouts.plugin import complete
from agentrollouts.plugin.kubectl import Kubectl, KubectlError

GLOBALS: Final = (
    "as",
    "as-group",
    "as-uid",
    "as-user-extra",
    "cache-dir",
    "certificate-authority",
    "client-certificate",
    "client-key",
    "cluster",
    "context",
    "kubeconfig",
    "kuberc",
    "password",
    "proxy-url",
    "request-timeout",
    "tls-server-name",
    "token",
    "user",
    "username",
)
"""Flags of kubectl that pass through. They say which cluster, and as whom."""
SWITCHES: Final = ("insecure-skip-tls-verify", "disable-compression")
"""Those without a value."""
EPILOG: Final = (
    "The flags of kubectl that name a cluster or a user pass through: --context, --kubeconfig, --as, "
    "--as-group, --token, --server, --cluster, --user, --request-timeout and the like."
)
Decorated = Callable[..., Any]
_KINDS: Final = frozenset({"aro", "agentrollout", "agentrollouts", "agentrollouts.agentrollouts.dev"})
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d{1,8})([smhd]?)")


@dataclass(slots=True)
class Session:
    """What was said about kubectl and about errors, before and after the command."""

    flags: list[str] = field(default_factory=list)
    is_debugging: bool = False

    @property
    def kubectl(self) -> Kubectl:
        """Kubectl with these flags."""
        return Kubectl(tuple(self.flags))


class Verb(click.Command):
    """A command that uses kubectl, with its flags."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 those of click
        named.setdefault("epilog", EPILOG)
        named["context_settings"] = {"help_option_names": ["-h", "--help"]}
        super().__init__(*arguments, **named)
        self.params += flags()


def flags() -> list[click.Parameter]:
    """Options that are collected into the session and given to each kubectl."""
    hidden = [_flag(f"--{name}", hidden=True) for name in GLOBALS]
    return [
        _flag("--namespace", "-n", metavar="NAME", help="Namespace. Defaults to that of the context."),
        *hidden,
        _flag("--server", "-s", hidden=True),
        *(_flag(f"--{name}", hidden=True, is_flag=True) for name in SWITCHES),
        click.Option(
            ["--debug"], is_flag=True, expose_value=False, callback=_debug, help="Print all of an error."
        ),
    ]


def _flag(*names: str, **named: Any) -> click.Option:  # noqa: ANN401 those of click
    is_many = not named.get("is_flag")
    return click.Option(names, expose_value=False, callback=_collect, multiple=is_many, **named)


def _collect(context: click.Context, option: click.Parameter, value: object) -> None:
    session = context.find_object(Session)
    if session and value is True:
        session.flags.append(option.opts[0])
    if session and isinstance(value, tuple):
        session.flags += [f"{option.opts[0]}={each}" for each in value]


def _debug(context: click.Context, option: click.Parameter, value: object) -> None:
    del option
    session = context.find_object(Session)
    if session and value:
        session.is_debugging = True


class Name(click.ParamType[str]):
    """The name of an object, perhaps with the kind before it.

    Args:
        kinds: Words that the kind can have.
        plural: What is listed for completion.
    """

    name = "name"

    def __init__(self, plural: str, kinds: frozenset[str]) -> None:
        self._plural, self._kinds = plural, kinds

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name alone."""
        kind, slash, name = value.rpartition("/")
        if slash and kind not in self._kinds:
            self.fail(f"{value}: is not an object of the kind {self._plural}", param, ctx)
        if not _NAME.fullmatch(name):
            self.fail(f"{value}: is not a valid name", param, ctx)
        return name

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that the cluster has."""
        del param
        session = ctx.find_object(Session) or Session()
        return [CompletionItem(each) for each in complete.names(session.kubectl, self._plural, incomplete)]


ROLLOUT: Final = Name("agentrollouts", _KINDS)
RELEASE: Final = Name("agentreleases", frozenset({"arel", "agentrelease", "agentreleases"}))


class Duration(click.ParamType[int]):
    """A number of seconds, as `90`, `30s`, `15m`, `4h` or `2d`."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(value)
        if match is None:
            self.fail(f"{value}: is not a duration; write 30s, 15m, 4h or 2d", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


DURATION: Final = Duration()


def one_rollout(function: Decorated) -> Decorated:
    """Take a rollout by name, or by the agent that it releases."""
    function = click.option("--agent", metavar="AGENT", help="Agent, instead of the name of its rollout.")(
        function
    )
    return click.argument("name", type=ROLLOUT, required=False)(function)


def output(*choices: str) -> Callable[[Decorated], Decorated]:
    """Take the form of the output."""
    return click.option(
        "--output", "-o", type=click.Choice(choices), help="Form of the output. Defaults to text."
    )


def name_of(kubectl: Kubectl, name: str | None, agent: str | None) -> str:
    """The name of the rollout that the arguments mean.

    Raises:
        click.UsageError: they mean none, or two.
        KubectlError: no rollout releases the agent.
    """
    if bool(name) == bool(agent):
        raise click.UsageError("name the rollout, or its agent with --agent")
    if name:
        return name
    listed = kubectl.json("get", "agentrollouts")["items"]
    found = [each["metadata"]["name"] for each in listed if each["spec"].get("agent") == agent]
    if len(found) != 1:
        many = f"; there are {', '.join(sorted(found))}" if found else ""
        raise KubectlError(f"no single rollout in this namespace releases agent {agent}{many}")
    return str(found[0])
