"""Stable after a rollback: did the traffic move, and did stable recover?

The judge is the same as for a canary. Current counts of stable take the canary's place, and counts of stable
from a period of the same length before the attempt take stable's place. Everything that is remembered is in
`status.lastRollback`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.gates import Better, During, NoDataPolicy
from agentrollouts.api.rollback import LastRollback, LastRuns, VerifyOutcome
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import GateStatus, Verdict
from agentrollouts.core.analysis.observed import Observed
from agentrollouts.core.analysis.stages import FULL
from agentrollouts.core.attempt import window as window_of
from agentrollouts.core.attempt.clocks import elapsed
from agentrollouts.core.gates.counts import Segment, settled
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.resolve import labels_of
from agentrollouts.core.gates.selector import Refusal
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.history import is_drill, rollback_of, with_rollback
from agentrollouts.core.judge.explain import since_rollback
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import judge as judge_gate
from agentrollouts.core.judge.stats.arrivals import filled_since
from agentrollouts.core.metrics.histograms import Histogram, compare
from agentrollouts.core.metrics.queries import QueryPlan, Subject, Term
from agentrollouts.core.metrics.silence import MIN_SCRAPES
from agentrollouts.core.metrics.table import Cell, Table
from agentrollouts.core.states import is_unproved

STILL_SCRAPES: Final = 2
"""Samples without a further run after which the traffic has moved (gates.md, after a rollback)."""

MOST_RUNS: Final = 2_147_483_647
"""The bound of the field in the CRD."""

WHOLE: Final = PlanPosition(0, 1, time_over=True)
"""Verifying is one phase, in which an answer may come at any time."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one gate says about the rollback; no outcome while it cannot tell."""

    gate: ResolvedGate
    outcome: VerifyOutcome | None
    message: str

    @property
    def name(self) -> str:
        """The gate's name."""
        return self.gate.name


def check(spec: AgentRolloutSpec, gates: Iterable[ResolvedGate]) -> Iterable[Refusal]:
    """The names in `rollback.verify.gates` that no gate can answer to."""
    named = {gate.name: gate for gate in gates}
    for index, name in enumerate(spec.rollback.verify.gates or ()):
        field, named_gate = f"spec.rollback.verify.gates[{index}]", named.get(name)
        if named_gate is None:
            yield Refusal(field, f"there is no gate {name} in spec.gates")
        elif not named_gate.is_share_test:
            yield Refusal(field, f"{name} is a {named_gate.kind}, which does not compare rates; remove it")


def gates_after(
    spec: AgentRolloutSpec, status: AgentRolloutStatus, gates: Iterable[ResolvedGate]
) -> tuple[ResolvedGate, ...]:
    """The gates by which the current rollback is judged; none where there is nothing to recover from."""
    attempt, verify = status.attempt, spec.rollback.verify
    is_watched = attempt is not None and attempt.state is State.VERIFYING and verify.watch_seconds > 0
    is_watched = is_watched and not is_unproved(status)  # the watch at rest proves it, by the limit itself
    if not is_watched or status.stable is None or status.canary is None or not _did_harm(status):
        return ()
    if verify.gates is None:
        return tuple(gate for gate in gates if During.VERIFY in gate.during)
    return tuple(gate for gate in gates if gate.name in verify.gates and gate.is_share_test)


def _did_harm(status: AgentRolloutStatus) -> bool:
    """Whether a gate found the canary worse; what a person or a group decided waits for no verification."""
    rollback = rollback_of(status)
    if rollback is None or rollback.trigger not in {Trigger.SPEC_REVERTED, Trigger.ACTION, Trigger.GROUP}:
        return rollback is not None
    return any(gate.verdict is Verdict.FAIL for gate in status.gates) or any(c.exceeded for c in status.caps)


