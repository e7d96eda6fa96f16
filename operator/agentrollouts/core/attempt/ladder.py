"""Which phases count: after a rollback for harm, a plan can begin with phases that are otherwise left out.

The choice follows from the history and is made once, when an attempt begins. Everything that reads a plan
sees only the phases that count.
"""

from agentrollouts.api.attempt import When
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, Outcome
from agentrollouts.core.history import last_word
from agentrollouts.core.states import is_under_way


def ladder_of(status: AgentRolloutStatus) -> When:
    """The phases of the attempt in progress; at rest, those of the attempt that would begin now."""
    if status.attempt is not None and is_under_way(status):
        return status.attempt.ladder
    word = last_word(status.history)
    return When.AFTER_ROLLBACK if word and word.outcome is Outcome.ROLLED_BACK else When.ALWAYS


def counted(spec: AgentRolloutSpec, ladder: When) -> AgentRolloutSpec:
    """The plan with the phases that count."""
    if ladder is When.AFTER_ROLLBACK or not extra_phases(spec):
        return spec
    return spec.copy_with(phases=tuple(phase for phase in spec.phases if phase.when is When.ALWAYS))


def in_force(rollout: AgentRollout) -> AgentRollout:
    """The rollout with the phases that count now; the same object where all do."""
    spec = counted(rollout.spec, ladder_of(rollout.status))
    return rollout if spec is rollout.spec else rollout.copy_with(spec=spec)


def extra_phases(spec: AgentRolloutSpec) -> tuple[str, ...]:
    """Names of the phases that count only after a rollback."""
    return tuple(phase.name for phase in spec.phases if phase.when is When.AFTER_ROLLBACK)
