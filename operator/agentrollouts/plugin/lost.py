"""An object that is not where someone looks for it: what to add to the sentence of kubectl.

The namespace is missing, or a letter is wrong. At night no one sees that a name is almost right.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from agentrollouts.plugin.context import namespace_of, without_namespace
from agentrollouts.plugin.kubectl import Kubectl, KubectlError

SECONDS: Final = 2.0
"""Longest time that a person waits for a better sentence."""
MOST: Final = 3
"""Names that are proposed."""
LIKENESS: Final = 0.75
"""Of 1, how much of a proposed name has to be as it was written."""
_NAMES: Final = "--output=jsonpath={range .items[*]}{.metadata.namespace}{' '}{.metadata.name}{'\\n'}{end}"


def is_missing(error: KubectlError, name: str) -> bool:
    """Whether the API server says that there is no object of that name, or not even its namespace."""
    sentence = str(error)
    return "(NotFound)" in sentence and (f'"{name}" not found' in sentence or "namespaces " in sentence)


@contextmanager
def hinting(kubectl: Kubectl, name: str) -> Iterator[None]:
    """If a rollout is missing, the error names where it is, or what is called almost so."""
    try:
        yield
    except KubectlError as error:
        if is_missing(error, name) and (found := hint(kubectl, "agentrollouts", name)):
            raise KubectlError(f"{error}; {found}", error.rest) from None
        raise


def hint(kubectl: Kubectl, plural: str, name: str) -> str:
    """Where it is, or what is called almost so; empty if neither is known."""
    from difflib import get_close_matches  # noqa: PLC0415 rarely needed

    here = namespace_of(kubectl)
    places = _places(kubectl, plural, here)
    elsewhere = sorted(place for place, each in places if each == name)
    if elsewhere:
        return f"it is in namespace {' and in '.join(elsewhere[:MOST])}: add -n {elsewhere[0]}"
    for fitting in ([each for each in places if each[0] == here], places):
        close = get_close_matches(name, {each for _, each in fitting}, MOST, LIKENESS)
        if close:
            return f"did you mean {' or '.join(_named(each, fitting, here) for each in close)}?"
    return ""


def _named(name: str, places: list[tuple[str, str]], here: str) -> str:
    place = next(place for place, each in places if each == name)
    return name if place == here else f"{name} -n {place}"


def _places(kubectl: Kubectl, plural: str, here: str) -> list[tuple[str, str]]:
    """Namespace and name of each that the reader may list: of all namespaces, else of this one."""
    for scope in ("--all-namespaces", f"--namespace={here}"):
        started = without_namespace(kubectl).start(
            "get", plural, scope, _NAMES, f"--request-timeout={SECONDS:g}s"
        )
        try:
            lines = started.text(SECONDS).splitlines()
        except KubectlError:
            continue
        return [(place, name) for place, _, name in (line.partition(" ") for line in lines)]
    return []
