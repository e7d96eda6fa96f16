"""`agentrollouts judge`: the verdict of a gate on given counts, one JSON object per line in and out.

The same judge as in the operator, without a cluster and without Prometheus: for trying a gate on past counts,
and for comparing the judge with another.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TextIO

from pydantic import ValidationError

from agentrollouts.api.gates import Gate
from agentrollouts.api.verdict import Baseline, Verdict
from agentrollouts.cli.judge_input import MAX_PHASES, Pair, Phase, Question
from agentrollouts.cli.mistakes import printable, problems
from agentrollouts.core.gates.counts import (
    Mix,
    Recent,
    settled,
)
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.resolve import resolve
from agentrollouts.core.gates.selector import BOUND_LABEL, DEFAULT_LABELS, Refusal
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.judge.stats.arrivals import PATIENCE
from agentrollouts.core.judge.straying import STRAY_SECONDS
from agentrollouts.core.metrics.histograms import lowest_bound

UNREADABLE: Final = 1
UNDECIDED: Final = 2

_NOW: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""No verdict on counts depends on when their last sample was taken."""
_SECONDS: Final = 1.0
"""Nor on how long they were counted, except that runs that take as long can still be in progress."""


def answer_lines(lines: Iterable[str], out: TextIO, *, by_verdict: bool = False) -> int:
    """Answer each line as soon as it is read; empty ones are passed over.

    Args:
        lines: The questions.
        out: Where the answers go.
        by_verdict: Whether the exit code is that of the verdicts.

    Returns:
        The exit code: 1 if a line could not be read; by verdict, as `_code_of` says.
    """
    code, verdicts = 0, set[str]()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        result = _answer(line)
        if "error" in result:
            result = {"error": printable(result["error"]), "line": number}
            code = UNREADABLE
        verdicts.add(str(result.get("verdict")))
        print(json.dumps(result, allow_nan=False, ensure_ascii=False), file=out, flush=True)
    return _code_of(verdicts) if by_verdict else code


def _code_of(verdicts: set[str]) -> int:
    """0 if all pass, 1 if one fails, and 2 if that is not known, or nothing was judged."""
    if Verdict.FAIL in verdicts:
        return 1
    return 0 if verdicts == {Verdict.PASS} else UNDECIDED


def run_judge(options: argparse.Namespace) -> int:
    """Answer standard input on standard output."""
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    return answer_lines(sys.stdin, sys.stdout, by_verdict=options.exit_code)


def _answer(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"error": f"the line is not valid JSON: {error}"}
    if not isinstance(value, dict):
        return {"error": "the line must be a JSON object"}
    try:
        question = Question.model_validate(value)
    except ValidationError as error:
        return {"error": "; ".join(problems(error))}
    gate = _gate(question)
    problem = gate if isinstance(gate, str) else _misfit(question, gate)
    return {"error": problem} if problem or isinstance(gate, str) else _as_json(_judge(question, gate))


def _gate(question: Question) -> ResolvedGate | str:
    """The gate, read as strictly as the API server reads one, or what is wrong with it."""
    try:
        gate = Gate.model_validate(question.gate, extra="forbid")
    except ValidationError as error:
        return "; ".join(problems(error, "gate"))
    if (gate.template is None) == (gate.source is None):
        return "gate: must have exactly one of `template` and `source`"
    resolved = resolve(gate, "gate", DEFAULT_LABELS)
    return f"{resolved.field}: {resolved.message}" if isinstance(resolved, Refusal) else resolved


