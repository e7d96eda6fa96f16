"""A right that the operator lacks in a namespace, and the command that grants it."""

import re
from typing import Final

from agentrollouts.core.effects import Problem

_DENIED: Final = re.compile(r'User "(?:system:serviceaccount:([^:"]+):([^"]+)|[^"]*)" cannot')
"""How the API server says who lacks a right (Kubernetes 1.36)."""


def with_command(problem: Problem, namespace: str, role: str) -> Problem:
    """The problem, with the command where a right is missing in the namespace.

    Args:
        problem: What the API server said.
        namespace: The namespace.
        role: Role of the chart that has the right, without the name of the operator.
    """
    denied = _DENIED.search(problem.message)
    if denied is None:
        return problem
    home, account = denied[1] or "agentrollouts", denied[2] or "agentrollouts"
    command = (
        f"kubectl create rolebinding agentrollouts-{role} --namespace={namespace} "
        f"--clusterrole={account}-{role} --serviceaccount={home}:{account}"
    )
    return Problem(problem.reason, f"{problem.message}; to permit it: {command}")
