"""What the reader can do about an attempt with traffic."""

from collections.abc import Iterator
from typing import Final

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.action.people import of_phase
from agentrollouts.core.attempt.approvals import needed
from agentrollouts.core.history import is_drill
from agentrollouts.core.states import LATCHED, base_state, current_phase
from agentrollouts.insight.view.acting.command import action, in_git
from agentrollouts.insight.view.coming.forward import following
from agentrollouts.insight.view.shape import Action

NOT_OVERRIDDEN: Final = frozenset(
    {Reason.HELD_BY_PERSON, Reason.PAUSED, Reason.FROZEN, Reason.RECORD_BEHIND, Reason.TERMINATING}
)
"""Holds that a promotion waits for."""


def about_attempt(rollout: AgentRollout) -> Iterator[Action]:
    """Every action on the attempt in progress, what takes traffic away first."""
    attempt = rollout.status.attempt
    if attempt is None or attempt.state in LATCHED:
        return
    yield from _approve(rollout, attempt)
    yield from _acknowledge(rollout, attempt)
    yield from _roll_back(rollout)
    if is_drill(rollout.status):
        return  # a drill ends by itself, and no one steers it
    yield from _hold(rollout, attempt)
    yield from _promote(rollout, attempt)


def _roll_back(rollout: AgentRollout) -> Iterator[Action]:
    status, stable, canary = rollout.status, rollout.status.stable, rollout.status.canary
    if stable is None or canary is None:
        return
    kept = "" if is_drill(status) else f" and quarantines {canary.release}"
    sentence = f"Rolls back {canary.release} to {stable.release} for all traffic{kept}"
    yield action(rollout, ActionType.ROLL_BACK, f"Roll back {canary.release}", sentence)


def _approve(rollout: AgentRollout, attempt: Attempt) -> Iterator[Action]:
    """The approvals that are missing for the next weight; they can be given before the phase has passed."""
    if base_state(attempt) not in {State.CANARY, State.AWAITING_APPROVAL} or is_drill(rollout.status):
        return
    for each in needed(rollout.spec, attempt):
        given = len(of_phase(attempt.approved_by, each.phase_name))
        if given >= each.count:
            continue
        is_due = attempt.state is State.AWAITING_APPROVAL
        then = f"; with the last one, {_after(rollout, attempt)}" if is_due else ", before the phase is over"
        sentence = f"Counts as approval {given + 1} of {each.count} of phase {each.phase_name}{then}"
        options = "" if each.phase_name == attempt.phase_name else f"--phase {each.phase_name}"
        yield action(rollout, ActionType.APPROVE, f"Approve {each.phase_name}", sentence, options=options)


def _after(rollout: AgentRollout, attempt: Attempt) -> str:
    """What the attempt does once it is approved."""
    return following(rollout, attempt.copy_with(state=State.AWAITING_APPROVAL))[1]


def _hold(rollout: AgentRollout, attempt: Attempt) -> Iterator[Action]:
    if held := attempt.held_by:
        sentence = f"Ends the hold by {held.by}; the attempt resumes unless something else stops it"
        yield action(rollout, ActionType.RESUME, "Resume", sentence)
    else:
        sentence = f"Keeps the canary at {attempt.weight}% and stops its clocks; rolling back still works"
        yield action(rollout, ActionType.HOLD, "Hold", sentence)
    if rollout.spec.paused:
        yield in_git("End the pause", "The attempt resumes", "spec.paused: false")


def _promote(rollout: AgentRollout, attempt: Attempt) -> Iterator[Action]:
    """Whatever gates that are undecided say; it overrides no person, no freeze and no missing approval."""
    phase, hold = current_phase(attempt), attempt.hold
    is_stopped = hold is not None and hold.reason in NOT_OVERRIDDEN
    is_asked = any(
        len(of_phase(attempt.approved_by, each.phase_name)) < each.count
        for each in needed(rollout.spec, attempt, leaves_phase=True)
    )
    is_phase = base_state(attempt) in {State.CANARY, State.BAKING}
    is_asked = is_asked and base_state(attempt) is not State.BAKING
    if not is_phase or phase is None or attempt.promoted or is_stopped or is_asked or rollout.spec.paused:
        return
    sentence = f"Treats phase {phase} as passed, whatever its gates say: {_promoted(rollout, attempt)}"
    yield action(rollout, ActionType.PROMOTE, f"Promote {phase}", sentence)


def _promoted(rollout: AgentRollout, attempt: Attempt) -> str:
    """What follows at once: the next phase, though a ramp is not over."""
    left = attempt.copy_with(weight=rollout.spec.phases[attempt.phase_index].weight, hold=None)
    base = base_state(attempt)
    return following(rollout, left.copy_with(state=base))[1]


def _acknowledge(rollout: AgentRollout, attempt: Attempt) -> Iterator[Action]:
    if attempt.fuse is None and (attempt.hold is None or attempt.hold.until is None):
        return
    sentence = "The attempt waits for 4 h from then, instead of being rolled back sooner"
    yield action(rollout, ActionType.ACKNOWLEDGE, "Acknowledge", sentence)