def plan(obs: Observed, status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...]) -> QueryPlan | None:
    """What is queried: stable now and then, and the last runs of the canary; None if nothing is verified."""
    rollout, spec, attempt = obs.rollout, obs.rollout.spec, status.attempt
    due = gates_after(spec, status, gates)
    if not due or attempt is None or status.stable is None or status.canary is None:
        return None
    subject = Subject(
        rollout.metadata.namespace, spec.agent, status.canary.release, status.stable.release, labels_of(spec)
    )
    start, totals = attempt.clock_start_time or attempt.start_time, [gate.sources.total for gate in due]
    now = [source for gate in due for source in (gate.sources.bad, gate.sources.total)]
    runs = _runs(due)
    return QueryPlan(
        subject,
        start,
        start + timedelta(seconds=spec.analysis.warmup_seconds),
        tuple(dict.fromkeys([runs, *now, *map(_past, now)])),
        totals=frozenset([runs, *totals]),
        guarded=frozenset(map(_past, totals)),
        standing=frozenset([runs]),
        past_end=attempt.start_time,
    )


def _runs(gates: tuple[ResolvedGate, ...]) -> Source:
    """A counter that stands still when the traffic is gone: of runs where there is one."""
    by_fitness = sorted(gates, key=lambda gate: (not gate.counts_runs, gate.traits.by_bounds))
    return Source(by_fitness[0].total)


def _past(source: Source) -> Source:
    return replace(source, past=True)


def apply(
    status: AgentRolloutStatus,
    gates: tuple[ResolvedGate, ...],
    table: Table | None,
    obs: Observed,
    *,
    gateway_follows: bool,
) -> AgentRolloutStatus:
    """The status with what was seen of the traffic since the rollback; it changes until that is gone."""
    rollback, attempt, spec = rollback_of(status), status.attempt, obs.rollout.spec
    if rollback is None or attempt is None or attempt.state is not State.VERIFYING:
        return status
    last, is_over = _last_runs(rollback.last_runs, table) if table else (rollback.last_runs, False)
    observed = rollback.observed_time or (obs.now if gateway_follows else None)
    if observed is None and is_over and last:
        observed = max(last.time, rollback.routed_time or last.time)
    seen = rollback.copy_with(last_runs=last, observed_time=observed)
    is_counted = bool(gates_after(spec, status, gates))
    is_final = is_over or elapsed(attempt, obs.now) >= spec.rollback.verify.within_seconds
    is_final = is_final or (not is_counted and observed is not None)
    window, runs = status.affected_window, _runs_of_gates(status.gates, gates)
    if is_drill(status):
        return _drilled(with_rollback(status, seen), seen, runs, is_over=is_over)
    return status.copy_with(
        last_rollback=seen,
        affected_window=window and window_of.counted(window, seen, runs, is_final=is_final),
    )


def _drilled(
    status: AgentRolloutStatus, seen: LastRollback, runs: int | None, *, is_over: bool
) -> AgentRolloutStatus:
    """The status with what a drill counted; its window is not one of harm."""
    drill, last = status.last_drill, seen.last_runs
    if drill is None:
        return status
    known = [number for number in (drill.runs, runs) if number is not None]
    drill = drill.copy_with(runs=max(known, default=None))  # its counters have what it served before
    if is_over and last and drill.decided_to_last_run_seconds is None:
        seconds = max(0.0, (last.time - seen.decided_time).total_seconds())
        drill = drill.copy_with(decided_to_last_run_seconds=f"{seconds:.3f}")
    return status.copy_with(last_drill=drill)


def _runs_of_gates(statuses: Iterable[GateStatus], gates: Iterable[ResolvedGate]) -> int | None:
    """Runs of the canary in the whole attempt, by the gate that counted most; None if none counts runs."""
    names = {gate.name for gate in gates if gate.counts_runs}
    totals = (settled(gate.canary.total) for gate in statuses if gate.name in names)
    most = max(totals, default=0.0)
    return round(min(most, MOST_RUNS)) if most else None


def _last_runs(persisted: LastRuns | None, table: Table) -> tuple[LastRuns | None, bool]:
    """The runs of the canary so far, and whether they are over."""
    canary = table.plan.subject.canary
    (runs,) = table.plan.standing
    value = table.value(runs, Term.VALUE, canary)
    newest, scrapes = table.value(runs, Term.NEWEST, canary), table.value(runs, Term.SCRAPES, canary)
    if value is None or newest is None or runs in table.problems:
        return persisted, persisted is not None and value is None  # its agents are gone
    seen = LastRuns(
        runs=min(round(value), MOST_RUNS), time=datetime.fromtimestamp(newest, UTC), scrapes=int(scrapes or 0)
    )
    if persisted is None or seen.runs > persisted.runs:
        return seen, False
    is_over = seen.scrapes >= persisted.scrapes + STILL_SCRAPES
    return persisted.copy_with(runs=seen.runs), is_over  # fewer where an agent has ended


