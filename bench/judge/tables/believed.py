"""Table 6: counts that are not what they seem, through the operator's own reading of them.

A relabeling at half time, a counter with a past, two workers that answer by turns, failures without a
release; each on an equal release and on a true regression. Scraped every minute, judged every five.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Side, Verdict
from agentrollouts.core.gates.counts import Tally
from agentrollouts.core.gates.reading import Present, Reading, Uncovered
from agentrollouts.core.judge.doubts import doubted
from agentrollouts.core.judge.facts import GateMemory, PlanPosition
from agentrollouts.core.judge.judge import NOTHING, Judgment, judge
from agentrollouts.core.metrics.births import Explains
from agentrollouts.core.metrics.queries import Subject, plan_queries
from agentrollouts.core.metrics.table import QueryResult
from bench.judge.ours import GATES, NOW
from bench.judge.sampling import poisson
from bench.judge.series import Series, rows
from bench.judge.streams import MINUTES, PHASES, weight_at
from bench.judge.tasks import OURS, End, Ends, Task
from bench.rig.report import Check
from testkit.gates import read_all

CANARY, STABLE, LOST = "canary", "stable", "None"
HALF: Final = MINUTES // 2
LIFE_HOURS: Final = 24
"""How long stable has counted."""
SMOKE: Final = (100.0, 100.0)
"""Good and bad runs of a smoke test before the canary's first scrape."""
EVERY: Final = 5
WORKERS: Final = 2
REPETITIONS: Final = 50
RIGHT: Final = {Reason.COUNTERS_UNSTABLE, Reason.UNATTRIBUTED, Reason.COLLECTING, Reason.INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A column: what is wrong with the counters, and how many of the canary's runs fail."""

    name: str
    canary: float
    relabels: bool = False
    has_past: bool = False
    flaps: bool = False
    loses: bool = False

    @property
    def is_worse(self) -> bool:
        """Whether the canary must not be promoted."""
        return self.canary > USUAL


USUAL, WORSE = 0.012, 0.084
_KINDS: Final[Mapping[str, Mapping[str, bool]]] = {
    "relabeled": {"relabels": True},
    "with a past": {"has_past": True},
    "flapping": {"flaps": True},
    "without a label": {"loses": True},
}
COLUMNS: Final = tuple(
    Trouble(f"{kind}, {what}", rate, **fields)
    for kind, fields in _KINDS.items()
    for what, rate in (("equal", USUAL), ("1.2 → 8.4%", WORSE))
)


@dataclass(slots=True)
class _Counters:
    """All series of one attempt, and the values that stand behind them."""

    trouble: Trouble
    chance: random.Random
    series: list[Series] = field(default_factory=list)
    values: dict[tuple[str, bool, int], float] = field(default_factory=dict)
    shown: dict[tuple[str, bool], Series] = field(default_factory=dict)

    def begin(self, runs_per_hour: int) -> None:
        """Stable has a life behind it, a canary perhaps a smoke test."""
        life = runs_per_hour * LIFE_HOURS / WORKERS
        for worker in range(WORKERS):
            spread = 1 - 0.1 * worker
            self.values[STABLE, False, worker] = life * (1 - USUAL) * spread
            self.values[STABLE, True, worker] = life * USUAL * spread
            for is_bad, past in zip((False, True), SMOKE, strict=True):
                self.values[CANARY, is_bad, worker] = past / WORKERS if self.trouble.has_past else 0.0

    def pass_minute(self, minute: int, runs: float) -> None:
        """The runs of a minute, and the scrape after it."""
        weight = weight_at(minute)
        for release, share, rate in ((CANARY, weight, self.trouble.canary), (STABLE, 1 - weight, USUAL)):
            for worker in range(WORKERS):
                part = runs * share / WORKERS
                self.values[release, True, worker] += poisson(self.chance, part * rate)
                self.values[release, False, worker] += poisson(self.chance, part * (1 - rate))
        if self.trouble.relabels and minute == HALF:
            for each in self.shown.values():
                each.ended = True
            self.shown.clear()
        worker = self.chance.randrange(WORKERS)
        for release in (CANARY, STABLE) if minute else (STABLE,):  # the canary is new
            for is_bad in (False, True):
                workers = [worker] if self.trouble.flaps else range(WORKERS)
                self._scrape(
                    release, minute, sum(self.values[release, is_bad, w] for w in workers), is_bad=is_bad
                )

    def _scrape(self, release: str, minute: int, value: float, *, is_bad: bool) -> None:
        series = self.shown.get((release, is_bad))
        if series is None:
            name = LOST if self.trouble.loses and is_bad else release
            series = self.shown[release, is_bad] = Series(name, is_bad, minute)
            self.series.append(series)
        series.scraped(value)


class BelievedTask(Task[Trouble]):
    """Of one trouble at one traffic."""

    def judged(self, chance: random.Random) -> Mapping[str, End]:
        """The minute of the rollback; of a worse release also that of a hold for the right reason."""
        counters = _Counters(self.column, chance)
        counters.begin(self.runs_per_hour)
        return {OURS: End(_Attempt(self.column, counters, self.runs_per_hour / 60).play())}


@dataclass(slots=True)
class _Attempt:
    trouble: Trouble
    counters: _Counters
    runs: float
    finished: tuple[Tally, ...] = ()
    ignored: frozenset[Side] = frozenset()
    memory: GateMemory = NOTHING
    start: int = 0

    def play(self) -> int | None:
        """The minute at which it is stopped; None if it is promoted, or where an equal one is held."""
        self.counters.pass_minute(0, self.runs)
        minute, ends = 0, [PHASES[0][1], PHASES[0][1] + PHASES[1][1]]
        for phase, end in enumerate(ends):
            judgment = None
            while minute < end - 1:
                minute += 1
                self.counters.pass_minute(minute, self.runs)
                if minute % EVERY and minute != end - 1:
                    continue
                judgment = self._look(phase, minute, is_last=minute == end - 1)
                if judgment.verdict is Verdict.FAIL:
                    return minute
            if judgment is not None and judgment.verdict is not Verdict.PASS:
                return minute if self.trouble.is_worse and judgment.reason in RIGHT else None
            self._enter(judgment, minute)
        return None

    def _enter(self, judgment: Judgment | None, minute: int) -> None:
        if judgment is not None and judgment.present is not None:
            self.finished = (*self.finished, judgment.present)
        self.start, self.ignored, self.memory = minute, frozenset(), NOTHING

    def _look(self, phase: int, minute: int, *, is_last: bool) -> Judgment:
        gate = GATES["errors"]
        plan = plan_queries(
            [gate],
            Subject("bench", "a", CANARY, STABLE),
            counting_start=NOW + timedelta(minutes=self.start),
            warmup_seconds=0,
        )
        plan = replace(plan, closer=frozenset(plan.sources))  # as at any look after something suspicious
        at = NOW + timedelta(minutes=minute)
        result = QueryResult(at, tuple(rows(plan, self.counters.series, self.start, minute)))
        explains = Explains(weight_at(minute), {gate.name: self.ignored})
        present = read_all(plan, result, [gate], now=at, stale_after_seconds=120, explains=explains)[
            gate.name
        ]
        course = PlanPosition(phase, len(PHASES), time_over=is_last)

        def on(counts: Any) -> Judgment:  # noqa: ANN401 any counts
            return judge(gate, counts, course, finished=self.finished, burst=1.0, memory=self.memory)

        return self._kept(doubted(on(present), present, on), present, minute)

    def _kept(self, judgment: Judgment, present: Present, minute: int) -> Judgment:
        self.memory = judgment.memory
        if isinstance(present, Reading):
            self.ignored = judgment.ignored
        if isinstance(present, Uncovered):
            self.start, self.ignored = minute, frozenset()
        return judgment


def stopped(column: str, by_traffic: Sequence[Ends]) -> Check:
    """Whether no attempt with a worse release was promoted."""
    promoted = [sum(end.minute is None for end in ends[OURS]) for ends in by_traffic]
    return Check(f"{column}: never promoted", " / ".join(map(str, promoted)) + " promoted", not any(promoted))
