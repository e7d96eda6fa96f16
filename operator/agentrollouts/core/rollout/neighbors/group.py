"""What the group of a rollout requires of it, and its membership as the status records it."""

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus, GroupStatus
from agentrollouts.core.attempt import moves
from agentrollouts.core.recovery.group.member import Member, member_of
from agentrollouts.core.recovery.group.rollback import due_at_rest, due_on_trial
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.rollback_target import find_target
from agentrollouts.core.rollout.situation import Situation


def with_membership(status: AgentRolloutStatus, obs: Observation) -> AgentRolloutStatus:
    """With the group and since when: what happened before counts neither for this rollout nor for others."""
    group, known = obs.rollout.spec.group, status.group
    if group == (known.name if known else None):
        return status
    return status.copy_with(group=GroupStatus(name=group, since=obs.now) if group else None)


def itself(obs: Observation, status: AgentRolloutStatus) -> Member | None:
    """The rollout as its siblings see it with that status; None if it is in no group."""
    return member_of(obs.rollout.metadata.name, obs.rollout.spec.group, status)


def why_on_trial(s: Situation) -> str:
    """Why the group requires that the canary is rolled back; empty if it does not."""
    member = itself(s.obs, s.status)
    due = due_on_trial(member, s.obs.siblings) if member and s.status.stable else None
    return due.sentence(s.spec.group or "") if due else ""


def why_at_rest(s: Situation) -> str:
    """Why the group requires that stable is rolled back; empty if it does not."""
    member = itself(s.obs, s.status)
    due = due_at_rest(member, s.obs.siblings) if member else None
    return due.sentence(s.spec.group or "") if due else ""


def failed_on_trial(s: Situation) -> moves.RollBack | None:
    """A sibling rolled back what it shipped at the same time.

    A first release has nothing to roll back to: it continues, and the condition `GroupConsistent` reports it.
    """
    why = why_on_trial(s)
    return moves.RollBack(Trigger.GROUP, Reason.GROUP_ROLLBACK, why) if why else None


def failed_at_rest(s: Situation) -> moves.RollBackStable | None:
    """The same for a change that was promoted before its sibling failed."""
    why = why_at_rest(s)
    target = find_target(s) if why else None
    return moves.RollBackStable(target, Trigger.GROUP, Reason.GROUP_ROLLBACK, why) if target else None
