"""T12: every state that a small rollout can get into, breadth first, through the shipped `decide`.

Two releases beside the one that serves, three phases (one wants an approval), two gates (one rolls back, one
holds), each with any answer: pass, fail, no data, error. Between any two decisions somebody may ask for
another release or go back, approve, change the route by hand; time may pass; and the process may end after
any number of the effects of a decision. At each decision the rules of `tests/world.py` are asked, and at each
write the observer.
"""

import copy
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any, Final

from agentrollouts.core.answers import Answer, Row
from agentrollouts.core.observation import Asking, Heard
from agentrollouts.core.queries import QueryPlan, Source, Term, tag
from agentrollouts.core.states import ENDS
from agentrollouts.simulation.cluster import rollout_of
from campaigns.cases import Campaign, Case, Choice
from campaigns.observer import Observer
from tests.builders import NEW, NEXT, OLD, ROUTE, START, a_rollout, owned_snapshots
from tests.sequences import approving, asking_for, meddling
from tests.world import World, a_world

TICK: Final = timedelta(seconds=61)
"""A little more than each phase lasts."""
ATTEMPTS: Final = 3
"""Nobody asks for a new release in the last of so many attempts."""
BATCH: Final = 500
"""States of one case."""
ANSWERS: Final = ("pass", "fail", "nodata", "error")
CANARY_BAD: Final = {"pass": 2.0, "fail": 100.0}

PLAN: Final[Mapping[str, Any]] = {
    "phases": [
        {"name": "first", "weight": 10, "durationSeconds": 60},
        {"name": "asked", "weight": 30, "durationSeconds": 60, "approval": "Required"},
        {"name": "last", "weight": 60, "durationSeconds": 60},
    ],
    "gates": [
        {"name": name, "severity": severity, "source": {"bad": f"{name}_bad_total", "total": f"{name}_total"}}
        for name, severity in (("strict", "High"), ("mild", "Medium"))
    ],
    "analysis": {"intervalSeconds": 30, "warmupSeconds": 0, "staleAfterSeconds": 30, "maxExtensions": 1},
    "bake": {"durationSeconds": 60},
    "historyLimit": 4,
}


@dataclass(kw_only=True)
class Small(World):
    """A world without Prometheus: what it answers is chosen."""

    observer: Observer
    trail: tuple[str, ...] = ()
    """What happened so far."""

    def serve(self, shares: Mapping[str, int], seconds: float) -> None:
        """Nothing is counted."""

    def fork(self, what: str) -> "Small":
        """The same world, to be led elsewhere."""
        world = copy.copy(self)
        world.trail = (*self.trail, what)
        world.traffic, world.snapshots = dict(self.traffic), dict(self.snapshots)
        world.ever_healthy, world.ended = set(self.ever_healthy), dict(self.ended)
        world.events, world.route_weights = [], []
        world.observer = self.observer.fork()
        world.watchers = [world.observer.see]
        return world

    def key(self) -> str:
        """What makes a difference to any later decision."""
        refs = {kind: _plain(found, self.now) for (kind, _), found in self.traffic.items()}
        asked = self.rollout.spec.release_ref.name
        told = [asked, dict(self.base.annotations), _plain(self.status.to_json(), self.now), refs]
        return json.dumps(told, sort_keys=True, default=str)


SILENT: Final = frozenset(
    {"message", "query", "observedGeneration", "generation", "flags.json", "lastRollback", "affectedWindow"}
)
"""Fields for people, and numbers that only grow."""
CLOCKS: Final = frozenset({"clockStartTime", "countingStartTime"})
"""The times that decisions compare with now; the others are for people."""
LONGEST: Final = 3 * TICK.total_seconds()
"""Longer than a phase with its extension: what a clock shows beyond this makes no difference."""
GRACE: Final = 11 * TICK.total_seconds()
"""Longer than Prometheus may fail."""


def _plain(value: Any, now: datetime, place: str = "") -> Any:  # noqa: ANN401 any JSON
    """The value with times as spans until now, and without what only tells."""
    if isinstance(value, Mapping):
        if "lastTransitionTime" in value:
            return _condition(value, now)
        return {key: _plain(each, now, key) for key, each in value.items() if key not in SILENT}
    if isinstance(value, list | tuple):
        return [_plain(each, now, place) for each in value]
    if place in CLOCKS or place == "elapsedSeconds":
        return min(LONGEST, value if place == "elapsedSeconds" else _ago(value, now))
    if place == "split.json":
        return {key: each for key, each in json.loads(value).items() if key != "generation"}
    return None if place.lower().endswith("time") or place == "since" else value


def _condition(found: Mapping[str, Any], now: datetime) -> list[Any]:
    """Type, status and reason; and how long Prometheus has failed."""
    is_blind = found["type"] == "MetricsAvailable" and found["status"] == "False"
    blind_for = min(GRACE, _ago(found["lastTransitionTime"], now)) if is_blind else None
    return [found["type"], found["status"], found["reason"], blind_for]


def _ago(time: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(time)).total_seconds()


def answering(strict: str, mild: str) -> Callable[[Small], None]:
    """Prometheus says this about the two gates."""

    def happen(world: Small) -> None:
        asking = world.asking
        if asking is not None:
            rows = tuple(_rows(asking, world.now, {"strict": strict, "mild": mild}))
            world.observer.looked(world.now, answered={strict, mild} <= {"pass", "fail"})
            world.heard = Heard(plan=asking.plan, answer=Answer(world.now, rows))

    return happen


