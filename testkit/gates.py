"""Gates as users write them, resolved, and the two releases that tests of the judge compare.

Beside `builders`, which makes whole objects: what stands here needs no rollout around it.
"""

from typing import Any, Final

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import Resolution, resolve_all
from agentrollouts.core.metrics.queries import Subject

CANARY, STABLE = "support-4.2.0", "support-4.1.0"
SHOP: Final = Subject("shop", "support", CANARY, STABLE)


def resolution(*gates: dict[str, Any], **spec: Any) -> Resolution:  # noqa: ANN401 fields of a spec
    """What these gates resolve to; each is named g unless it says otherwise."""
    named = [{"name": "g", **gate} for gate in gates]
    return resolve_all(
        AgentRolloutSpec.model_validate({"agent": "a", "releaseRef": {"name": "r"}, "gates": named, **spec})
    )


def a_gate(**fields: Any) -> ResolvedGate:  # noqa: ANN401 fields of a gate
    """The one gate that these fields resolve to."""
    found = resolution(fields)
    assert found.refusals == ()
    return found.gates[0]
