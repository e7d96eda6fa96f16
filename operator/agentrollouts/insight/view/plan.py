"""The steps of the attempt in progress: which are done, which is current, and which are to come."""

from collections.abc import Iterator
from datetime import datetime

from agentrollouts.api.attempt import Attempt, AttemptKind, State
from agentrollouts.api.rollout import BAKE, AgentRollout, AgentRolloutSpec, Phase
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt.clocks import elapsed, phase_seconds
from agentrollouts.core.attempt.schedule import rises_left
from agentrollouts.core.history import is_drill
from agentrollouts.core.recovery.drill.plan import plan_of
from agentrollouts.core.states import LATCHED, base_state, is_under_way
from agentrollouts.insight.view.running import FULL
from agentrollouts.insight.view.shape import Step
from agentrollouts.insight.view.words import Progress, StepKind


def plan(rollout: AgentRollout, now: datetime) -> tuple[Step, ...]:
    """The steps; empty at rest, and while an attempt is rolled back."""
    attempt = rollout.status.attempt
    if attempt is None or not is_under_way(rollout.status) or attempt.state in LATCHED:
        return ()
    if is_drill(rollout.status):
        return (_drill(rollout.spec, attempt, now),)
    return tuple(_steps(rollout, attempt, now))


def _steps(rollout: AgentRollout, attempt: Attempt, now: datetime) -> Iterator[Step]:
    spec, place = rollout.spec, place_of(rollout.spec, attempt)
    phases = () if is_without_phases(rollout.status) else spec.phases
    for index, phase in enumerate(phases):
        progress = _progress(index, place)
        step = _phase(phase, progress)
        yield _timed(step, spec, attempt, now) if progress is Progress.CURRENT else step
    bake = Step(
        name=BAKE,
        kind=StepKind.BAKE,
        progress=_progress(len(spec.phases), place),
        weight=phases[-1].weight if phases else FULL,
        duration_seconds=spec.bake.duration_seconds,
    )
    yield _timed(bake, spec, attempt, now) if bake.progress is Progress.CURRENT else bake


def is_without_phases(status: AgentRolloutStatus) -> bool:
    """Whether the release only bakes: the first one, and one to which Git returns."""
    attempt = status.attempt
    return status.stable is None or (attempt is not None and attempt.kind is AttemptKind.RETURN)


def place_of(spec: AgentRolloutSpec, attempt: Attempt) -> int:
    """Index of the current step; -1 before the first one, the number of phases in the bake."""
    if attempt.state is State.PENDING:
        return -1
    is_baking = base_state(attempt) in {State.INITIAL, State.BAKING}
    return len(spec.phases) if is_baking else attempt.phase_index


def _progress(index: int, place: int) -> Progress:
    if index == place:
        return Progress.CURRENT
    return Progress.DONE if index < place else Progress.TO_COME


def _phase(phase: Phase, progress: Progress) -> Step:
    return Step(
        name=phase.name,
        kind=StepKind.RAMP if phase.ramp_seconds else StepKind.PHASE,
        progress=progress,
        weight=phase.weight,
        duration_seconds=phase.duration_seconds,
        approvals=(phase.approvals or 1) if phase.approval == "Required" else 0,
    )


def _timed(step: Step, spec: AgentRolloutSpec, attempt: Attempt, now: datetime) -> Step:
    is_ramp = step.kind is StepKind.RAMP
    return Step(
        name=step.name,
        kind=step.kind,
        progress=step.progress,
        weight=step.weight,
        approvals=step.approvals,
        duration_seconds=seconds_of(spec, attempt),
        elapsed_seconds=int(elapsed(attempt, now)),
        is_stopped=attempt.clock_start_time is None,
        extensions=attempt.extensions,
        rises=len(rises_left(spec, attempt)) if is_ramp else None,
    )


def seconds_of(spec: AgentRolloutSpec, attempt: Attempt) -> int:
    """How long the current step lasts; a first release is not in any phase before its bake."""
    is_first = base_state(attempt) is State.INITIAL
    return spec.bake.duration_seconds if is_first else phase_seconds(spec, attempt)


def _drill(spec: AgentRolloutSpec, attempt: Attempt, now: datetime) -> Step:
    return Step(
        name="drill",
        kind=StepKind.DRILL,
        progress=Progress.CURRENT,
        weight=attempt.weight,
        duration_seconds=plan_of(spec).duration_seconds,
        elapsed_seconds=int(elapsed(attempt, now)),
        is_stopped=attempt.clock_start_time is None,
    )
