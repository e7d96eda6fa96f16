"""What kubectl knows without a cluster: the namespace of a context, and where its cluster is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from agentrollouts.plugin.kubectl import Kubectl, KubectlError

_FLAG: Final = "--namespace="
DEFAULT: Final = "default"


def namespace_of(kubectl: Kubectl) -> str:
    """The namespace of the flags, or else of the context."""
    given = [each.removeprefix(_FLAG) for each in kubectl.flags if each.startswith(_FLAG)]
    if given:
        return given[-1]
    try:
        found = kubectl.text(
            "config", "view", "--minify", "--output=jsonpath={.contexts[0].context.namespace}"
        )
    except KubectlError:  # no context, as in a pod
        return DEFAULT
    return found.strip() or DEFAULT


def without_namespace(kubectl: Kubectl) -> Kubectl:
    """The same kubectl for objects of another namespace: its last flag `--namespace` has precedence."""
    return Kubectl(tuple(each for each in kubectl.flags if not each.startswith(_FLAG)))


@contextmanager
def kubeconfig(kubectl: Kubectl) -> Iterator[None]:
    """A file with the context of the flags alone, for a command that reads a kubeconfig itself.

    Only its owner can read it, and it is gone afterward.
    """
    from tempfile import NamedTemporaryFile  # noqa: PLC0415 rarely needed

    text = kubectl.text("config", "view", "--minify", "--flatten", "--raw")
    with NamedTemporaryFile("w", prefix="agentrollouts-", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.environ["KUBECONFIG"] = file.name
        yield
