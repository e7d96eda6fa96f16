"""The stages of an attempt, which decide which gates can be evaluated at all.

Beside stable every gate is evaluated. At 100% there is no control group, so only limits and counts apply; a
first release has nothing else from its beginning.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.gates import During
from agentrollouts.api.rollout import AgentRolloutSpec, Approval
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.selector import Refusal
from agentrollouts.core.judge.limits import speaks_alone
from agentrollouts.core.states import JUDGED, base_state

FULL: Final = 100


def check(spec: AgentRolloutSpec, gates: Sequence[ResolvedGate]) -> Iterator[Refusal]:
    """Whether some gate judges the canary, where no person has to.

    A gate that is evaluated only after a rollback never judges a canary, and one that is evaluated only at
    100% judges it when it already has all traffic. A plan whose only weight is 100 has no other stage.
    """
    needed = During.CANARY if spec.phases[0].weight < FULL else During.FULL
    is_approved = any(phase.approval is Approval.REQUIRED for phase in spec.phases)
    if is_approved or not gates or any(needed in gate.during for gate in gates):
        return
    names = ", ".join(gate.name for gate in gates)
    yield Refusal(
        "spec.gates",
        f"no gate judges the canary: {names} {'is' if len(gates) == 1 else 'are'} not evaluated during "
        f"{needed}; "
        f"add {needed} to `during`, add a gate, or set `approval: Required` on a phase",
    )


def stage_of(spec: AgentRolloutSpec, status: AgentRolloutStatus) -> During | None:
    """The stage of the attempt; None if nothing is judged, as in a bake of no seconds at 100%."""
    attempt = status.attempt
    if attempt is None or status.canary is None or attempt.state not in JUDGED:
        return None
    if 0 < attempt.weight < FULL and status.stable is not None:
        return During.CANARY
    base = base_state(attempt)
    is_watched = base is not State.BAKING or spec.bake.duration_seconds > 0
    return During.FULL if attempt.weight == FULL and base is not State.INITIAL and is_watched else None


def gates_at(
    spec: AgentRolloutSpec, status: AgentRolloutStatus, gates: Iterable[ResolvedGate]
) -> tuple[ResolvedGate, ...]:
    """The gates that are evaluated now."""
    stage = stage_of(spec, status)
    due = tuple(gate for gate in gates if stage in gate.during)
    if stage is During.FULL and status.stable is None:
        return tuple(gate for gate in due if speaks_alone(gate, None))
    return due
