"""The audit log of the API server: which pod of the operator asked for what, and when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

POD: Final = "authentication.kubernetes.io/pod-name"
"""Which pod the token was made for: the API server reads it from the token itself."""
_ACCOUNT: Final = "system:serviceaccount:agentrollouts:agentrollouts"
_WRITES: Final = frozenset({"create", "update", "patch", "delete"})
_DECISION: Final = "authorization.k8s.io/decision"
_REFUSED: Final = 400
_CREATED: Final = 201
"""The answer to a server-side apply of what did not exist, which takes the right to create it."""
_STAGES: Final = {"ResponseStarted", "ResponseComplete"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the operator's account."""

    time: str
    """When it was received; sorts as text."""
    pod: str
    verb: str
    resource: str
    """With the group and a subresource: `agentrollouts.dev/agentrollouts/status`."""
    code: int
    is_allowed: bool
    """Whether its roles grant it; another 403 is the answer of a namespace that is being deleted."""

    @property
    def is_write(self) -> bool:
        """Whether it changed something."""
        return self.verb in _WRITES and self.code < _REFUSED

    @property
    def is_of_the_lease(self) -> bool:
        """Whether it is about the Lease itself, which a replica writes to become the leader."""
        return self.resource == "coordination.k8s.io/leases"


def requests(log: Path) -> list[Request]:
    """All requests of the operator's account, in the order in which they were received."""
    return sorted(_requests(log), key=lambda request: request.time)


def strangers(received: list[Request]) -> list[Request]:
    """The writes that were not made by the pod that had written the Lease last."""
    holder, wrong = "", []
    for request in filter(lambda request: request.is_write, received):
        if request.is_of_the_lease:
            holder = request.pod
        elif request.pod != holder:
            wrong.append(request)
    return wrong


def forbidden(received: list[Request]) -> list[Request]:
    """The requests that its rights did not allow."""
    return [request for request in received if not request.is_allowed]


def unused(received: list[Request], roles: list[dict[str, Any]]) -> set[str]:
    """The granted rights, as `verb resource`, that no request needed."""
    granted = {
        f"{verb} {f'{group}/' if group else ''}{resource}"
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    used = {f"{request.verb} {request.resource}" for request in received}
    return granted - used - {f"create {request.resource}" for request in received if request.code == _CREATED}


def _requests(log: Path) -> Iterator[Request]:
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["user"]["username"] != _ACCOUNT or event["stage"] not in _STAGES:
            continue
        about = event.get("objectRef")
        if about is None:  # discovery
            continue
        names = (about.get("apiGroup"), about.get("resource"), about.get("subresource"))
        yield Request(
            event["requestReceivedTimestamp"],
            event["user"].get("extra", {}).get(POD, [""])[0],
            event["verb"],
            "/".join(filter(None, names)),
            event["responseStatus"]["code"],
            event["annotations"][_DECISION] == "allow",
        )
