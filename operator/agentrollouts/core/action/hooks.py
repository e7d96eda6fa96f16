"""What RedoHook and WaiveHook make of a status: the entry of one hook, or a refusal with a sentence."""

from collections.abc import Callable, Mapping
from typing import Final

from agentrollouts.api.people.action import ActionType, AgentRolloutAction, PersonalAct
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import MOST_TRIES, HookState, HookStatus, Moment
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.facts import Desk, Fact, Refused, Waits, signature
from agentrollouts.core.states import is_pending


def _redo(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    """Another series of tries, with the same input and key; the numbers of the tries continue."""
    entry = _entry(action, status)
    if entry.state is not HookState.FAILED:
        raise Refused(f"hook {_named(entry)} did not fail: it is {entry.state}")
    if entry.at is Moment.BEFORE_TRAFFIC and not _is_awaited(entry, status):
        raise Refused(f"attempt {entry.attempt} no longer waits for hook {entry.name}", Reason.STALE)
    if all((hook.name, hook.at) != (entry.name, entry.at) for hook in desk.rollout.spec.hooks):
        raise Refused(f"spec.hooks no longer has hook {entry.name} with at: {entry.at}")
    if entry.tries >= MOST_TRIES:
        raise Refused(f"hook {_named(entry)} has had {entry.tries} tries; waive it")
    if running := next((each for each in status.hooks if each.state is HookState.RUNNING), None):
        raise Waits(f"hook {_named(running)} is running")
    redone = entry.copy_with(state=HookState.WAITING, job_uid=None, webhook=None, end_time=None, message="")
    return Fact(_with(status, entry, redone), f"hook {_named(entry)} runs again, with the same key")


def _waive(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    """Nothing waits for the hook anymore; its Job, if there was one, has ended."""
    entry = _entry(action, status)
    if entry.state is HookState.WAIVED:
        by = entry.waived.by if entry.waived else "someone"
        return Fact(status, f"{by} waived hook {_named(entry)} already", Reason.NOTHING_TO_DO)
    if entry.state not in {HookState.FAILED, HookState.WAITING}:
        raise Refused(f"hook {_named(entry)} neither failed nor waits: it is {entry.state}")
    act = PersonalAct(**signature(action, desk.now))
    webhook = entry.webhook and entry.webhook.copy_with(next_time=None)
    waived = entry.copy_with(
        state=HookState.WAIVED, end_time=entry.end_time or desk.now, waived=act, webhook=webhook
    )
    done = _with(status, entry, waived)
    if _is_awaited(entry, status) and status.attempt:
        given = status.attempt.approved_by
        kept = tuple(each for each in given if not desk.authority.is_same(each.by, act.by))
        done = done.copy_with(attempt=status.attempt.copy_with(approved_by=kept))
    return Fact(done, f"nothing waits for hook {_named(entry)}")


def _entry(action: AgentRolloutAction, status: AgentRolloutStatus) -> HookStatus:
    """The hook that an action names; of two moments under one name, the later one."""
    named = (action.spec.attempt, action.spec.hook)
    for entry in reversed(status.hooks):
        if (entry.attempt, entry.name) == named:
            return entry
    listed = ", ".join(dict.fromkeys(_named(entry) for entry in status.hooks)) or "none"
    raise Refused(f"status.hooks has no hook {named[1]} of attempt {named[0]}; it has: {listed}")


def _is_awaited(entry: HookStatus, status: AgentRolloutStatus) -> bool:
    """Whether the pending attempt waits for a hook before its traffic."""
    number = status.attempt.number if status.attempt and is_pending(status) else None
    return entry.at is Moment.BEFORE_TRAFFIC and entry.attempt == number


def _named(entry: HookStatus) -> str:
    return f"{entry.name} of attempt {entry.attempt}"


def _with(status: AgentRolloutStatus, old: HookStatus, new: HookStatus) -> AgentRolloutStatus:
    return status.copy_with(hooks=tuple(new if each is old else each for each in status.hooks))


HOOK_FACTS: Final[Mapping[ActionType, Callable[[AgentRolloutAction, AgentRolloutStatus, Desk], Fact]]] = {
    ActionType.REDO_HOOK: _redo,
    ActionType.WAIVE_HOOK: _waive,
}
"""What each type makes of a status. Each raises `Refused` where it does not apply, and `Waits`."""
