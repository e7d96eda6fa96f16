"""Gates as users write them, resolved and read, and the two releases that tests of the judge compare.

Nothing here needs a rollout around it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Present, Unreadable
from agentrollouts.core.gates.resolve import Resolution, resolve_all
from agentrollouts.core.metrics.births import NOTHING_KNOWN, Explains
from agentrollouts.core.metrics.queries import QueryPlan, Subject
from agentrollouts.core.metrics.reader import NOTHING_YET, read_table, tabulate
from agentrollouts.core.metrics.table import QueryResult

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
    resolved = resolution(fields)
    assert resolved.refusals == ()
    return resolved.gates[0]


def read_all(
    plan: QueryPlan,
    result: QueryResult | Unreadable | None,
    gates: Iterable[ResolvedGate],
    *,
    now: datetime,
    stale_after_seconds: float,
    explains: Explains = NOTHING_KNOWN,
) -> dict[str, Present]:
    """Read a result for every gate, by name; None stands for the time before the first result."""
    table, stale = NOTHING_YET if result is None else tabulate(plan, result), stale_after_seconds
    return read_table(table, gates, now=now, stale_after_seconds=stale, explains=explains)
