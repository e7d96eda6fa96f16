"""The verdict of a gate as an entry keeps it: its numbers, and for a rollback everything to judge it again.

Entries take it from the status, so that both say the same.
"""

from agentrollouts.api.record.entry import GateRecord
from agentrollouts.api.verdict import GateStatus, Verdict


def gate_record(gate: GateStatus, *, in_full: bool = False) -> GateRecord:
    """The verdict of a gate, as its status has it.

    Args:
        gate: What the status says.
        in_full: Whether a Fail keeps its counts by weight, up to 32 KiB for all gates of an attempt that was
            rolled back on a long ramp: for the decision to roll back, not for each hold before it.
    """
    record = GateRecord(
        name=gate.name,
        verdict=gate.verdict,
        canary=gate.canary,
        stable=gate.stable,
        evidence=gate.evidence,
        ratio=gate.ratio,
        last_sample_time=gate.last_sample_time,
        message=gate.message,
    )
    if not in_full or gate.verdict is not Verdict.FAIL or gate.present is None:
        return record
    return record.copy_with(
        burst_factor=gate.burst_factor,
        baseline=gate.baseline,
        segments=(*gate.segments, gate.present),
        recent=gate.recent,
        mix=gate.mix,
    )
