"""The plan of a rollout as arithmetic: hash, clock, ramp steps. Read by `decide` and by its moves."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import rfc8785
from pydantic_core import to_jsonable_python

from agentrollouts.api.rollout import AgentRolloutSpec, Phase
from agentrollouts.api.status import Attempt, State
from agentrollouts.core.states import base_state

CLOCKS: Final = (
    "start_time",
    "traffic_start_time",
    "phase_start_time",
    "clock_start_time",
    "counting_start_time",
    "endpoints_lost_time",
)
"""The times of an attempt from which something is counted."""

MAX_RAMP_STEPS: Final = 10
"""Each ramp step is a counting segment that the status keeps, so their number is bounded."""


JUDGED_BY: Final = ("phases", "gates", "analysis", "metrics", "bake")
"""The fields of the spec by which an attempt is judged."""


def plan_hash(spec: AgentRolloutSpec) -> str:
    """Identity of everything that an attempt is judged by; progress is keyed by it and by the digest."""
    return _hash_of(tuple(getattr(spec, name) for name in JUDGED_BY))


@lru_cache(maxsize=64)
def _hash_of(parts: tuple[object, ...]) -> str:
    """The hash of the parts of a plan.

    Kept for the plans last used, since a decision needs it twice and agents often share a plan. To keep it
    for all attempts takes 30 KiB for each different plan.
    """
    plan = to_jsonable_python(dict(zip(JUDGED_BY, parts, strict=True)), by_alias=True)
    plan["analysis"].pop("endpointGraceSeconds")  # no evidence depends on it
    return hashlib.sha256(rfc8785.dumps(plan)).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class RampStep:
    """One small rise of a ramp: the canary's weight in percent, due at a second of the phase's clock."""

    weight: int
    due_seconds: float


def ramp(phase: Phase, start_weight: int) -> tuple[RampStep, ...]:
    """The steps of a phase from the weight before it; a phase without a ramp is one step at once."""
    rise = phase.weight - start_weight
    if not phase.ramp_seconds or rise <= 0:
        return (RampStep(phase.weight, 0),)
    count = min(MAX_RAMP_STEPS, rise)
    return tuple(
        RampStep(start_weight + round(rise * (index + 1) / count), phase.ramp_seconds * index / count)
        for index in range(count)
    )


def steps_of(spec: AgentRolloutSpec, phase_index: int) -> tuple[RampStep, ...]:
    """The steps of phase `phase_index`, which starts from the weight of the phase before it."""
    before = spec.phases[phase_index - 1].weight if phase_index else 0
    return ramp(spec.phases[phase_index], before)


def step_at(spec: AgentRolloutSpec, phase_index: int, weight: int) -> int:
    """Index of the phase's last step that does not exceed `weight`; the first where all do."""
    steps = steps_of(spec, phase_index)
    return max((index for index, step in enumerate(steps) if step.weight <= weight), default=0)


def phase_at_weight(spec: AgentRolloutSpec, weight: int) -> int:
    """Index of the last phase that begins at `weight` or below; the first where all begin above."""
    begun = (i for i in range(len(spec.phases)) if steps_of(spec, i)[0].weight <= weight)
    return max(begun, default=0)


def rises_left(spec: AgentRolloutSpec, attempt: Attempt) -> tuple[RampStep, ...]:
    """The steps of the present phase that are still above the attempt's weight."""
    return tuple(step for step in steps_of(spec, attempt.phase_index) if step.weight > attempt.weight)


def elapsed(attempt: Attempt, now: datetime) -> float:
    """Seconds of the phase's clock: what was consumed before the last stop, and since then if it runs."""
    if attempt.clock_start_time is None:
        return attempt.elapsed_seconds
    running = (now - attempt.clock_start_time).total_seconds()
    return attempt.elapsed_seconds + max(0.0, running)


def on_time(attempt: Attempt, now: datetime) -> Attempt:
    """The attempt without times that are still to come: the clock was put back, so they begin anew.

    Otherwise nothing would be counted, and no clock would run, until the clock had caught up.
    """
    times = {name: getattr(attempt, name) for name in CLOCKS}
    ahead = {name: now for name, time in times.items() if time is not None and time > now}
    return attempt.model_copy(update=ahead) if ahead else attempt


def phase_seconds(spec: AgentRolloutSpec, attempt: Attempt) -> int:
    """How long the present phase, or the bake, lasts; all extensions together at most double it.

    Whole seconds, like the stopped clock that is compared with it.
    """
    is_baking = base_state(attempt) is State.BAKING
    duration = (spec.bake if is_baking else spec.phases[attempt.phase_index]).duration_seconds
    return duration + duration * attempt.extensions // max(1, spec.analysis.max_extensions)


def next_extensions(spec: AgentRolloutSpec, attempt: Attempt) -> int:
    """How many extensions the phase has after the next one, which lasts until another result is due.

    A step of a short phase is shorter than `analysis.intervalSeconds`; one after the other would be used up,
    each with an Event, without any new count between them.
    """
    most, now = spec.analysis.max_extensions, phase_seconds(spec, attempt)
    later = range(attempt.extensions + 1, most)
    longer = (n for n in later if _seconds_at(spec, attempt, n) - now >= spec.analysis.interval_seconds)
    return next(longer, most)


def _seconds_at(spec: AgentRolloutSpec, attempt: Attempt, extensions: int) -> int:
    return phase_seconds(spec, attempt.model_copy(update={"extensions": extensions}))


def due_time(attempt: Attempt, clock_seconds: float, now: datetime) -> datetime:
    """When the phase's running clock will show `clock_seconds`, at the earliest now."""
    return now + timedelta(seconds=max(0.0, clock_seconds - elapsed(attempt, now)))


def warmup_left(spec: AgentRolloutSpec, attempt: Attempt, counting_start: datetime) -> float:
    """Seconds after `counting_start` from which latency and cost count.

    The warm-up is once a phase, not once a step of a ramp.
    """
    warm = (attempt.phase_start_time or counting_start) + timedelta(seconds=spec.analysis.warmup_seconds)
    return max(0.0, (warm - counting_start).total_seconds())