def _rows(asking: Asking, now: datetime, said: Mapping[str, str]) -> Iterator[Row]:
    plan = asking.plan
    for source in plan.sources:
        name = source.selector.metric.partition("_")[0]
        kind, is_bad = said[name], "_bad" in source.selector.metric
        if kind == "nodata" or plan.window(source, now) < 1:
            continue
        for release in plan.subject.releases:
            yield from _counts(
                plan, source, release, now, _value(kind, release == plan.subject.canary, is_bad)
            )


def _value(kind: str, is_canary: bool, is_bad: bool) -> float:  # noqa: FBT001 two facts about a counter
    if kind == "error":
        return float("nan")
    if not is_bad:
        return 200.0 if is_canary else 2000.0
    return CANARY_BAD[kind] if is_canary else 20.0


def _counts(plan: QueryPlan, source: Source, release: str, now: datetime, value: float) -> Iterator[Row]:
    facts = {Term.INCREASE: value, Term.COVERED: 1.0, Term.NEWEST: now.timestamp(), Term.SCRAPES: 8.0}
    for term in plan.terms(source):
        if term in facts:
            yield Row(tag(plan, source, term), release, None, facts[term])


def _tick(world: Small) -> None:
    world.now += TICK


def _long_tick(world: Small) -> None:
    world.now += 10 * TICK


HAPPENINGS: Final[Mapping[str, Callable[[Small], object]]] = {
    "time passes": _tick,
    "much time passes": _long_tick,
    **{f"answers {a}, {b}": answering(a, b) for a, b in product(ANSWERS, ANSWERS)},
    **{f"ask for {release}": asking_for(release) for release in (NEW, NEXT, OLD)},
    "approve": approving,
    "meddle": meddling(50),
}


@dataclass
class Search:
    """A breadth-first search in progress."""

    states: int = 0
    transitions: int = 0
    broken: str | None = None

    def run(self, limit: int | None) -> Iterator[int]:
        """Visit all states; yields their number from time to time."""
        world = _beginning()
        world.settle()
        seen, queue = {world.key()}, deque([world])
        while queue and self.broken is None and (limit is None or self.states < limit):
            world = queue.popleft()
            self.states += 1
            for successor in self._successors(world):
                self.transitions += 1
                key = successor.key()
                if key not in seen:
                    seen.add(key)
                    queue.append(successor)
            if self.states % BATCH == 0:
                yield self.states
        yield self.states

    def _successors(self, world: Small) -> Iterator[Small]:
        for what, happen in HAPPENINGS.items():
            if not _can_matter(what, world):
                continue
            effects: int | None = None
            while True:
                after = world.fork(what if effects is None else f"{what}, crash after {effects}")
                try:
                    happen(after)
                    done = self._carry_out(after, effects)
                except Exception as error:  # noqa: BLE001 whatever comes out of a decision breaks the search
                    self.broken = f"{error!r} after: {' > '.join(after.trail)}"
                    return
                if done is None:
                    break
                yield after
                effects = 0 if effects is None else effects + 1

    def _carry_out(self, world: Small, effects: int | None) -> Small | None:
        """Decide to the end, or first only so many effects of one decision; None where it has no more."""
        if effects is not None:
            from agentrollouts.core.decide import decide  # noqa: PLC0415 looked up late, so that a bug can be planted

            decision = decide(world.observe())
            if effects >= len(decision.writes) + (decision.status is not None):
                return None
            world.step(effects)
            world.restart()
        world.settle()
        world.heard = None
        _check_end(world)
        return world


def _can_matter(what: str, world: Small) -> bool:
    """Whether this may change anything, and leaves the number of attempts bounded."""
    attempt = world.status.attempt
    if what.startswith("answers"):
        return world.asking is not None
    if what.startswith("ask for") and not what.endswith(OLD):
        return attempt is None or attempt.number < ATTEMPTS
    return True


def _beginning() -> Small:
    """`OLD` serves, and two others are ready."""
    builder = a_rollout(**PLAN).serving(OLD).asking_for(OLD)
    made = a_world(builder, OLD, NEW, NEXT)
    observer = Observer(made.services, bad=frozenset(), healthy={OLD})
    observer.see(START, rollout_of(made.rollout, made.status.to_json()))
    return Small(
        base=builder,
        rollout=made.rollout,
        now=START,
        releases=made.releases,
        services=made.services,
        snapshots=owned_snapshots((OLD, NEW, NEXT)),
        ever_healthy={OLD},
        observer=observer,
        watchers=[observer.see],
    )


def _check_end(world: Small) -> None:
    """No dead end without a condition: what is not over is waited for, by name; and the route shows it."""
    assert not world.observer.broken, world.observer.broken  # noqa: S101 a rule, like those of tests/world.py
    attempt, conditions = world.status.attempt, {found.type: found for found in world.status.conditions}
    if attempt is None or attempt.state in ENDS:
        assert world.canary_weight == 0, f"canary at {world.canary_weight} % though nothing is under way"  # noqa: S101 the same
        return
    waits = [conditions["Reconciling"], conditions["Stalled"]]
    assert any(found.status == "True" for found in waits), "a dead end without a condition"  # noqa: S101 the same
    assert world.canary_weight == attempt.weight, "the route does not show the weight"  # noqa: S101 the same
    assert ROUTE in world.traffic, "there is no route"  # noqa: S101 the same


def play(choice: Choice) -> Iterator[Case]:
    """The whole search, told every few hundred states."""
    search, told = Search(), 0
    for states in search.run(choice.size):
        name = f"{states:,} states, {search.transitions:,} transitions"
        yield Case(name, search.broken, counts=states - told)
        told = states


EXHAUSTIVE: Final = Campaign(
    "exhaustive",
    "S1, S3-S6 in every state of a small rollout (3 phases, 2 gates, 2 releases, crash after every effect),"
    " and no dead end without a condition",
    play,
    unit="states",
)
