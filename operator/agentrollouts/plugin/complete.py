"""Completion, as kubectl 1.26 or newer runs it: `kubectl_complete-agentrollout ARGUMENTS`.

kubectl reads one proposal from each line, and from the last one how to treat them.
"""

from collections.abc import Sequence
from typing import Final

import click
from click.shell_completion import ShellComplete

from agentrollouts.plugin.kubectl import Kubectl, KubectlError

SECONDS: Final = 2.0
"""Longest time that a person waits for names from the cluster."""
NO_FILES: Final = ":4"
"""Tells kubectl that no file name is meant."""


def names(kubectl: Kubectl, plural: str, incomplete: str) -> list[str]:
    """Names of objects that begin so; none if the cluster does not answer in time."""
    kind, slash, start = incomplete.rpartition("/")
    try:
        started = kubectl.start("get", plural, "--output=name", f"--request-timeout={SECONDS:g}s")
        listed = started.text(SECONDS).split()
    except KubectlError:
        return []
    found = [each.rpartition("/")[2] for each in listed]
    return [f"{kind}{slash}{each}" for each in found if each.startswith(start)]


def proposals(group: click.Group, session: object, arguments: Sequence[str]) -> list[str]:
    """The lines that kubectl reads; the last argument is the one that is being typed."""
    *before, incomplete = arguments or [""]
    completion = ShellComplete(group, {"obj": session}, "kubectl agentrollout", "")
    items = completion.get_completions(list(before), incomplete)
    return [*(f"{item.value}\t{item.help}" if item.help else item.value for item in items), NO_FILES]
