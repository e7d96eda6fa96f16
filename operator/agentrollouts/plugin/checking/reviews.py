"""What the caller may do, in the words of the API server: all reviews by one kubectl."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agentrollouts.plugin.kubectl import Kubectl, KubectlError, Started

_PARTS: Final = ".spec.resourceAttributes"
_LINE: Final = f"{{.status.allowed}} {{{_PARTS}.verb}} {{{_PARTS}.name}}{{'\\n'}}"


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on an object of a namespace."""

    namespace: str
    verb: str
    resource: str
    name: str = ""
    group: str = ""
    subresource: str = ""

    def review(self) -> Mapping[str, object]:
        """The object that the API server answers."""
        attributes = {
            "group": self.group,
            "namespace": self.namespace,
            "verb": self.verb,
            "resource": self.resource,
            "subresource": self.subresource,
            "name": self.name,
        }
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }


def review(kubectl: Kubectl, rights: Iterable[Right]) -> Started:
    """Begin to review them."""
    items = [each.review() for each in rights]
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    return kubectl.start("create", "--filename=-", f"--output=jsonpath={_LINE}", stdin=stdin)


def reviewed(started: Started) -> dict[tuple[str, str], bool] | None:
    """Whether the caller has each right, by verb and name; None if the API server did not say."""
    try:
        lines = [line.split() for line in started.text().splitlines()]
    except KubectlError:
        return None
    return {(line[1], "".join(line[2:])): line[0] == "true" for line in lines if line}
