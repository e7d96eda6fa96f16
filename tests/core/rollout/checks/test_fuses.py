"""Inputs: since when gates fail, who acknowledged that, what else is true. Output: whether it rolls back."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import Fuse, Hold, State, Trigger
from agentrollouts.api.people.action import Acknowledged, ActionType, PersonalAct
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import GateStatus, Severity, Verdict
from agentrollouts.core.analysis import canary
from agentrollouts.core.attempt import fuses
from agentrollouts.core.attempt.clocks import status_on_time
from agentrollouts.core.attempt.status_draft import Progress
from agentrollouts.core.gates.counts import Segment, Tally
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.rollout.decide import decide
from testkit.builders.actions import LEE
from testkit.builders.freezes import a_freeze
from testkit.builders.names import NEW, OLD, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.gates import resolution

NAMES: Final = ("a", "b", "c")
MINUTE: Final = timedelta(minutes=1)


def gates(lengths: dict[str, int | None]) -> list[dict[str, Any]]:
    """Gates that hold, each with a fuse of so many minutes, or without one."""
    return [
        {
            "name": name,
            "template": "error-rate",
            "severity": "Medium",
            **({"rollBackAfterSeconds": 60 * minutes} if minutes else {}),
        }
        for name, minutes in lengths.items()
    ]


@dataclass(frozen=True)
class Case:
    """An attempt in which gates fail, as a status has it."""

    lengths: dict[str, int | None]
    begun: dict[str, int]
    """Minutes before now at which gates that fail began to."""
    acknowledged: tuple[int, int, frozenset[str]] | None
    """Minutes before now, minutes that it lasts, and what failed then."""
    others: frozenset[str]
    """What else is true."""

    @property
    def end(self) -> int | None:
        """Minutes from now to the rollback, as a person would work it out; None if none is due."""
        ends = []
        for name, ago in self.begun.items():
            if self.acknowledged and name in self.acknowledged[2] and ago >= self.acknowledged[0]:
                covered: int | None = self.acknowledged[1] - self.acknowledged[0]
            else:
                covered = None
            length = self.lengths[name]
            if length is not None:
                ends.append(length - ago if covered is None else covered)
        return min(ends, default=None)

    def builder(self) -> RolloutBuilder:
        """As a rollout."""
        held = a_rollout(gates=gates(self.lengths), paused="paused" in self.others)
        held = held.serving(OLD).trying(NEW)
        statuses = tuple(
            GateStatus(
                name=name,
                verdict=Verdict.FAIL,
                reason=Reason.GATE_FAILED,
                severity=Severity.MEDIUM,
                holding_start_time=START - self.begun[name] * MINUTE if name in self.begun else None,
            )
            for name in self.lengths
        )
        hold = Hold(
            reason=Reason.GATE_FAILED, message="a fails", since=START - 300 * MINUTE, resumes=State.CANARY
        )
        act: dict[str, Any] = {"by": LEE, "action": "x", "time": START}
        given = None
        if self.acknowledged:
            ago, lasts, names = self.acknowledged
            time = START - ago * MINUTE
            given = Acknowledged(
                **act | {"time": time}, until=time + lasts * MINUTE, gates=tuple(sorted(names))
            )
        return held.changing(
            state=State.HELD,
            hold=hold,
            clock_start_time=None,
            acknowledged=given,
            held_by=PersonalAct(**act) if "person" in self.others else None,
        ).having(gates=statuses)


minutes = st.integers(1, 6)
cases = st.builds(
    Case,
    st.fixed_dictionaries(dict.fromkeys(NAMES, st.none() | minutes)),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 6), min_size=1),
    st.none() | st.tuples(st.integers(0, 6), minutes, st.frozensets(st.sampled_from(NAMES))),
    st.frozensets(st.sampled_from(["paused", "person", "freeze"])),
)


def observed(case: Case, **fields: object) -> Any:  # noqa: ANN401 an observation
    """The case, as it is observed."""
    freezes = (a_freeze(),) if "freeze" in case.others else ()
    return an_observation(case.builder(), freezes=freezes, **fields)


@given(cases)
def test_it_rolls_back_exactly_when_the_first_fuse_ends(case: Case) -> None:
    """Whatever pause, freeze or hold there is; before, the decision wakes up in time for it."""
    decision = decide(observed(case))
    status = decision.status
    is_back = status is not None and status.attempt is not None and status.attempt.trigger is Trigger.TIMEOUT
    assert is_back == (case.end is not None and case.end <= 0)
    if is_back:
        assert status is not None
        assert [entry.reason for entry in status.quarantined] == ["GateFailed"]
    elif case.end is not None:
        assert decision.wake_at is not None
        assert decision.wake_at <= START + case.end * MINUTE


@given(cases, st.sampled_from(["action", "releaseRef", "latch", "none"]), minutes | st.none())
def test_a_fuse_delays_no_rollback(case: Case, cause: str, limit: int | None) -> None:
    """Where it rolls back without fuses, it does with them."""
    for each in ("with", "without"):
        lengths = case.lengths if each == "with" else dict.fromkeys(NAMES)
        builder = replace(case, lengths=lengths).builder()
        spec: dict[str, Any] = {"rollback": {"afterHoldSeconds": 60 * limit}} if limit else {}
        if cause == "releaseRef":
            spec["releaseRef"] = {"name": OLD}
        builder = replace(builder, spec={**builder.spec, **spec})
        if cause == "action":
            builder = builder.requesting(ActionType.ROLL_BACK, 2, release=NEW)
        freezes = (a_freeze(),) if "freeze" in case.others else ()
        decision = decide(an_observation(builder, freezes=freezes))
        state = decision.status and decision.status.attempt and decision.status.attempt.state
        if each == "with":
            rolls_back = state is State.ROLLING_BACK
        else:
            assert rolls_back or state is not State.ROLLING_BACK


# A course of minutes: gates fail and recover, people acknowledge.


@dataclass(frozen=True)
class Minute:
    """What happens in one."""

    failing: frozenset[str]
    unknown: frozenset[str]
    """Gates of which nothing is known in this minute."""
    acknowledges: int | None
    """For so many minutes."""
    restarts: bool


courses = st.lists(
    st.builds(
        Minute,
        st.frozensets(st.sampled_from(NAMES)),
        st.frozensets(st.sampled_from(NAMES)),
        st.none() | minutes,
        st.booleans(),
    ),
    min_size=5,
    max_size=40,
)


def judged(gate: Any, minute: Minute) -> Judgment:  # noqa: ANN401 a resolved gate
    """What a gate says in a minute."""
    fails = gate.name in minute.failing
    verdict = Verdict.FAIL if fails else Verdict.INCONCLUSIVE
    if gate.name in minute.unknown:
        verdict = Verdict.NO_DATA
    reason = Reason.GATE_FAILED if fails else Reason.COLLECTING
    tally = Tally(0, Segment(1.0, 10.0, 1.0, 10.0))
    return Judgment(
        gate=gate, verdict=verdict, reason=reason, message="", severity=Severity.MEDIUM, present=tally
    )


def rolled_back(lengths: dict[str, int | None], course: list[Minute]) -> tuple[int | None, int]:
    """The minute in which the code rolls back, and how many Warning Events it sent."""
    resolved = resolution(*gates(lengths)).gates
    builder = a_rollout(gates=gates(lengths)).serving(OLD).trying(NEW)
    status, events = builder.status, 0
    for index, minute in enumerate(course):
        now = START + index * MINUTE
        status = status_on_time(status, now)
        attempt = status.attempt
        assert attempt is not None
        if minute.acknowledges and attempt.fuse:
            names = tuple(gate.name for gate in fuses.holding(status))
            given = Acknowledged(
                by=LEE, action="x", time=now, until=now + minute.acknowledges * MINUTE, gates=names
            )
            status = status.copy_with(attempt=attempt.copy_with(acknowledged=given))
        judgments = tuple(judged(gate, minute) for gate in resolved)
        status = canary.apply(status, resolved, judgments, now)
        fuse = fuses.burning(status, resolved)
        if fuse and fuse.until <= now:
            return index, events
        progress = fuses.noted(Progress(builder.plan, status, now), fuse, "")
        status, events = progress.status, events + len(progress.events)
        if minute.restarts:
            status = type(status).model_validate(status.to_json())
    return None, events


def expected(lengths: dict[str, int | None], course: list[Minute]) -> int | None:
    """The same by a model that only counts minutes."""
    left: dict[str, int] = {}
    for index, minute in enumerate(course):
        left = {name: minutes - 1 for name, minutes in left.items()}
        if minute.acknowledges and any(lengths[name] for name in left):
            left = dict.fromkeys(left, minute.acknowledges)
        for name in NAMES:
            if name in minute.unknown:
                continue
            if name not in minute.failing:
                left.pop(name, None)
            elif name not in left:
                left[name] = lengths[name] or 10**6
        if any(minutes <= 0 and lengths[name] for name, minutes in left.items()):
            return index
    return None


fuse_lengths = st.fixed_dictionaries(dict.fromkeys(NAMES, st.none() | minutes))


@given(fuse_lengths, courses)
def test_any_order_of_failures_and_acknowledgments_ends_when_the_model_says(
    lengths: dict[str, int | None], course: list[Minute]
) -> None:
    """Whoever restarts in between, and whatever is not known for a while."""
    assert rolled_back(lengths, course)[0] == expected(lengths, course)


@given(fuse_lengths, courses)
def test_no_restart_repeats_an_event(lengths: dict[str, int | None], course: list[Minute]) -> None:
    """The same course without restarts sends as many."""
    calm = [replace(minute, restarts=False) for minute in course]
    assert rolled_back(lengths, course) == rolled_back(lengths, calm)


@given(st.integers(60, 86_400), st.integers(1, 1000))
def test_an_acknowledgment_is_finite(seconds: int, ago: int) -> None:
    """At most a day from when it is given, and the decision wakes up at its end."""
    case = Case(dict.fromkeys(NAMES, 10), {"a": 5}, None, frozenset())
    builder = case.builder()
    first = decide(an_observation(builder)).status
    assert first is not None
    acts = replace(builder, status=first).requesting(ActionType.ACKNOWLEDGE, 2, forSeconds=seconds)
    late = START + timedelta(seconds=ago % 300)
    status = decide(an_observation(acts, now=late)).status
    assert status is not None
    assert status.attempt is not None
    assert status.attempt.fuse is not None
    assert status.attempt.fuse.until == late + timedelta(seconds=seconds)


def test_a_time_to_come_begins_now() -> None:
    """A clock that was set back lengthens neither a fuse, a hold nor an acknowledgment."""
    case = Case(dict.fromkeys(NAMES, 10), {"a": 5}, (5, 60, frozenset("a")), frozenset())
    status = case.builder().status
    early = START - timedelta(days=1)
    attempt = status_on_time(status, early).attempt
    assert attempt is not None
    assert attempt.hold is not None
    assert attempt.acknowledged is not None
    assert attempt.hold.since == early
    assert (attempt.acknowledged.time, attempt.acknowledged.until) == (early, early + 60 * MINUTE)
    moved = [gate.holding_start_time for gate in status_on_time(status, early).gates]
    assert moved == [early, None, None]


def test_when_its_end_is_announced() -> None:
    """At half time and five minutes before; a fuse shorter than that only at half time."""

    def minutes_of(length: float) -> list[float]:
        end = START + length * MINUTE
        fuse = Fuse(gate="a", since=START, until=end)
        return [(time - START) / MINUTE for time in fuses.warnings(fuse)]

    assert minutes_of(60) == [30, 55]
    assert minutes_of(10) == [5]
    assert minutes_of(8) == [3, 4]
    assert minutes_of(5) == [2.5]
    assert minutes_of(1) == [0.5]


def test_each_announcement_is_made_once() -> None:
    """The status says what was announced already; another end is announced by itself."""
    builder = a_rollout().serving(OLD).trying(NEW)
    status, told = builder.status, list[int]()
    for second in range(3600):
        fuse = Fuse(gate="a", since=START, until=START + 60 * MINUTE)
        if second >= 3500:  # someone shortens it
            fuse = fuse.copy_with(until=START + 59 * MINUTE)
        progress = Progress(builder.plan, status, START + timedelta(seconds=second))
        progress = fuses.noted(progress, fuse, "agentrollouts acknowledge")
        status, told = progress.status, [*told, *(second for _ in progress.events)]
    assert told == [1800, 3300, 3500]
