"""A forecast in words: one sentence for a phase, and what to change in a plan.

Printed by the command line, and set in the status once per phase, when its real traffic is known.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from agentrollouts.api.analysis import OnTimeout
from agentrollouts.api.attempt import State
from agentrollouts.api.gates import Better
from agentrollouts.api.model.base import SECONDS_MAX
from agentrollouts.api.rollout import AgentRolloutSpec, Phase
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.analysis.forecast import HOUR, PhaseForecast, Sight, Usual, forecast_phase, usual_of
from agentrollouts.core.gates.wording import about, percent, times
from agentrollouts.core.history import is_drill
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.metrics.table import QueryResult
from agentrollouts.core.states import base_state

DAY: Final = 24 * 3600
"""Seconds of a day."""
ENOUGH_RUNS: Final = 100
"""Runs of both releases from which the traffic of a phase is known, to about a tenth."""
ENOUGH_SECONDS: Final = 600
"""How long they must have been counted, or a tenth of the phase: traffic comes in waves."""

_OUTCOMES = {
    OnTimeout.HOLD: "held until someone decides",
    OnTimeout.PROMOTE: "promoted anyway",
    OnTimeout.ROLL_BACK: "rolled back",
}


def with_outlook(
    status: AgentRolloutStatus,
    spec: AgentRolloutSpec,
    judgments: Sequence[Judgment],
    poll_result: PollResult | None,
) -> AgentRolloutStatus:
    """The status with what the current phase can catch; said once its traffic is known, and then kept.

    Stable's rates and the burst factors are those that were measured before the attempt, where they were.
    """
    attempt = status.attempt
    if attempt is None or attempt.outlook or base_state(attempt) is not State.CANARY or is_drill(status):
        return status
    if poll_result is None or not judgments:  # then the plan may be another, without this phase
        return status
    runs_per_hour = _traffic(judgments, poll_result, spec.phases[attempt.phase_index].duration_seconds)
    if runs_per_hour is None:
        return status
    gates = [replace(judgment.gate, burst=judgment.burst) for judgment in judgments]
    usual = {judgment.name: _usual(spec, judgment) for judgment in judgments}
    outlook = headline(forecast_phase(spec, gates, runs_per_hour, usual, attempt.phase_index))
    return status.copy_with(attempt=attempt.replace(outlook=outlook))


def _traffic(judgments: Iterable[Judgment], poll_result: PollResult, phase_seconds: float) -> float | None:
    """Runs per hour of both releases; None while too few were counted."""
    for judgment in judgments:
        gate, present = judgment.gate, judgment.present
        if present is None or not gate.counts_runs or not isinstance(poll_result.result, QueryResult):
            continue
        seconds = poll_result.plan.window(gate.sources.total, poll_result.result.at)
        runs = present.segment.canary_total + present.segment.stable_total
        if runs >= ENOUGH_RUNS and seconds >= min(ENOUGH_SECONDS, phase_seconds / 10):
            return HOUR * runs / seconds
    return None


def _usual(spec: AgentRolloutSpec, judgment: Judgment) -> Usual:
    """Stable's rate before the attempt, where it is known and not zero."""
    assumed, before = usual_of(spec, judgment.gate), judgment.memory.baseline
    if not judgment.gate.traits.is_outcome or before is None or not before.bad:
        return assumed
    return Usual(before.bad / before.total, assumed.worse)


def headline(phase: PhaseForecast) -> str:
    """What a phase can catch, in one sentence.

    `about 50 canary runs: can catch total failure and not much else`
    """
    seen = [sight for sight in phase.sights if sight.is_served]
    caught = [sight for sight in seen if sight.catches_usual]
    missed = [sight for sight in seen if not sight.catches_usual]
    begins = f"about {about(phase.canary_runs)} canary runs: can catch"
    if any(_is_outcome(sight) for sight in caught) or not missed:
        sentence = (
            f"{begins} {_listed(_named(sight, sight.smallest) for sight in caught)}" if caught else begins
        )
        but = f", not {_listed(_named(sight, sight.usual.worse) for sight in missed)}" if missed else ""
        return f"{sentence}{but}" if caught else f"{begins} nothing, as no gate compares rates"
    total = any(_is_outcome(sight) and sight.smallest is not None for sight in missed)
    names = (["total failure"] if total else []) + [_named(sight, sight.smallest) for sight in caught]
    return f"{begins} {_listed(names)} and not much else" if names else f"{begins} nothing"


