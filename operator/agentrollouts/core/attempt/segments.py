"""What happens to the persisted counts of a gate when a weight ends, or when the plan changes."""

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import GateStatus, Numerator, Verdict


def freeze(gate: GateStatus) -> GateStatus:
    """The status once the current segment is over: its last counts join the finished ones.

    Looks at a shift restart with the counts; the result of a comparison continues.
    """
    over: dict[str, object] = {"stray_start_time": None, "looks": 0, "present": None}
    over |= {"first_values_ignored": ()}
    if gate.looks:
        over |= {"failing_start_time": None}
    if gate.present is not None:
        over |= {"segments": (*gate.segments, gate.present)}
    return gate.model_copy(update=over)


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
