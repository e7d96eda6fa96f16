"""Whether the API server proves who requests an action. Without it, the operator lets no canary have more.

The policy comes with the chart. The API server hears of it by a watch of its own, up to a second later.
"""

import json
import time
from typing import Final

from sandbox.errors import CommandError
from sandbox.programs.kubectl import Kubectl

PROOF: Final = "must be the caller"
"""What the policy says of an action in the name of someone else."""
_POLL_SECONDS: Final = 0.05


def is_proved(kubectl: Kubectl, namespace: str) -> bool:
    """Whether an action in the name of someone else is refused for that reason; none is stored.

    Args:
        kubectl: of whoever may create actions.
        namespace: the policy may be for some namespaces only.

    Raises:
        CommandError: it is refused for another reason.
    """
    spec = {"rollout": "any", "type": "Hold", "attempt": 1, "reason": "a probe of the sandbox"}
    probe = {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRolloutAction",
        "metadata": {"name": "identity-probe", "namespace": namespace},
        "spec": {**spec, "requestedBy": "no-one"},
    }
    try:
        kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(probe))
    except CommandError as error:
        if PROOF not in str(error):
            raise
        return True
    return False


def wait_until_proved(kubectl: Kubectl, namespace: str, seconds: float) -> None:
    """Wait until the policy is in force.

    Raises:
        CommandError: it is not after so many seconds, or the probe is refused for another reason.
    """
    deadline = time.monotonic() + seconds
    while not is_proved(kubectl, namespace):
        if time.monotonic() > deadline:
            raise CommandError(f"the API server still accepts actions in any name after {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
