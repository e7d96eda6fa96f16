"""The chart's admission policies on a real API server: rendered, waited for, and what they answer."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.stack import Stack
from tests.contract.chart.rendering import NAME, of_kind, rendered
from tests.contract.server import Answer

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
MUTATING: Final = "MutatingAdmissionPolicy"
SERVED: Final = f"--api-versions=admissionregistration.k8s.io/v1/{POLICY}"
STAMPED: Final = f"--api-versions=admissionregistration.k8s.io/v1/{MUTATING}"
"""What tells helm that the API server serves a kind of policy."""
OK, CREATED, FORBIDDEN, INVALID = 200, 201, 403, 422
PATIENCE: Final = 120.0
"""Seconds until the API server knows a new policy or role at the latest."""


def policies(values: Mapping[str, Any] | None = None, name: str = NAME) -> list[dict[str, Any]]:
    """The chart's objects where the API server serves policies."""
    return rendered(values or {}, SERVED, STAMPED, name=name)


def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait for what the API server learns by a watch of its own."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what


def remove(stack: Stack, objects: list[dict[str, Any]]) -> None:
    """Delete objects, the last one first."""
    listed = {"apiVersion": "v1", "kind": "List", "items": objects[::-1]}
    stack.kubectl("delete", "--filename=-", "--ignore-not-found", "--wait=false", stdin=json.dumps(listed))


def check(answer: Answer, why: str | None) -> None:
    """Allowed, or refused with these words."""
    if why is None:
        assert answer.code in {OK, CREATED}, answer.message
    else:
        assert (answer.code, why in answer.message) == (FORBIDDEN, True), answer.message


def type_errors(stack: Stack, objects: list[dict[str, Any]]) -> dict[str, object]:
    """What the API server finds in each policy when it checks it against the schemas of its kinds."""
    found = {}
    for name in (policy["metadata"]["name"] for policy in of_kind(objects, POLICY)):

        def is_checked(name: str = name) -> bool:
            return "observedGeneration" in stack.kubectl.get(POLICY, name).get("status", {})

        until(f"{name} is checked", is_checked)
        found[name] = stack.kubectl.get(POLICY, name)["status"].get("typeChecking")
    return found
