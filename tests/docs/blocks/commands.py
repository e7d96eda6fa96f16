"""Whether a command of a page can be used as it is written, asked of the program that would run it.

Nothing runs: our commands are parsed, and kubectl and helm read all flags before they print their help.
"""

import contextlib
import functools
import importlib.util
import io
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from agentrollouts.cli.arguments import parser
from agentrollouts.kubectl_agentrollout import PASSED, plugin
from agentrollouts.plugin.options import Session
from sandbox.parts import parts
from tests.docs.blocks.found import ROOT
from tests.docs.blocks.paths import wrong_paths
from tests.docs.blocks.shell import Words, words_of

OTHERS: Final = frozenset(
    {
        "awk",
        "cd",
        "cosign",
        "curl",
        "cut",
        "echo",
        "grep",
        "head",
        "jq",
        "openssl",
        "sha256sum",
        "sort",
        "uniq",
    }
)
"""Programs of others, of which only the name is looked at. helm is in `tests/contract/docs`."""


def wrong_commands(script: str) -> Iterator[str]:
    """What is wrong with the commands of a script."""
    for words in words_of(script):
        yield from wrong(words)


def wrong(words: Words) -> Iterator[str]:
    """What is wrong with a command."""
    if words[:2] == ("kubectl", "agentrollout"):
        yield from _of_plugin(words[2:])
    elif words[0] in _PROGRAMS:
        yield from _PROGRAMS[words[0]](words[1:])
    elif words[0] not in OTHERS:
        yield f"{words[0]}: no test knows this program"


def _of_agentrollouts(arguments: Words) -> Iterator[str]:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            parser().parse_args(arguments)
    except SystemExit:
        yield printed.getvalue()


def _of_plugin(arguments: Words) -> Iterator[str]:
    """A placeholder such as `NAME` stands for a name."""
    arguments = tuple(_filled(word) for word in arguments)
    group, session = plugin(), Session()
    try:
        with group.make_context("kubectl agentrollout", list(arguments), obj=session) as context:
            rest = [*context._protected_args, *context.args]  # noqa: SLF001 as `Group.invoke` does
            name, command, rest = group.resolve_command(context, rest)
            if command is None or name in PASSED:
                yield from _of_agentrollouts((str(name), *rest))
            else:
                command.make_context(name, rest, parent=context)
    except click.ClickException as error:
        yield error.format_message()


def _filled(word: str) -> str:
    return "/healthz" if word == "PATH" else word.lower() if re.fullmatch("[A-Z]+", word) else word


def _of_python(arguments: Words) -> Iterator[str]:
    """Modules of ours; each reads its own arguments."""
    _, module, *_rest = arguments
    if importlib.util.find_spec(module) is None:
        yield f"there is no module {module}"


def _of_kubectl(arguments: Words) -> Iterator[str]:
    yield from wrong_flags(parts.kubectl(), arguments)
    yield from wrong_paths(arguments)


@functools.cache
def wrong_flags(program: Path, arguments: Words) -> tuple[str, ...]:
    """What a program says about flags and subcommands; it reads the flags before it prints its help."""
    command = [str(program), *arguments, "--help"]
    done = subprocess.run(  # noqa: S603 ours
        command, capture_output=True, text=True, check=False, env={"KUBECONFIG": "/dev/null", "HOME": "/"}
    )
    if done.returncode:
        return (done.stderr.strip(),)
    listed = re.search(r"^Available Commands:\n((?:  .*\n|\n)+)", done.stdout, re.MULTILINE)
    path = re.search(r"^Usage:\n  [\w-]+ (\w[\w-]*)", done.stdout, re.MULTILINE)
    if listed and path and path[1] in arguments[:-1]:
        following = arguments[arguments.index(path[1]) + 1]
        if not following.startswith("-") and following not in re.findall(
            r"^  (\S+)", listed[1], re.MULTILINE
        ):
            return (f"{path[1]} has no command {following}",)
    return ()


def _of_make(arguments: Words) -> Iterator[str]:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in (each for each in arguments if "=" not in each):
        if target not in targets:
            yield f"make help lists no {target}"


def _of_pip(arguments: Words) -> Iterator[str]:
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    subcommand, package = arguments
    name, _, extra = package.rstrip("]").partition("[")
    if (subcommand, name) != ("install", "agentrollouts") or (extra and extra not in extras):
        yield f"{package} cannot be installed"


_PROGRAMS: Final[Mapping[str, Callable[[Words], Iterator[str]]]] = {
    "agentrollouts": _of_agentrollouts,
    "kubectl": _of_kubectl,
    "helm": lambda _: iter(()),
    "make": _of_make,
    "python": _of_python,
    "pip": _of_pip,
    "pipx": _of_pip,
}
