"""The entry of `kubectl agentrollout`, and of its completion.

Each command is imported when it is used, and the commands of `agentrollouts` with all that they need.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Final

import click
from click.exceptions import Abort, Exit, NoSuchCommand

from agentrollouts.api.model.text import writable
from agentrollouts.plugin.complete import proposals
from agentrollouts.plugin.context import kubeconfig
from agentrollouts.plugin.kubectl import KubectlError
from agentrollouts.plugin.options import EPILOG, Session, flags

LONGEST: Final = 32_768
"""Characters of a line of an error."""
FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
VERBS: Final = ("status", "list", "diff", "history", "check", "who-can", "dashboard", "version")
ACTIONS: Final = (
    "rollback",
    "approve",
    "promote",
    "hold",
    "resume",
    "retry",
    "acknowledge",
    "switch-off",
    "switch-on",
    "redo-hook",
    "waive-hook",
    "drill",
)
OWN: Final = (*VERBS, *ACTIONS)
PASSED: Final = (
    "deps",
    "derive",
    "evals",
    "export-record",
    "judge",
    "lint",
    "plan",
    "report",
    "roll-back-all",
    "simulate",
    "snapshot-name",
    "verify-record",
    "who-served",
)
"""The commands of `agentrollouts` that create no action. A test compares them with those of `cli`."""
BEFORE: Final = ("--context=", "--kubeconfig=")
"""Flags of kubectl that those commands can have too."""
EVERYTHING: Final = "roll-back-all"
"""Never proposed to someone who mistyped the command for one rollout."""
HIDDEN: Final = frozenset({"operator", "crds", "gates"})
"""Those that are for people who run or build the operator."""


class Plugin(click.Group):
    """The group of all commands, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our own first, then those of `agentrollouts`."""
        del ctx
        return [*OWN, *PASSED]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command and its arguments. click knows no command that is not imported yet."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            known = [each for each in self.list_commands(ctx) if each != EVERYTHING]
            raise NoSuchCommand(error.command_name, possibilities=known, ctx=ctx) from None

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, if there is one."""
        del ctx
        if cmd_name in VERBS:
            module = import_module(f"agentrollouts.plugin.commands.{cmd_name.replace('-', '_')}")
            found: click.Command = module.command
            return found
        if cmd_name in ACTIONS:
            act: click.Command = import_module("agentrollouts.plugin.commands.act").command(cmd_name)
            return act
        return _passed(cmd_name) if cmd_name in PASSED else None


def _passed(name: str) -> click.Command:
    """A command of `agentrollouts`, which reads its arguments itself."""

    @click.command(
        name,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        short_help=f"The same as `agentrollouts {name}`.",
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @click.pass_obj
    def passed(session: Session, arguments: tuple[str, ...]) -> None:
        if any(not each.startswith(BEFORE) for each in session.flags):
            raise click.UsageError(
                f"put the flags of `{name}` after it; only --context and --kubeconfig can be before it"
            )
        with kubeconfig(session.kubectl) if session.flags else nullcontext():
            raise Exit(import_module("agentrollouts.main").main([name, *arguments]))

    return passed


def plugin() -> Plugin:
    """All of it."""
    text = "Ship AI agents by canary, see what their rollouts do and why, and roll them back in seconds."
    settings = {"help_option_names": ["-h", "--help"]}
    return Plugin("kubectl agentrollout", help=text, params=flags(), epilog=EPILOG, context_settings=settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, by default those of the process."""
    session = Session()
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _stop)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = plugin().main(given, "kubectl agentrollout", standalone_mode=False, obj=session)
    except click.ClickException as error:
        error.show()
        return WRONG_USE
    except KubectlError as error:
        _fail(error, session)
        return FAILED
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # else the reader has enough
            what = error.filename or "the output cannot be written"
            sys.stderr.write(f"{what}: {error.strerror or error}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        sys.stderr.write("the screens need rich; install it with: pip install 'agentrollouts[cli]'\n")
        return FAILED
    return code if isinstance(code, int) else 0


def _stop(number: int, frame: object) -> None:
    """End as after an exception, so that no kubectl is left."""
    del frame
    raise SystemExit(128 + number)


def _fail(error: KubectlError, session: Session) -> None:
    """One sentence, with `--debug` all that is known."""
    rest = error.rest.splitlines() if session.is_debugging else []
    sys.stderr.write("".join(f"{writable(line, LONGEST)}\n" for line in (str(error), *rest)))


def complete(arguments: Sequence[str] | None = None) -> int:
    """Print what the last argument could become, for kubectl."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.stdout.write("".join(f"{each}\n" for each in proposals(plugin(), Session(), given)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
