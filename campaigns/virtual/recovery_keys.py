"""The part of `equivalence` about detours, standbys, hooks and drills: what decisions read of them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from agentrollouts.api.recovery.hooks import HookState, HookStatus
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.containment.mark import read_mark
from agentrollouts.core.effects import Manifest
from agentrollouts.core.history import has_failed_drill, is_drill, rollback_of
from agentrollouts.simulation.world import World

Key = tuple[object, ...]

HALF_AN_HOUR: Final = timedelta(minutes=30)
DAY: Final = timedelta(days=1)
DONE = frozenset({HookState.SUCCEEDED, HookState.WAIVED, HookState.NOT_NEEDED})


def which(world: World, detour: str | None) -> str:
    """A detour by its part: the present one, the last one, or one of earlier."""
    status = world.status
    if detour is None:
        return ""
    if status.detour and status.detour.id == detour:
        return "now"
    return "last" if status.last_detour and status.last_detour.id == detour else "other"


def mark_key(world: World, manifest: Manifest) -> Key:
    """The mark of a detour on a traffic object."""
    annotations = manifest["metadata"].get("annotations") or {}
    mark = read_mark(annotations, world.rollout.metadata.uid)
    return (which(world, mark.id), mark.percent) if mark else ()


def recovery_key(world: World) -> Key:
    """The detour, the hooks that matter, the drill, and whether the affected window is to become final."""
    detour, window, attempt = world.status.detour, world.status.affected_window, world.status.attempt
    if not world.rollout.spec.hooks:
        return (detour and detour.percent,)
    now = attempt.number if attempt else 0
    hooks = tuple(_hook(world, entry, now - entry.attempt) for entry in _left(world, now))
    final = window and (window.attempt == now, window.is_final)
    return detour and detour.percent, final, hooks, *_drill(world.status)


def standby_key(world: World, part: Mapping[str, int]) -> Key:
    """Which part each standby has, which serves and until when, and what decides on the next trip.

    Half an hour is what is waited for in this world, and a trip is the first one or a later one.
    """
    status, now = world.status, world.now
    detour, last, stable = status.detour, status.last_detour, status.stable
    named = tuple(part[each.release_ref.name] for each in world.rollout.spec.standby)
    serving = detour and (
        detour.cause,
        detour.standby and part[detour.standby.release],
        min(detour.trips or 0, 2),
        detour.until and max(0, -(-(detour.until - now) // HALF_AN_HOUR)),
    )
    is_newer = stable and last and stable.healthy_time and stable.healthy_time > last.end_time
    tripped = last and (last.cause, min(last.trips or 0, 2), now - last.end_time > DAY, is_newer)
    failing = tuple(gate.verdict for gate in status.watched)
    gone = tuple(sorted(part[name] for name in world.deserted))
    return named, serving, tripped, failing, gone, is_uncounted(world)


def is_uncounted(world: World) -> bool:
    """Whether stable has served for so short a time that nothing of it counts yet."""
    stable, last = world.status.stable, world.status.last_detour
    times = (stable.healthy_time if stable else None, last.end_time if last else None)
    return any(time is not None and world.now - time < HALF_AN_HOUR for time in times)


def _drill(status: AgentRolloutStatus) -> Key:
    """Whether the attempt is a drill, what it has shown so far, and which releases have failed one."""
    digests = {entry.digest for entry in status.history}
    failed = tuple(sorted(digest for digest in digests if has_failed_drill(digest, status)))
    drill, rollback = status.last_drill, rollback_of(status)
    if not is_drill(status) or drill is None:
        return (failed,)
    seen = rollback and (rollback.trigger, rollback.observed_time is not None)
    return failed, drill.outcome, bool(drill.runs), drill.decided_to_last_run_seconds is None, seen


def _left(world: World, now: int) -> list[HookStatus]:
    """Those that are not done, and all of the attempt: they do not begin again."""
    return [entry for entry in world.status.hooks if entry.state not in DONE or entry.attempt == now]


def _hook(world: World, entry: HookStatus, age: int) -> Key:
    job = world.jobs.job(entry.job, world.now) if entry.job else None
    conditions = (job.get("status") or {}).get("conditions") or () if isinstance(job, dict) else ()
    ended = tuple(condition["type"] for condition in conditions)
    known = entry.job_uid is not None, bool(entry.message), job is not None, ended
    return min(age, 1), entry.name, entry.state, entry.tries % 2, *known
