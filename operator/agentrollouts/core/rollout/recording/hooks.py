"""The entries of a record about hooks: each start, each end, and who waived one."""

from collections.abc import Iterator

from agentrollouts.api.record.entry import RecordEvent
from agentrollouts.api.recovery.hooks import ENDS, HookState, HookStatus
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.rollout.checks.hooks import what_runs
from agentrollouts.core.rollout.recording.draft import Draft
from agentrollouts.core.rollout.situation import Situation


def hook_entries(s: Situation, after: AgentRolloutStatus) -> Iterator[Draft]:
    """What became of hooks, in their order."""
    known = {(entry.attempt, entry.at, entry.name): entry for entry in s.obs.status.hooks}
    for entry in after.hooks:
        old = known.get((entry.attempt, entry.at, entry.name))
        if entry.state is HookState.RUNNING and (old is None or old.tries != entry.tries):
            yield _now(s, RecordEvent.HOOK_STARTED, after, f"{_named(entry)}: {what_runs(entry)}")
        elif entry.state is (old.state if old else HookState.WAITING):
            continue
        elif entry.state is HookState.WAIVED and entry.waived:
            act = entry.waived
            draft = _now(s, RecordEvent.HOOK_WAIVED, after, _named(entry))
            yield draft.replace(by=act.by, action=act.action, reason=act.reason, proved=s.obs.identity_proved)
        elif entry.state in ENDS:
            why = f": {entry.message}" if entry.message else ""
            draft = _now(s, RecordEvent.HOOK_ENDED, after, f"{_named(entry)}{why}")
            yield draft.copy_with(outcome=entry.state.value)


def _named(entry: HookStatus) -> str:
    return f"{entry.name} of attempt {entry.attempt}"


def _now(s: Situation, event: RecordEvent, after: AgentRolloutStatus, message: str) -> Draft:
    attempt = after.attempt
    state, weight = (attempt.state.value, attempt.weight) if attempt else (None, None)
    return Draft.of(event, s.now, state=state, weight=weight, message=message)
