"""The condition that says why entries of the record cannot be written."""

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.core.conditions import RECORDED, condition
from agentrollouts.core.rollout.observation import Observation


def not_recorded(obs: Observation) -> Condition | None:
    """The warning; None while entries are written, or only late."""
    problem, record = obs.record.problem, obs.status.record
    if problem is None or record is None or not record.unwritten:
        return None
    message = (
        f"{len(record.unwritten)} entries of {record.name} are not written: {problem.message}. The operator "
        "retries; rollbacks do not wait"
    )
    generation, now = obs.rollout.metadata.generation, obs.now
    return condition(RECORDED, ConditionStatus.FALSE, problem.reason, message, generation=generation, now=now)