def _misfit(question: Question, gate: ResolvedGate) -> str:
    """The first field that contradicts another one; empty if none does."""
    if not question.phases:
        return "phases: needs the counts of at least one phase"
    indexes = [tally.phase for tally in question.tallies]
    if indexes[-1] >= MAX_PHASES:
        return f"phases: must be at most {MAX_PHASES}; parts of one phase have the same `phase`"
    if indexes != sorted(indexes):
        return "phases: must be in the order of their `phase`"
    if question.planned_phases is not None and question.planned_phases <= indexes[-1]:
        return f"plannedPhases: must be at least {indexes[-1] + 1}, the phases that have begun"
    pairs = {f"phases[{index}]": phase for index, phase in enumerate(question.phases)}
    recent = {"recent": question.recent} if question.recent else {}
    mistakes = [_strange_groups(field, phase, gate) for field, phase in pairs.items()]
    mistakes += [_too_many_bad(field, pair, gate) for field, pair in {**pairs, **recent}.items()]
    return next(filter(None, mistakes), "")


def _strange_groups(field: str, phase: Phase, gate: ResolvedGate) -> str:
    """Whether the phase has bounds where the gate wants a mix, and so on."""
    expected = "bounds" if gate.by == BOUND_LABEL else "mix" if gate.by else ""
    for name, groups in (("bounds", phase.bounds), ("mix", phase.mix)):
        if bool(groups) != (name == expected):
            requirement = "must be given for" if name == expected else "must not be given for"
            return f"{field}.{name}: {requirement} a gate of type {gate.kind}"
    for name, side in (("canary", phase.canary), ("stable", phase.stable)):
        if any(getattr(bound, name) > side.total for bound in phase.bounds):
            return f"{field}.bounds: `{name}` must be at most {field}.{name}.total"
    return ""


def _too_many_bad(field: str, pair: Pair, gate: ResolvedGate) -> str:
    """Whether more runs are bad than there are, where it is runs that are bad."""
    if gate.traits.is_sum or gate.traits.takes_count:
        return ""
    sides = (("canary", pair.canary), ("stable", pair.stable))
    wrong = (name for name, side in sides if side.bad > side.total)
    return next((f"{field}.{name}.bad: must be at most {field}.{name}.total" for name in wrong), "")


def _judge(question: Question, gate: ResolvedGate) -> Judgment:
    *finished, present = question.tallies
    mix = tuple(Mix(m.value, settled(m.canary), settled(m.stable)) for m in question.phases[-1].mix)
    recent = Recent(question.recent.segment, _bound(question, gate)) if question.recent else None
    return judge(
        gate,
        Reading(present.segment, present.bounds, _NOW, recent, mix),
        PlanPosition(
            present.phase,
            question.planned_phases or present.phase + 1,
            time_over=question.time_over,
            weight=present.expected.weight,
            counted_seconds=_SECONDS,
            run_seconds=_SECONDS * present.expected.underway / PATIENCE,
            started=present.expected.started,
            counts_runs=gate.counts_runs,
        ),
        finished=finished,
        burst=question.burst_factor,
        memory=_memory(question, gate),
    )


def _bound(question: Question, gate: ResolvedGate) -> float | None:
    """For a histogram: the bound above which `recent` and `before` count, or the lowest of several."""
    if not gate.traits.by_bounds:
        return None
    if gate.limit:
        return gate.limit.value
    phase = question.tallies[-1]
    return lowest_bound(phase.bounds, phase.segment.stable_total)


def _memory(question: Question, gate: ResolvedGate) -> GateMemory:
    """As if what the counts say had stood for as long as it must; of a shift nothing was said before."""
    before = question.before
    bound = _bound(question, gate) if gate.counts_amounts else None
    baseline = Baseline(bad=settled(before.bad), total=settled(before.total), bound=bound) if before else None
    if gate.traits.is_shift:
        return GateMemory(baseline)
    limit_seconds = gate.limit.for_seconds if gate.limit else 0
    stood = _NOW - timedelta(seconds=max(gate.for_seconds, limit_seconds, STRAY_SECONDS))
    return GateMemory(baseline, Streaks(failing=stood, beyond=stood, stray=stood))


def _as_json(judgment: Judgment) -> dict[str, Any]:
    finding = judgment.finding
    return {
        "verdict": judgment.verdict,
        "reason": judgment.reason,
        "evidence": finding.evidence if finding else None,
        "ratio": finding.ratio if finding and math.isfinite(finding.ratio) else None,
        "message": judgment.message,
    }
