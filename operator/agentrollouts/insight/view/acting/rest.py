"""What the reader can do while no attempt has traffic, about the agent as a whole, and about hooks."""

from collections.abc import Iterator
from itertools import islice

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import ENDS, MOST_TRIES, HookState, HookStatus, Moment
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import HistoryEntry
from agentrollouts.core.conditions import ROLLBACK_READY, find_condition
from agentrollouts.core.containment.detour import is_off
from agentrollouts.core.containment.fallback import where
from agentrollouts.core.history import earlier_healthy, has_failed_drill, is_drill, is_just_back, is_trusted
from agentrollouts.core.recovery.drill.plan import plan_of
from agentrollouts.core.states import is_pending, is_progressing, is_under_way
from agentrollouts.core.traffic.latch import is_latched
from agentrollouts.insight.view.acting.command import action, in_git, look
from agentrollouts.insight.view.headline import ROLLED_BACK, state_of
from agentrollouts.insight.view.running import FULL
from agentrollouts.insight.view.shape import Action, Names


def about_git(rollout: AgentRollout) -> Iterator[Action]:
    """Git requests what was rolled back: what to change, and what to look at before."""
    status, requested = rollout.status, rollout.spec.release_ref.name
    if is_progressing(status) or state_of(status) not in ROLLED_BACK:
        return
    name = status.stable.release if status.stable else "an earlier release"
    sentence = "The rollout is Ready again, and a fix begins at the first phase"
    change = f"spec.releaseRef.name: {name}"
    yield in_git(f"Ship another release, or return to {name} in Git", sentence, change)
    yield look(rollout, "diff", requested, "Shows what differs from stable, component by component")
    yield look(rollout, "report", rollout.metadata.name, "Shows what happened, why, and what it reached")
    yield from _retry(rollout)


def _retry(rollout: AgentRollout) -> Iterator[Action]:
    """Once more: what is in quarantine, or was rolled back without proof in the last attempt."""
    status, requested = rollout.status, rollout.spec.release_ref.name
    is_banned = any(entry.release == requested for entry in status.quarantined)
    attempt = status.attempt
    is_last = attempt is not None and attempt.state is State.ROLLED_BACK and not is_drill(status)
    is_open = is_last and any(
        (entry.number, entry.release) == (attempt.number if attempt else 0, requested)
        for entry in status.history
    )
    if is_banned or is_open:
        sentence = f"A new attempt of {requested} begins at the first phase"
        yield action(rollout, ActionType.RETRY, f"Retry {requested}", sentence, Names(release=requested))


def about_agent(rollout: AgentRollout) -> Iterator[Action]:
    """Where the traffic of the agent goes, whatever release it has."""
    status, detour = rollout.status, rollout.status.detour
    if detour:
        sentence = "The releases get the traffic again, as before the detour"
        yield action(rollout, ActionType.SWITCH_ON, "Switch on", sentence)
    if not is_off(status):
        is_ended = is_progressing(status) and not is_latched(status)
        ended = f"; the attempt {'is rolled back' if status.stable else 'ends'}" if is_ended else ""
        sentence = f"No release gets any traffic: {where(rollout, status, FULL)}{ended}"
        yield action(rollout, ActionType.SWITCH_OFF, "Switch off", sentence)


def about_hooks(rollout: AgentRollout) -> Iterator[Action]:
    """Hooks that failed: run them again, or go forward without them."""
    last = rollout.status.attempt.number if rollout.status.attempt else 0
    for hook in rollout.status.hooks:
        if hook.state is not HookState.FAILED:
            continue
        names = Names(hook=hook.name, attempt=None if hook.attempt == last else hook.attempt)
        if _can_run(rollout, hook):
            sentence = f"Hook {hook.name} runs again, with the same key"
            yield action(rollout, ActionType.REDO_HOOK, f"Run {hook.name} again", sentence, names)
        sentence = f"Nothing waits for hook {hook.name}; what it repairs may stay broken"
        yield action(rollout, ActionType.WAIVE_HOOK, f"Waive {hook.name}", sentence, names)


def _can_run(rollout: AgentRollout, hook: HookStatus) -> bool:
    is_planned = any((each.name, each.at) == (hook.name, hook.at) for each in rollout.spec.hooks)
    attempt = rollout.status.attempt
    is_awaited = is_pending(rollout.status) and attempt is not None and attempt.number == hook.attempt
    is_due = hook.at is Moment.AFTER_ROLLBACK or is_awaited
    return is_planned and is_due and hook.tries < MOST_TRIES


def about_stable(rollout: AgentRollout) -> Iterator[Action]:
    """Stable is rolled back, or that is rehearsed."""
    status, stable = rollout.status, rollout.status.stable
    if stable is None or is_progressing(status) or status.attempt is None:
        return
    if target := _target(rollout):
        sentence = f"Rolls back {stable.release} to {target} for all traffic and quarantines {stable.release}"
        names = Names(release=stable.release if is_just_back(status) else None)
        yield action(rollout, ActionType.ROLL_BACK, f"Roll back {stable.release}", sentence, names)
    if _can_drill(rollout) and (drilled := _target(rollout) or _failed(rollout)):
        plan = plan_of(rollout.spec)
        share = f"{plan.weight}% of the traffic for {plan.duration_seconds} s"
        sentence = f"Gives {drilled} {share}, and rolls it back, to rehearse a rollback"
        yield action(rollout, ActionType.DRILL, "Drill a rollback", sentence)


def _earlier(rollout: AgentRollout) -> tuple[HistoryEntry, ...]:
    entries = islice(earlier_healthy(rollout.status), rollout.spec.rollback.max_walk_back)
    return tuple(entry for entry in entries if is_trusted(entry, rollout.status))


def _target(rollout: AgentRollout) -> str | None:
    """The release that a rollback at rest would choose, as far as the status knows."""
    ready = find_condition(rollout.status.conditions, ROLLBACK_READY)
    if ready is not None and ready.status is not ConditionStatus.TRUE:
        return None
    able = (each for each in _earlier(rollout) if not has_failed_drill(each.digest, rollout.status))
    return next((entry.release for entry in able), None)


def _failed(rollout: AgentRollout) -> str | None:
    """A release whose last drill failed can be drilled again."""
    return next((entry.release for entry in _earlier(rollout)), None)


def _can_drill(rollout: AgentRollout) -> bool:
    """Whether the rollout is at rest and Ready, as far as the status knows."""
    status = rollout.status
    is_repaired = all(hook.state in ENDS for hook in status.hooks)
    is_free = status.detour is None and not rollout.spec.paused and is_repaired
    return not is_under_way(status) and state_of(status) == Reason.HEALTHY and is_free
