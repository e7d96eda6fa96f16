"""What hooks say: the condition DataRecovered, and an Event for each that starts or ends."""

from collections.abc import Iterator
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import ENDS, HookState, HookStatus, Moment
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import DATA_RECOVERED, condition
from agentrollouts.core.effects import Event
from agentrollouts.core.history import is_drill
from agentrollouts.core.recovery.hooks.plan import repairs_after
from agentrollouts.core.rollout.checks.hooks import failure, progress, what_runs
from agentrollouts.core.rollout.situation import Situation

ANNOUNCED: Final = ENDS - {HookState.FAILED}
"""Ends of a hook that have an Event of their own; a failure is announced by the condition."""


def data_recovered(s: Situation, status: AgentRolloutStatus) -> Condition | None:
    """Whether what bad releases left behind is repaired; None if no hook repairs anything."""
    entries = [entry for entry in status.hooks if entry.at is Moment.AFTER_ROLLBACK]
    failed = next((entry for entry in reversed(entries) if entry.state is HookState.FAILED), None)
    left = next((entry for entry in entries if entry.state not in ENDS), None)
    awaited = _awaited(s, status)
    if failed:
        word = ConditionStatus.FALSE, Reason.HOOK_FAILED, failure(s.obs.rollout, failed)
    elif left or awaited:
        word = ConditionStatus.UNKNOWN, Reason.HOOKS_RUNNING, progress(left) if left else awaited
    elif entries:
        word = ConditionStatus.TRUE, Reason.DATA_RECOVERED, _done(entries)
    else:
        return None
    generation = s.obs.rollout.metadata.generation
    return condition(DATA_RECOVERED, *word, generation=generation, now=s.now)


def hook_events(before: AgentRolloutStatus, after: AgentRolloutStatus) -> Iterator[Event]:
    """What started and what ended, or was not needed."""
    if before.hooks is after.hooks:
        return
    known = {(entry.attempt, entry.at, entry.name): entry for entry in before.hooks}
    for entry in after.hooks:
        old = known.get((entry.attempt, entry.at, entry.name))
        which = f"Hook {entry.name} of attempt {entry.attempt}"
        if entry.state is HookState.RUNNING and (old is None or old.tries != entry.tries):
            again = f"; the try before failed: {old.message}" if old and old.tries and old.message else ""
            yield Event(Reason.HOOK_STARTED, f"{which}: try {entry.tries} is {what_runs(entry)}{again}")
        elif entry.state is not (old.state if old else HookState.WAITING) and entry.state in ANNOUNCED:
            why = f": {entry.message}" if entry.state is HookState.NOT_NEEDED and entry.message else ""
            yield Event(Reason.HOOK_ENDED, f"{which}: {entry.state}{why}")


def _awaited(s: Situation, status: AgentRolloutStatus) -> str:
    """Which hooks follow once the last runs of the bad release were seen; empty if none do."""
    attempt, window = status.attempt, status.affected_window
    if attempt is None or attempt.state not in {State.ROLLING_BACK, State.VERIFYING} or is_drill(status):
        return ""
    names = [hook.name for hook in s.spec.hooks if hook.at is Moment.AFTER_ROLLBACK]
    is_final = window is not None and window.attempt == attempt.number and window.is_final
    if is_final or not repairs_after(s.spec.rollback, attempt.trigger) or not names:
        return ""
    verb = "waits" if len(names) == 1 else "wait"
    return f"{', '.join(names)} {verb} for the last runs of the release that was rolled back"


def _done(entries: list[HookStatus]) -> str:
    newest = max(entry.attempt for entry in entries)
    ended = ", ".join(f"{entry.name} {entry.state}" for entry in entries if entry.attempt == newest)
    return f"After the rollback of attempt {newest}: {ended}"
