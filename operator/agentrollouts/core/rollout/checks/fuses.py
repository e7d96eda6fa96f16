"""The end of a fuse: a gate that only holds has failed for as long as its plan allows, and no one said more.

Like a gate that rolls back, it waits for no freeze, no pause and no person's hold.
"""

from agentrollouts.api.attempt import Fuse, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt import fuses, moves
from agentrollouts.core.history import is_returning
from agentrollouts.core.rollout.situation import Situation


def burning(s: Situation, status: AgentRolloutStatus) -> Fuse | None:
    """The fuse that burns in this status.

    None without a release to roll back to, and in a return to an earlier release: waiting never undoes it.
    """
    if status.stable is None or is_returning(status.canary, status):
        return None
    return fuses.burning(status, s.analysis.gates_at(status))


def fuse_burnt(s: Situation) -> moves.Move | None:
    """A gate has failed for longer than it may, which is proof of harm: the release is quarantined."""
    fuse = burning(s, s.status)
    if fuse is None or fuse.until > s.now:
        return None
    gate = next(gate for gate in s.status.gates if gate.name == fuse.gate)
    since, acknowledged = gate.holding_start_time or fuse.since, s.attempt.acknowledged
    answer = "no one has acknowledged it"
    if acknowledged and fuses.is_acknowledged(gate, acknowledged):
        answer = f"the time that {acknowledged.by} acknowledged is over"
    message = f"{gate.name} has failed since {since:%H:%M:%S} UTC, and {answer}: {gate.message}"
    return moves.RollBack(Trigger.TIMEOUT, Reason.GATE_FAILED, message)
