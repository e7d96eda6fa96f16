"""When a segment of an attempt is over, and what then happens to the persisted counts of a gate."""

from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import GateStatus, Numerator, Verdict


def is_same_segment(before: AgentRolloutStatus, after: AgentRolloutStatus) -> bool:
    """Whether all is untouched on which queries and traffic depend, so that neither is worked out again."""
    return (
        before.attempt is after.attempt
        and before.stable is after.stable
        and before.canary is after.canary
        and before.last_rollback is after.last_rollback
        and before.last_drill is after.last_drill
    )


def freeze(gate: GateStatus) -> GateStatus:
    """The status once the current segment is over: its last counts join the finished ones.

    Looks at a shift restart with the counts; the result of a comparison continues. A gate that held is
    overridden: the person who promoted the phase has answered it.
    """
    return gate.copy_with(
        stray_start_time=None,
        failing_start_time=None if gate.looks else gate.failing_start_time,
        holding_start_time=None,
        looks=0,
        segments=gate.segments if gate.present is None else (*gate.segments, gate.present),
        present=None,
        first_values_ignored=(),
    )


def fresh(gate: GateStatus) -> GateStatus:
    """The status for another plan: only what was measured on stable, if the gate counts the same."""
    return GateStatus(
        name=gate.name,
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.COLLECTING,
        severity=gate.severity,
        burst_factor=gate.burst_factor,
        baseline=gate.baseline,
        source=gate.source,
        numerator=gate.numerator if gate.numerator is Numerator.SEEN else None,
    )