def change(sight: Sight, worse: float | None) -> str:
    """From stable's rate to one that is so many times worse, in the unit of the gate: 1.2% to 8.4%, or 3x."""
    if worse is None:
        return "nothing"
    if not sight.gate.traits.is_outcome:
        return times(worse)
    usual, then = sight.usual.bad, min(1.0, sight.usual.bad * worse)
    if sight.gate.better is Better.HIGHER:
        usual, then = 1 - usual, 1 - then
    return f"{percent(usual)} to {percent(then)}"


def advice(spec: AgentRolloutSpec, phases: Sequence[PhaseForecast]) -> tuple[str, ...]:
    """What to change so that every phase can pass and every gate can catch what it is there for."""
    return (*_too_few(spec, phases), *_blind(spec, phases))


def _too_few(spec: AgentRolloutSpec, phases: Sequence[PhaseForecast]) -> Iterator[str]:
    """Phases that cannot pass in time, for want of runs."""
    for phase, estimate in zip(spec.phases, phases, strict=True):
        min_samples = max((sight.gate.min_samples for sight in estimate.sights), default=0)
        if estimate.canary_runs >= min_samples or not estimate.canary_runs:
            continue
        names = _listed(sight.gate.name for sight in estimate.sights if sight.gate.min_samples == min_samples)
        is_in_time = spec.analysis.max_extensions and 2 * estimate.canary_runs >= min_samples
        then = "extended" if is_in_time else f"extended and then {_OUTCOMES[spec.analysis.on_timeout]}"
        yield (
            f"{phase.name}: about {about(estimate.canary_runs)} of the {min_samples:,} canary runs that "
            f"{names} needs to pass (`minSamples`), so it will be {then}. "
            f"{_remedy(spec, phase, min_samples / estimate.canary_runs)}"
        )


def _blind(spec: AgentRolloutSpec, phases: Sequence[PhaseForecast]) -> Iterator[str]:
    """Gates that miss what they are there for: in every phase, or in the first one."""
    for index, first in enumerate(phases[0].sights if phases else ()):
        by_phase = [phase.sights[index] for phase in phases]
        caught = [n for n, sight in enumerate(by_phase) if sight.catches_usual]
        needed = first.runs_needed
        if not first.is_served or (caught and caught[0] == 0) or needed is None or not first.canary_runs:
            continue
        where = f"only in {phases[caught[0]].name}" if caught else "in no phase"
        yield (
            f"{first.gate.name}: {change(first, first.usual.worse)} is caught {where}; "
            f"in {phases[0].name} it takes about {math.ceil(needed):,} canary runs. "
            f"{_remedy(spec, spec.phases[0], needed / first.canary_runs)}"
        )


def _remedy(spec: AgentRolloutSpec, phase: Phase, factor: float) -> str:
    """How to have so many times the runs: by time, or by a weight that stays below the next phase's.

    Only what the API server accepts: no phase lasts longer than `SECONDS_MAX`.
    """
    seconds = _rounded_up(phase.duration_seconds * factor)
    index = spec.phases.index(phase)
    ceiling = spec.phases[index + 1].weight if index + 1 < len(spec.phases) else 100
    weight = math.ceil(phase.weight * factor)
    remedies = [f"`durationSeconds: {seconds}`"] if seconds <= SECONDS_MAX else []
    remedies += [f"`weight: {weight}`"] if weight < ceiling and not phase.ramp_seconds else []
    if remedies:
        return f"Set {', or '.join(remedies)}."
    return f"That takes about {about(seconds / DAY)} days, and a phase lasts at most {SECONDS_MAX // DAY}."


def _rounded_up(seconds: float) -> int:
    """To whole minutes."""
    return 60 * math.ceil(seconds / 60)


def _is_outcome(sight: Sight) -> bool:
    return sight.gate.traits.is_outcome


def _named(sight: Sight, worse: float | None) -> str:
    return f"{sight.gate.name} {change(sight, worse)}"


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)
