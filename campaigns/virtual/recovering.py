"""What can happen to the small world besides, where it has `spec.fallback` and `spec.hooks`.

A Job succeeds, fails or vanishes, people run a hook again or waive it, they switch the agent off, in part or
as a whole, and on again, and they request drills.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.recovery.hooks import HookState, HookStatus
from agentrollouts.api.status import Outcome
from campaigns.virtual.happenings import ALWAYS, LEADER, Happening, answering
from campaigns.virtual.small_world import Small
from testkit.builders.names import NEW, OLD

PART: Final = 30
STEPS: Final = 6
"""Happenings after which a world is not led further: with all of these, the search does not end for hours."""


def _running(world: Small) -> str | None:
    """The Job that runs, if there is one."""
    left = (name for name in world.jobs.made if name not in world.jobs.ended)
    named = {entry.job for entry in world.status.hooks if entry.state is HookState.RUNNING}
    return next((name for name in left if name in named), None)


def ending(kind: str) -> Happening:
    """The Job that runs gets that condition."""

    def happen(world: Small) -> bool:
        name = _running(world)
        if name is None:
            return False
        world.jobs.ended[name] = kind
        return True

    return happen


def _vanish(world: Small) -> bool:
    """Somebody deletes the Job that runs."""
    name = _running(world)
    return name is not None and world.jobs.made.pop(name) is not None


def _in(world: Small, *states: HookState) -> Iterator[HookStatus]:
    return (entry for entry in world.status.hooks if entry.state in states)


def _redo(world: Small) -> bool:
    """The first hook that failed."""
    entry = next(_in(world, HookState.FAILED), None)
    if entry is None:
        return False
    return world.request(ActionType.REDO_HOOK, LEADER, attempt=entry.attempt, hook=entry.name)


def _waive(world: Small) -> bool:
    """The first hook that failed or waits."""
    entry = next(_in(world, HookState.FAILED, HookState.WAITING), None)
    if entry is None:
        return False
    return world.request(ActionType.WAIVE_HOOK, LEADER, attempt=entry.attempt, hook=entry.name)


def _switch_off(world: Small) -> bool:
    return world.request(ActionType.SWITCH_OFF, LEADER)


def _switch_off_a_part(world: Small) -> bool:
    return world.request(ActionType.SWITCH_OFF, LEADER, percent=PART)


def _switch_on(world: Small) -> bool:
    detour = world.status.detour
    return detour is not None and world.request(ActionType.SWITCH_ON, LEADER, detour=detour.id)


def _switch_on_with_what_is_asked(world: Small) -> bool:
    detour, asked = world.status.detour, world.rollout.spec.release_ref.name
    return detour is not None and world.request(ActionType.SWITCH_ON, LEADER, detour=detour.id, release=asked)


def _switch_on_late(world: Small) -> bool:
    """Somebody still wants to end the detour before."""
    last = world.status.last_detour
    return last is not None and world.request(ActionType.SWITCH_ON, LEADER, detour=last.id)


def _drill(world: Small) -> bool:
    """The newest release before stable that was healthy."""
    stable, history = world.status.stable, world.status.history
    healthy = (entry.release for entry in history if entry.outcome is Outcome.HEALTHY)
    target = next((release for release in healthy if stable and release != stable.release), None)
    return target is not None and world.request(ActionType.DRILL, LEADER, release=target)


RECOVERIES: Final[Mapping[str, Happening]] = {
    "switch off": _switch_off,
    "switch off a part": _switch_off_a_part,
    "switch on": _switch_on,
    "switch on with what is asked": _switch_on_with_what_is_asked,
    "switch on late": _switch_on_late,
    "job succeeds": ending("Complete"),
    "job fails": ending("Failed"),
    "job vanishes": _vanish,
    "redo": _redo,
    "waive": _waive,
    "drill": _drill,
}
USUAL: Final = ("time passes", f"ask for {OLD}", f"ask for {NEW}", "take back", "retry")
EVERY_RECOVERY: Final[Mapping[str, Happening]] = {
    **{what: ALWAYS[what] for what in USUAL},
    **RECOVERIES,
    **{f"answers {word}": answering(word, "pass") for word in ("pass", "fail")},
}
"""What matters where there is one phase, one gate and one new release."""