def judge(
    status: AgentRolloutStatus,
    spec: AgentRolloutSpec,
    gates: tuple[ResolvedGate, ...],
    table: Table | None,
) -> tuple[Recovery, ...]:
    """What each gate says about the rollback; none without a readable result."""
    if table is None or table.plan.past_end is None:
        return ()
    statuses = {gate.name: gate for gate in status.gates}
    bursts = {name: gate.burst_factor for name, gate in statuses.items()}
    return tuple(
        _recovery(gate, table, gate.burst or bursts.get(gate.name), _last_weight(statuses.get(gate.name)))
        for gate in gates_after(spec, status, gates)
    )


def _last_weight(gate: GateStatus | None) -> int:
    """What the canary had before the rollback, in percent; all of it where that is not known."""
    last = (gate.present or next(reversed(gate.segments), None)) if gate else None
    return last.weight if last and last.weight is not None else FULL


def _recovery(gate: ResolvedGate, table: Table, burst: float | None, weight: int) -> Recovery:
    reading = _reading(gate, table)
    if isinstance(reading, str):
        is_optional = gate.no_data is NoDataPolicy.IGNORE
        return Recovery(gate, VerifyOutcome.UNVERIFIED if is_optional else None, reading)
    plain = replace(gate, limit=None, for_seconds=0)
    judged = judge_gate(plain, reading, WHOLE, burst=burst)
    comparison, runs = judged.finding, reading.segment.canary_total
    sentence = since_rollback(gate, comparison) if comparison else judged.message
    if comparison is None or runs < gate.min_samples or not reading.segment.stable_total:
        return Recovery(gate, None, f"{sentence}; {gate.min_samples:,} {gate.words.total} needed")
    matters = (
        comparison.ratio < gate.margin if gate.better is Better.HIGHER else comparison.ratio > gate.margin
    )
    if judged.verdict is Verdict.ERROR:
        return Recovery(gate, None, judged.message)
    if judged.verdict is Verdict.FAIL:
        slow = replace(reading, segment=filled_since(reading.segment, weight))
        if judge_gate(plain, slow, WHOLE, burst=burst).verdict is not Verdict.FAIL:
            return Recovery(gate, None, f"{sentence}; runs that have not ended yet might make up for it")
        return Recovery(gate, VerifyOutcome.NOT_RECOVERED, sentence)
    return Recovery(gate, None if matters else VerifyOutcome.RECOVERED, sentence)


def _reading(gate: ResolvedGate, table: Table) -> Reading | str:
    """Stable now, in the place of a canary, beside stable before the attempt; or why there are no counts."""
    total, bad = gate.sources.total, gate.sources.bad
    sources = (bad, total, _past(bad), _past(total))
    if problems := [table.problems[source] for source in sources if source in table.problems]:
        return problems[0]
    scrapes = table.value(total, Term.SCRAPES, table.plan.subject.stable or "") or 0.0
    if scrapes < MIN_SCRAPES:
        return f"{scrapes:.0f} of {MIN_SCRAPES} scrapes since the rollback"
    bads, totals = _sides(bad, total, table), _sides(total, total, table)
    if gate.traits.by_bounds:
        found_bounds = compare(*totals)
        return _read(found_bounds, table.at) if isinstance(found_bounds, Histogram) else found_bounds
    counts = (side.get(None, 0.0) for pair in zip(bads, totals, strict=True) for side in pair)
    return Reading(Segment(*counts), (), table.at)


def _read(histogram: Histogram, at: datetime) -> Reading:
    return Reading(histogram.segment, histogram.bounds, at)


def _sides(source: Source, total: Source, table: Table) -> tuple[Cell, Cell]:
    """Counts of stable now and then; births only where Prometheus looked when the window began."""
    stable = table.plan.subject.stable or ""
    pairs = ((source, total), (_past(source), _past(total)))
    now, then = (
        table.counts(queried, stable)
        if table.term(guard, Term.COVERED, stable)
        else table.term(queried, Term.INCREASE, stable)
        for queried, guard in pairs
    )
    return now, then
