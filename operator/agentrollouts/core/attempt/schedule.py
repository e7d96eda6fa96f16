"""The plan of a rollout as arithmetic: its hash, its phases and their ramp steps."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import rfc8785
from pydantic_core import to_jsonable_python

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.rollout import AgentRolloutSpec, Phase

MAX_RAMP_STEPS: Final = 10
"""Each ramp step is a counting segment that the status keeps, so their number is bounded."""


JUDGED_BY: Final = ("phases", "gates", "analysis", "metrics", "bake")
"""The fields of the spec by which an attempt is judged."""


def plan_hash(spec: AgentRolloutSpec) -> str:
    """Identity of everything that an attempt is judged by; progress is keyed by it and by the digest.

    Args:
        spec: With the phases that count, and no others.
    """
    return _hash_of(tuple(getattr(spec, name) for name in JUDGED_BY))


@lru_cache(maxsize=64)
def _hash_of(parts: tuple[object, ...]) -> str:
    """The hash of the parts of a plan.

    Kept for the plans last used, since a decision needs it twice and agents often share a plan. To keep it
    for all attempts takes 30 KiB for each different plan.
    """
    plan = to_jsonable_python(dict(zip(JUDGED_BY, parts, strict=True)), by_alias=True)
    plan["analysis"].pop("endpointGraceSeconds")  # no evidence depends on it
    for phase in plan["phases"]:
        phase.pop("approvals")  # nor on the number of people
        phase.pop("when")  # only phases that count are here
    if plan["metrics"]["labels"]["cohort"] is None:
        plan["metrics"]["labels"].pop("cohort")  # as in the hashes of versions without it
    for gate in plan["gates"]:
        gate.pop("rollBackAfterSeconds")  # nor on how long a Fail may hold
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
    """The steps of the current phase that are still above the attempt's weight."""
    return tuple(step for step in steps_of(spec, attempt.phase_index) if step.weight > attempt.weight)
