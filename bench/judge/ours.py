"""The shipped judge, asked every minute: the operator's own gates, burst factors and verdicts.

To save time it is not asked where no Fail is possible: see `may_fail` and `may_be_beyond`, proved in
their docstrings and tested against asking always.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from agentrollouts.api.gates import Better
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.analysis.baseline import factors
from agentrollouts.core.gates.counts import Recent, Segment, Started, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.judge.facts import GateMemory, PlanPosition
from agentrollouts.core.judge.judge import NOTHING, Judgment, judge
from agentrollouts.core.metrics.queries import Subject, Term, plan_queries, tag
from bench.judge.streams import PHASES, Minute

_TEMPLATES: Final = {
    "errors": "error-rate",
    "completion": "task-completion",
    "accuracy": "accuracy",
    "latency": "latency",
    "cost": "cost-per-run",
    "decisions": "decision-mix",
}
GATES: Final[Mapping[str, ResolvedGate]] = {
    gate.name: gate
    for gate in resolve_all(
        AgentRolloutSpec.model_validate(
            {
                "agent": "a",
                "releaseRef": {"name": "r"},
                "gates": [{"name": name, "template": template} for name, template in _TEMPLATES.items()],
            }
        )
    ).gates
}
"""As shipped, with the defaults of their templates."""

NOW: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PLAN: Final = plan_queries(
    tuple(GATES.values()), Subject("bench", "a", "canary", "stable"), counting_start=NOW, warmup_seconds=0
)
EMPTY: Final = Segment(0.0, 0.0, 0.0, 0.0)
NONE_BEGAN: Final = Started(0.0, 0.0)
TIMES: Final = tuple(NOW - timedelta(minutes=minutes) for minutes in range(240, 0, -1))


@dataclass(frozen=True, slots=True)
class Past:
    """What a judge is told of the time before."""

    finished: tuple[Tally, ...]
    burst: float | None
    memory: GateMemory = NOTHING


@dataclass(frozen=True, slots=True)
class Known:
    """What a judge is told of an attempt besides the runs that ended."""

    weight: bool = True
    run_seconds: float = 0.0
    """Mean duration of a run of stable, as the latency gate sees it; 0 if there is none."""
    began: Sequence[tuple[float, float]] = ()
    """Runs of canary and stable that began, by the minute, where agents count them."""


RUN_SECONDS: Final = 8.0
"""Of the runs in all tables but one, which end within the minute in which they begin."""
ALL: Final = Known(run_seconds=RUN_SECONDS)

Judge = Callable[[ResolvedGate, Reading, PlanPosition, Past], Judgment]


def shipped(gate: ResolvedGate, reading: Reading, course: PlanPosition, past: Past) -> Judgment:
    """What the operator would answer."""
    return judge(gate, reading, course, finished=past.finished, burst=past.burst, memory=past.memory)


def burst_of(gate: ResolvedGate, minutes: Sequence[tuple[float, float]]) -> float | None:
    """The burst factor, from bad outcomes (or sums) and runs of stable by the minute."""
    bad, total = (tag(PLAN, source, Term.INCREASE) for source in gate.sources[:2])
    series = [
        ({"src": bad}, [(time, float(x)) for time, (x, _) in zip(TIMES, minutes, strict=True)]),
        ({"src": total}, [(time, float(n)) for time, (_, n) in zip(TIMES, minutes, strict=True)]),
    ]
    return factors(PLAN, [gate], series).get(gate.name)


def first_fail(
    gate: ResolvedGate,
    minutes: Iterable[Minute],
    burst: float | None,
    *,
    judge_of: Judge = shipped,
    screened: bool = True,
    knows: Known = ALL,
) -> int | None:
    """The minute, from 1, after which the gate says Fail, by comparison or by its limit; None if never.

    Args:
        gate: Of type Ratio.
        minutes: The attempt.
        burst: The measured factor.
        judge_of: Who is asked; another one only to see that the bench finds it out.
        screened: Whether not to ask where `may_fail` says no.
        knows: What the judge is told besides the runs that ended.
    """
    attempt = _Attempt(gate, knows, Past((), burst), deque(maxlen=_window(gate)))
    for minute, outcomes in enumerate(minutes, start=1):
        attempt.count(minute, outcomes)
        course, past, recent = attempt.course(), attempt.past, attempt.recent()
        present = Tally(attempt.phase, attempt.counts, (), course.expected)
        memory = NOTHING
        if (
            not screened
            or may_fail(gate, (*past.finished, present), burst or 1.0)
            or may_be_beyond(gate, recent)
        ):
            reading = Reading(attempt.counts, (), NOW + timedelta(minutes=minute), Recent(recent))
            judgment = judge_of(gate, reading, course, past)
            if judgment.verdict is Verdict.FAIL:
                return minute
            memory = judgment.memory
        attempt.end_minute(present, memory)
    return None


@dataclass(slots=True)
class _Attempt:
    """An attempt on its way through the phases, as the judge sees it."""

    gate: ResolvedGate
    knows: Known
    past: Past
    window: deque[Segment]
    """The newest minutes, as many as an absolute limit looks at."""
    phase: int = 0
    left: int = PHASES[0][1]
    """Minutes of the phase that are left."""
    counts: Segment = EMPTY
    """Of the phase so far."""
    started: Started = NONE_BEGAN

    def count(self, minute: int, outcomes: Minute) -> None:
        """Add the outcomes of a minute, from 1."""
        self.window.append(Segment(*outcomes))
        self.counts = Segment.sum((self.counts, self.window[-1]))
        self.left -= 1
        if self.knows.began:
            canary, stable = self.knows.began[minute - 1]
            self.started = Started(self.started.canary + canary, self.started.stable + stable)

    def course(self) -> PlanPosition:
        """Where in the plan the attempt is."""
        weight, length = PHASES[self.phase]
        return PlanPosition(
            self.phase,
            len(PHASES),
            time_over=self.left == 0,
            weight=weight if self.knows.weight else None,
            started=self.started if self.knows.began else None,
            counted_seconds=60.0 * (length - self.left),
            run_seconds=self.knows.run_seconds,
        )

    def recent(self) -> Segment:
        """What an absolute limit is compared with."""
        return Segment.sum(self.window) if self.gate.limit else EMPTY

    def end_minute(self, present: Tally, memory: GateMemory) -> None:
        """Take over what the judge remembers; the next phase begins where this one is over."""
        self.past = replace(self.past, memory=memory)
        if self.left == 0 and self.phase + 1 < len(PHASES):
            self.past = replace(self.past, finished=(*self.past.finished, present))
            self.phase += 1
            self.left, self.counts, self.started = PHASES[self.phase][1], EMPTY, NONE_BEGAN


def _window(gate: ResolvedGate) -> int:
    """Minutes that an absolute limit looks at."""
    return gate.limit.window_seconds // 60 if gate.limit else 1


def may_be_beyond(gate: ResolvedGate, recent: Segment) -> bool:
    """Whether the canary could be beyond the gate's absolute limit for certain: it must at least seem so.

    The lower bound of a share is never above the share. Where this is False, the canary is not beyond the
    limit, and so has not been since any time before.
    """
    if gate.limit is None or recent.canary_bad < gate.min_bad:
        return False
    return recent.canary_bad > gate.limit.value * recent.canary_total * (1 - 1e-9)


def may_fail(gate: ResolvedGate, tallies: Sequence[Tally], burst: float) -> bool:
    """Whether the two keys of a Fail could fit: False is certain, True is not.

    *Matters*: the ratio itself. *Sure*: whatever the guess g, the log likelihood ratio of a segment is at
    most that of the share t = x_c / x that was seen, x_c ln(t / w) + x_s ln((1 - t) / (1 - w)), and at most 0
    where t <= w, as every guess lies above w. The evidence since any phase is then at most e^(their sum over
    all segments / B), and so is the mean over phases. Runs that have not ended make both keys fit less.
    """
    happened = expected = bound = 0.0
    is_good = gate.better is Better.HIGHER
    for tally in tallies:
        s = tally.segment
        if not (s.canary_total and s.stable_total):
            continue
        happened += s.canary_total - s.canary_bad if is_good else s.canary_bad
        of_stable = s.stable_total - s.stable_bad if is_good else s.stable_bad
        expected += s.canary_total * of_stable / s.stable_total
        bound += surprise(s.canary_bad, s.stable_bad, s.canary_total / (s.canary_total + s.stable_total))
    is_far = (
        happened < gate.margin * expected * (1 + 1e-9)
        if is_good
        else happened > gate.margin * expected * (1 - 1e-9)
    )
    return is_far and bound / burst > math.log(gate.needed) - 1e-6


def surprise(canary_bad: float, stable_bad: float, share: float) -> float:
    """The largest log likelihood ratio that any share of the bad outcomes above `share` can have."""
    bad = canary_bad + stable_bad
    if not bad or canary_bad <= share * bad:
        return 0.0
    seen = canary_bad / bad
    return canary_bad * math.log(seen / share) + (
        stable_bad * math.log((1 - seen) / (1 - share)) if stable_bad else 0.0
    )
