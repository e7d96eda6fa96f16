"""The Job that `helm uninstall` runs first, run here as a process: there is no node for its pod."""

from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.errors import CommandError
from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from tests.contract.chart.rendering import helm
from tests.e2e.witness import eventually

NAME: Final = "agentrollouts-uninstall"
RIGHTS: Final = frozenset({"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


def hooks(stack: Stack, operator: OperatorProcess) -> list[dict[str, Any]]:
    """The objects that Helm keeps for the uninstall of the chart as it is installed."""
    where = (operator.name, f"--namespace={operator.namespace}")
    done = helm("get", "hooks", *where, kubeconfig=stack.kubeconfig)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def account(stack: Stack, operator: OperatorProcess) -> Path:
    """Create the account of the Job and its rights, as Helm does before it; the kubeconfig of the account."""
    stack.apply([manifest for manifest in hooks(stack, operator) if manifest["kind"] in RIGHTS])
    user = f"--as=system:serviceaccount:{operator.namespace}:{NAME}"

    def may_request() -> bool:
        kind = "agentrolloutactions.agentrollouts.dev"
        try:
            stack.kubectl("auth", "can-i", "create", kind, "--all-namespaces", user)
        except CommandError:  # kubectl says no by its exit code
            return False
        return True

    eventually("the account has its rights", may_request)
    return stack.account_kubeconfig(operator.namespace, NAME)


def arguments(stack: Stack, operator: OperatorProcess) -> list[str]:
    """The arguments of the Job's container."""
    (job,) = (manifest for manifest in hooks(stack, operator) if manifest["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["agentrollouts"]
    return list(container["args"])
