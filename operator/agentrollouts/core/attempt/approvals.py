"""Approvals that an attempt still needs: those of the current plan, and those of the plan that it began with.

An edit of the plan during an attempt adds approvals and never removes one: an approval is someone else's
decision, and the editor of the plan may not be allowed to make it. It is bound to the weight of its phase, so
renaming, reordering or removing phases does not remove it either: above that weight the canary gets nothing
without it.
"""

from collections.abc import Iterable
from typing import Final

from agentrollouts.api.attempt import MAX_APPROVALS, Attempt, RequiredApproval
from agentrollouts.api.rollout import AgentRolloutSpec, Approval, Phase
from agentrollouts.core.attempt.schedule import rises_left, steps_of

BEYOND: Final = 101
"""After the last phase: above every weight in percent."""


def required(
    spec: AgentRolloutSpec, since: int, earlier: Iterable[RequiredApproval] = ()
) -> tuple[RequiredApproval, ...]:
    """The approvals that the phases from `since` on require, with those that are known already.

    Of two for phases of one name, the one at the lower weight stays: it comes first.
    """
    by_phase = {approval.phase_name: approval for approval in earlier}
    for phase in spec.phases[since:]:
        if phase.approval is Approval.REQUIRED:
            before = by_phase.get(phase.name)
            weight = min(phase.weight, before.weight if before else phase.weight)
            count = max(_count(phase), before.count if before else 1)
            by_phase[phase.name] = RequiredApproval(phase_name=phase.name, weight=weight, count=count)
    return tuple(by_phase.values())[:MAX_APPROVALS]


def left_above(attempt: Attempt, weight: int) -> tuple[RequiredApproval, ...]:
    """Those that are still required once the canary has `weight`."""
    return tuple(approval for approval in attempt.approvals if approval.weight >= weight)


def needed(
    spec: AgentRolloutSpec, attempt: Attempt, *, leaves_phase: bool = False
) -> tuple[RequiredApproval, ...]:
    """The approvals without which the canary does not get its next weight, the lowest weight first.

    Args:
        spec: The plan.
        attempt: The attempt in progress.
        leaves_phase: Whether the next weight is that of the next phase, though the ramp is not over.
    """
    rises = () if leaves_phase else rises_left(spec, attempt)
    phase = spec.phases[attempt.phase_index]
    if rises:
        following = rises[0].weight
    else:
        is_last = attempt.phase_index + 1 >= len(spec.phases)
        following = BEYOND if is_last else steps_of(spec, attempt.phase_index + 1)[0].weight
    bound = [each for each in attempt.approvals if each.weight < following]
    due = [approval for approval in bound if approval.phase_name != phase.name or rises]
    if not rises and (phase.approval is Approval.REQUIRED or len(due) < len(bound)):
        counts = [approval.count for approval in bound if approval.phase_name == phase.name]
        due.append(
            RequiredApproval(phase_name=phase.name, weight=BEYOND - 1, count=max([_count(phase), *counts]))
        )
    return tuple(sorted(due, key=lambda approval: approval.weight))


def _count(phase: Phase) -> int:
    """How many people must approve a phase."""
    return phase.approvals or 1
