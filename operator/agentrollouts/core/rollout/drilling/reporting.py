"""What `Ready` says during a drill: the rollout serves what was requested, so it stays True.

Tools that deploy would else show a rollout in progress, and people would be called, each time that nothing is
wrong.
"""

from agentrollouts.api.attempt import State
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.history import is_drill
from agentrollouts.core.rollout.desired import Desired, Standing
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.traffic.latch import is_latched


def drill_sentence(s: Situation, status: AgentRolloutStatus) -> str | None:
    """What serves, and what the drill does; None without a drill, or once another release is requested."""
    stable, drill, attempt = status.stable, status.last_drill, status.attempt
    if not is_drill(status) or stable is None or drill is None or attempt is None:
        return None
    if not isinstance(s.desired, Desired) or s.desired.standing is not Standing.STABLE or s.is_terminating:
        return None
    if attempt.state is State.SUPERSEDED or attempt.state is State.ROLLED_BACK:
        return f"{stable.release} serves all traffic"
    if is_latched(status):
        return f"{stable.release} serves all traffic; the drill of {drill.target} is ending"
    return f"{stable.release} serves; a drill gives {attempt.weight}% to {drill.target} for a short time"
