"""`agentrollouts plan`: what a rollout could catch at a given traffic, before anything is shipped."""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.attempt import When
from agentrollouts.api.gates import Better
from agentrollouts.api.recovery.standby import USUAL, Standby
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.cli.mistakes import WrongUseError, problems
from agentrollouts.cli.readiness import Releases, recovery, releases_of
from agentrollouts.cli.reading import read_objects
from agentrollouts.core.analysis.analyze import refusals_of
from agentrollouts.core.analysis.forecast import PhaseForecast, Sight, Usual, forecast, usual_of
from agentrollouts.core.analysis.outlook import advice, change, headline
from agentrollouts.core.attempt.ladder import counted, extra_phases
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve_all

WRONG_USE: Final = 2


def run_plan(options: argparse.Namespace) -> int:
    """Print the forecast; 2 where the rollout or an argument is wrong."""
    try:
        spec, releases = _read(options.file)
        _check(spec)
        phases, cautious, advised = forecasts(spec, options.runs_per_hour, options.rate)
    except WrongUseError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    prepared = recovery(counted(spec, When.ALWAYS), resolve_all(spec).gates, releases)
    suggestions = (*advised, *prepared.suggestions)
    if options.json:
        after: dict[str, Any] = {"afterRollback": [_as_json(phase) for phase in cautious]} if cautious else {}
        if spec.standby:
            after["standby"] = [each.to_json() for each in spec.standby]
        after |= {"recovery": prepared.as_json(), "advice": suggestions}
        print(json.dumps({"phases": [_as_json(phase) for phase in phases], **after}))
    else:
        print(_as_text(spec, phases, cautious, suggestions, options.runs_per_hour))
        print(f"\n{prepared.as_text()}")
    return 0


_Forecasts = tuple[tuple[PhaseForecast, ...], tuple[PhaseForecast, ...], tuple[str, ...]]
"""Of the phases, of those after a rollback if they are others, and what to change."""


def _check(spec: AgentRolloutSpec) -> None:
    if wrong := refusals_of(spec):  # what the operator would refuse with InvalidGate
        raise WrongUseError("\n".join(map(str, wrong)))


def forecasts(spec: AgentRolloutSpec, runs_per_hour: float, rates: Sequence[str] = ()) -> _Forecasts:
    """The forecasts of a plan whose gates can be served.

    Raises:
        WrongUseError: the traffic or a rate is wrong.
    """
    if not 0 < runs_per_hour < math.inf:
        raise WrongUseError("--runs-per-hour: must be more than 0")
    gates = resolve_all(spec).gates
    usual = _usual(spec, {gate.name: gate for gate in gates}, rates)
    usually = counted(spec, When.ALWAYS)
    phases = forecast(usually, gates, runs_per_hour, usual)
    suggestions = advice(usually, phases)
    if not extra_phases(spec):
        return phases, (), suggestions
    cautious = forecast(spec, gates, runs_per_hour, usual)
    return phases, cautious, tuple(dict.fromkeys((*suggestions, *advice(spec, cautious))))


def _read(name: str) -> tuple[AgentRolloutSpec, Releases]:
    """The one AgentRollout of the file, and the releases of its agent.

    The API server must accept all objects of ours in it.
    """
    objects = read_objects(name)
    rollouts = [each for each in objects if each.get("kind") == "AgentRollout"]
    if len(rollouts) != 1:
        raise WrongUseError(f"{name}: has {len(rollouts)} AgentRollouts; name a file with one")
    try:
        spec = AgentRollout.model_validate(rollouts[0]).spec
        return spec, releases_of(objects, spec.agent)
    except ValidationError as error:
        raise WrongUseError("\n".join(problems(error))) from None


def _usual(
    spec: AgentRolloutSpec, gates: Mapping[str, ResolvedGate], given: Sequence[str]
) -> dict[str, Usual]:
    """What the user said of stable, by gate."""
    usual: dict[str, Usual] = {}
    for text in given:
        name, _, share = text.partition("=")
        gate = gates.get(name)
        if gate is None:
            raise WrongUseError(f"--rate {text}: there is no gate {name}; one of: {', '.join(gates)}")
        try:
            rate = float(share)
        except ValueError:
            rate = math.nan
        if not 0 < rate < 1:
            raise WrongUseError(f"--rate {text}: must be a share between 0 and 1, such as {name}=0.02")
        bad = 1 - rate if gate.better is Better.HIGHER else rate
        usual[name] = Usual(bad, usual_of(spec, gate).worse)
    return usual


def _as_text(
    spec: AgentRolloutSpec,
    phases: Sequence[PhaseForecast],
    cautious: Sequence[PhaseForecast],
    suggestions: Sequence[str],
    runs_per_hour: float,
) -> str:
    """A block for each phase, also of the attempts after a rollback, then what to change."""
    lines = [f"At {runs_per_hour:,.6g} runs an hour:", *_blocks(phases)]
    if cautious:
        lines += ["", "After a rollback, until a release is Healthy:", *_blocks(cautious)]
    if spec.standby:
        lines += ["", "At rest, if a gate of stable fails:", *map(_standby, spec.standby)]
    return "\n".join([*lines, "", "What to change:", *(f"- {each}" for each in suggestions or ["nothing"])])


def _standby(standby: Standby) -> str:
    seconds = _span(standby.return_after_seconds or USUAL)
    names = " or ".join(standby.gates)
    return f"  {names}: {standby.release_ref.name} serves for {seconds}, twice as long each time, up to 1 h"


def _blocks(phases: Sequence[PhaseForecast]) -> list[str]:
    lines: list[str] = []
    for phase in phases:
        lines += ["", f"{phase.name} ({phase.weight}% for {_span(phase.seconds)}): {headline(phase)}"]
        rows = [("GATE", "CATCHES", "OF INTEREST", "")] + [_row(sight) for sight in phase.sights]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
    return lines


def _row(sight: Sight) -> tuple[str, str, str, str]:
    if not sight.is_served:
        return sight.gate.name, f"not forecast: type {sight.gate.kind}", "", ""
    usual = change(sight, sight.usual.worse)
    if sight.catches_usual:
        verdict = "is caught"
    elif sight.runs_needed is None:
        verdict = "cannot be caught here"
    else:
        verdict = f"needs {math.ceil(sight.runs_needed):,} canary runs"
    return sight.gate.name, change(sight, sight.smallest), usual, verdict


def _as_json(phase: PhaseForecast) -> dict[str, Any]:
    return {
        "name": phase.name,
        "weight": phase.weight,
        "durationSeconds": phase.seconds,
        "canaryRuns": phase.canary_runs,
        "message": headline(phase),
        "gates": [
            {
                "name": sight.gate.name,
                "type": sight.gate.kind,
                "smallestWorse": sight.smallest,
                "catches": change(sight, sight.smallest) if sight.is_served else None,
                "worse": sight.usual.worse,
                "regression": change(sight, sight.usual.worse) if sight.is_served else None,
                "runsNeeded": sight.runs_needed,
                "isCaught": sight.catches_usual,
            }
            for sight in phase.sights
        ],
    }


def _span(seconds: int) -> str:
    """1 h, 90 min, 45 s."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
