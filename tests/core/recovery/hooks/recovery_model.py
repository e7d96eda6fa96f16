"""Exhaustive model of the machine of hooks: every state that crashes and failing Jobs can lead to.

The world is the persisted hook states, the Jobs of the namespace by name, and the route. Each step of the
operator is one write. The operator may die before and after each write, a status write may be refused with
409, and a Job may succeed, fail or vanish; the number of these disturbances is limited. A person may create
RedoHook actions at any time. `explore` visits every reachable state and checks that

- a hook starts only after every hook before it has ended, and nothing starts before the window is final;
- a Job exists only for a try that the status records (intent before effect);
- at most one Job runs at a time;
- a hook that has ended never changes again, except that a RedoHook action starts a failed one again while no
  hook runs, in the same status write that answers the action;
- from every state the machine comes to rest if nothing disturbs it any further.

`reference_step` is the specification; a test passes the real functions instead. `FAULTS` are variants of the
specification that the model must catch.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Self

Name = tuple[int, int]
"""Index of the hook and number of the try: the name of a Job."""


class State(Enum):
    """Where a hook stands."""

    WAITING = "Waiting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    NOT_NEEDED = "NotNeeded"  # from the beginning: the bad release has none of its tools


class JobState(Enum):
    """Where a Job stands."""

    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"


ENDS = frozenset({State.SUCCEEDED, State.FAILED, State.NOT_NEEDED})


@dataclass(frozen=True)
class Hook:
    """One entry of `status.hooks`."""

    state: State = State.WAITING
    tries: int = 0
    seen: bool = False  # the uid of this try's Job is in the status


Hooks = tuple[Hook, ...]


@dataclass(frozen=True)
class View:
    """What one pass of the operator sees."""

    due: bool  # the route is back, the window is final, and the status says so
    hooks: Hooks
    jobs: Mapping[Name, JobState]
    max_tries: int  # in one series; a RedoHook action grants another series
    redo: frozenset[int] = frozenset()  # hooks that unanswered RedoHook actions name


@dataclass(frozen=True)
class Persist:
    """Write these hook states, and answer the RedoHook actions for these hooks in the same write."""

    hooks: Hooks
    answered: frozenset[int] = frozenset()


@dataclass(frozen=True)
class CreateJob:
    """Create the Job of this name; a Job of this name that exists already is adopted."""

    name: Name


Step = Persist | CreateJob | None
StepFunction = Callable[[View], Step]


def reference_step(view: View) -> Step:
    """The next write of the hook machine; None while there is nothing to do."""
    if not view.due:
        return None
    if view.redo and not any(hook.state is State.RUNNING for hook in view.hooks):
        return _redo(view, min(view.redo))
    for index, hook in enumerate(view.hooks):
        if hook.state in ENDS:
            continue
        if hook.state is State.WAITING:
            return Persist(_set(view.hooks, index, Hook(State.RUNNING, hook.tries + 1)))
        return _job(view, index, hook)
    return None


def _redo(view: View, index: int) -> Step:
    """Start a failed hook again: same input, same key, the numbers of its tries go on."""
    hook = view.hooks[index]
    again = Hook(State.WAITING, hook.tries) if hook.state is State.FAILED else hook
    return Persist(_set(view.hooks, index, again), frozenset({index}))


def _job(view: View, index: int, hook: Hook) -> Step:
    job = view.jobs.get((index, hook.tries))
    if (
        job is None and not hook.seen
    ):  # not created, or created and not recorded: the name makes it idempotent
        return CreateJob((index, hook.tries))
    if job is None:  # seen before and gone now: the outcome is unknown
        return _failed(view, index, hook)
    if not hook.seen:
        return Persist(_set(view.hooks, index, replace(hook, seen=True)))
    if job is JobState.COMPLETE:
        return Persist(_set(view.hooks, index, replace(hook, state=State.SUCCEEDED)))
    return _failed(view, index, hook) if job is JobState.FAILED else None


def _failed(view: View, index: int, hook: Hook) -> Step:
    is_spent = hook.tries % view.max_tries == 0
    after = replace(hook, state=State.FAILED) if is_spent else Hook(State.RUNNING, hook.tries + 1)
    return Persist(_set(view.hooks, index, after))


def _set(hooks: Hooks, index: int, hook: Hook) -> Hooks:
    return (*hooks[:index], hook, *hooks[index + 1 :])


# The world.


@dataclass(frozen=True)
class World:
    """What is persisted, and what may still happen."""

    hooks: Hooks
    left: int  # disturbances that may still happen
    routed: bool = False
    due: bool = False
    jobs: frozenset[tuple[Name, JobState]] = frozenset()
    created: frozenset[Name] = frozenset()  # names that were ever used
    redos: int = 0  # RedoHook actions that a person may still create
    redo: frozenset[int] = frozenset()

    def disturbed(self, **changes: Any) -> Self:  # noqa: ANN401 any field
        """After one disturbance more."""
        return replace(self, left=self.left - 1, **changes)


class ViolationError(AssertionError):
    """The machine broke a rule."""


@dataclass(frozen=True)
class Result:
    """How much was visited, and how it ends."""

    states: int
    steps: int
    ends: Counter[tuple[str, ...]]


def explore(
    step: StepFunction = reference_step,
    *,
    count: int = 2,
    max_tries: int = 2,
    disturbances: int = 3,
    redos: int = 0,
    needless: frozenset[int] = frozenset(),
) -> Result:
    """Visit every reachable state. Raises `ViolationError` where a rule is broken."""
    hooks = tuple(Hook(State.NOT_NEEDED if index in needless else State.WAITING) for index in range(count))
    start = World(hooks=hooks, left=disturbances, redos=redos)
    following: dict[World, list[World]] = {}
    todo, found = deque([start]), {start}
    while todo:
        world = todo.popleft()
        _check(world)
        following[world] = [*_environment(world), *_operator(world, step, max_tries)]
        for after in following[world]:
            _check_change(world, after)
            if after not in found:
                found.add(after)
                todo.append(after)
    resting = {world for world in found if world.due and _has_ended(world)}
    if stuck := found - _can_reach(resting, following):
        raise ViolationError(f"{len(stuck)} states cannot come to rest, for example {next(iter(stuck))}")
    ends = Counter(tuple(hook.state.value for hook in world.hooks) for world in resting)
    return Result(len(found), sum(map(len, following.values())), ends)


def _has_ended(world: World) -> bool:
    return not world.redo and all(hook.state in ENDS for hook in world.hooks)


def _environment(world: World) -> Iterator[World]:
    if not world.routed:
        yield replace(world, routed=True)
    elif not world.due:
        yield replace(world, due=True)
    for name, state in world.jobs:
        if state is JobState.RUNNING:
            yield _with_job(world, name, JobState.COMPLETE)
            if world.left:
                yield _with_job(world, name, JobState.FAILED).disturbed()
        if world.left:
            yield world.disturbed(jobs=world.jobs - {(name, state)})
    for index, hook in enumerate(world.hooks):
        if world.redos and hook.state is State.FAILED and index not in world.redo:
            yield replace(world, redos=world.redos - 1, redo=world.redo | {index})


def _operator(world: World, step: StepFunction, max_tries: int) -> Iterator[World]:
    view = View(world.due, world.hooks, dict(world.jobs), max_tries, world.redo)
    match step(view):
        case None:
            return
        case Persist(hooks, answered):
            after = replace(world, hooks=hooks, redo=world.redo - answered)
            yield after
            if world.left:
                yield world.disturbed()  # dies before the write, or gets 409
                yield after.disturbed()  # dies after it
        case CreateJob(name):
            after = replace(_with_job(world, name, JobState.RUNNING), created=world.created | {name})
            yield after
            if world.left:
                yield after.disturbed()
                yield world.disturbed()


def _with_job(world: World, name: Name, state: JobState) -> World:
    others = {job for job in world.jobs if job[0] != name}
    return replace(world, jobs=frozenset(others | {(name, state)}))


def _check(world: World) -> None:
    for index, before in enumerate(world.hooks[:-1]):
        if world.hooks[index + 1].state is State.RUNNING and before.state not in ENDS:
            raise ViolationError(f"hook {index + 1} runs though hook {index} has not ended: {world}")
    effects = {name for name, _ in world.jobs}
    has_started = any(hook.state not in {State.WAITING, State.NOT_NEEDED} for hook in world.hooks)
    if (has_started or effects) and not (world.routed and world.due):
        raise ViolationError(f"a hook started before the route was back and the window final: {world}")
    if any(world.hooks[index].tries < number for index, number in effects):
        raise ViolationError(f"an effect without its intent in the status: {world}")
    if sum(state is JobState.RUNNING for _, state in world.jobs) > 1:
        raise ViolationError(f"two Jobs run at once: {world}")


def _check_change(before: World, after: World) -> None:
    is_running = any(hook.state is State.RUNNING for hook in before.hooks)
    for index, (old, new) in enumerate(zip(before.hooks, after.hooks, strict=True)):
        is_redone = (
            not is_running
            and old.state is State.FAILED
            and new == Hook(State.WAITING, old.tries)
            and index in before.redo - after.redo
        )
        if old.state in ENDS and old != new and not is_redone:
            raise ViolationError(f"a hook that had ended changed: {before} -> {after}")


def _can_reach(resting: set[World], following: Mapping[World, list[World]]) -> set[World]:
    """The states from which the machine comes to rest without a further disturbance."""
    origins: dict[World, list[World]] = {world: [] for world in following}
    for world, targets in following.items():
        for target in targets:
            if (target.left, target.redos) == (world.left, world.redos):
                origins[target].append(world)
    reached, todo = set(resting), deque(resting)
    while todo:
        for origin in origins[todo.popleft()]:
            if origin not in reached:
                reached.add(origin)
                todo.append(origin)
    return reached


# Faulty variants, each of which the model must catch.


def _running(view: View) -> Iterator[tuple[int, Hook]]:
    return ((index, hook) for index, hook in enumerate(view.hooks) if hook.state is State.RUNNING)


def starts_too_early(view: View) -> Step:
    return reference_step(replace(view, due=True))


def starts_the_next_hook_beside_a_running_one(view: View) -> Step:
    for index, hook in enumerate(view.hooks):
        if view.due and hook.state is State.WAITING:
            return Persist(_set(view.hooks, index, Hook(State.RUNNING, 1)))
    return reference_step(view)


def creates_the_job_before_the_intent(view: View) -> Step:
    if view.due and view.hooks[0].state is State.WAITING and not view.jobs:
        return CreateJob((0, 1))
    return reference_step(view)


def starts_a_second_job_beside_the_first(view: View) -> Step:
    for index, hook in _running(view):
        is_slow = view.jobs.get((index, hook.tries)) is JobState.RUNNING
        if is_slow and hook.seen and hook.tries < view.max_tries:
            return _failed(view, index, hook)
    return reference_step(view)


def waits_for_a_job_that_vanished(view: View) -> Step:
    for index, hook in _running(view):
        if hook.seen and (index, hook.tries) not in view.jobs:
            return None
    return reference_step(view)


def repeats_a_hook_that_failed(view: View) -> Step:
    for index, hook in enumerate(view.hooks):
        if hook.state is State.FAILED:
            return Persist(_set(view.hooks, index, Hook(State.RUNNING, 1)))
    return reference_step(view)


def redoes_a_hook_beside_a_running_one(view: View) -> Step:
    return _redo(view, min(view.redo)) if view.due and view.redo else reference_step(view)


def redoes_a_hook_without_answering(view: View) -> Step:
    step = reference_step(view)
    return Persist(step.hooks) if isinstance(step, Persist) else step


FAULTS: Final[tuple[StepFunction, ...]] = (
    starts_too_early,
    starts_the_next_hook_beside_a_running_one,
    creates_the_job_before_the_intent,
    starts_a_second_job_beside_the_first,
    waits_for_a_job_that_vanished,
    repeats_a_hook_that_failed,
    redoes_a_hook_beside_a_running_one,
    redoes_a_hook_without_answering,
)
