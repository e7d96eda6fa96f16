"""Inputs: what gates, caps, conditions and holds say in every state. Outputs: one Event for each change."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.gates import OnFail
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import Severity, Verdict
from agentrollouts.core.analysis import canary, stable
from agentrollouts.core.analysis.caps import CapReading, with_readings
from agentrollouts.core.effects import Event, Problem
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.rollout import decide as deciding
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.situation import Situation, assess
from agentrollouts.core.states import is_progressing
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START
from testkit.builders.observations import an_observation, owned_snapshots
from testkit.builders.releases import a_ready_release, not_ready
from testkit.builders.rollouts import RolloutBuilder, a_rollout

GATE: Final = {"name": "errors", "template": "error-rate"}
CAP: Final = {"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "5", "perSeconds": 600}
FAILED, SPENT = "9 of 10 runs failed", "canary added 9 to agent_run_cost_usd_sum in the last 600 s"
NOBODY: Final = "support-agent-9.9.9"
LATER: Final = START + timedelta(seconds=30)


def require_approval(builder: RolloutBuilder) -> RolloutBuilder:
    """The first phase wants an approval."""
    phases = builder.spec["phases"]
    return builder.planning(phases=[{**phases[0], "approval": "Required"}, *phases[1:]])


def in_course(state: State, **spec: Any) -> Callable[[RolloutBuilder], RolloutBuilder]:  # noqa: ANN401 any field
    """An attempt in that state."""

    def given(builder: RolloutBuilder) -> RolloutBuilder:
        planned = builder.planning(**spec) if spec else builder
        return (require_approval(planned) if state is State.AWAITING_APPROVAL else planned).in_state(state)

    return given


PLACES: Final[dict[str, Callable[[RolloutBuilder], RolloutBuilder]]] = {
    "at rest": lambda builder: builder.asking_for(OLD).serving(OLD),
    "at rest, with an earlier release": lambda builder: (
        builder.asking_for(OLD).remembering(OLDEST).serving(OLD)
    ),
    "at rest, quarantined": lambda builder: builder.serving(OLD).quarantining(NEW),
    "at rest, not found": lambda builder: builder.asking_for(NOBODY).serving(OLD),
    "pending": in_course(State.PENDING, paused=True),
    "canary": in_course(State.CANARY),
    "baking": in_course(State.BAKING),
    "awaiting approval": in_course(State.AWAITING_APPROVAL),
    "paused": in_course(State.HELD, paused=True),
    "undecided": lambda builder: builder.serving(OLD).trying(NEW).held_for(Reason.INCONCLUSIVE),
}
"""Every state in which something is measured: while traffic goes back, only recovery is."""

GATES: Final[tuple[dict[str, str], ...]] = (
    *({"severity": str(severity)} for severity in Severity),
    *({"action": str(action)} for action in OnFail),
)
FOUND: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    *(("gate", gate) for gate in GATES),
    *(("cap", {"action": str(action)}) for action in OnFail),
)


class Course:
    """A rollout whose gate or cap has found something, seen again and again."""

    def __init__(self, builder: RolloutBuilder, kind: str, patch: pytest.MonkeyPatch) -> None:
        self.builder = builder
        self.kind = kind
        patch.setattr(deciding, "assess", self._assess)

    def _assess(self, obs: Observation) -> Situation:
        s = assess(obs)
        if self.kind == "cap":
            reading = CapReading(s.analysis.caps[0].cap, 9.0, exceeded=True, message=SPENT, at=obs.now)
            status = with_readings(s.status, (reading,))
            return replace(s, analysis=replace(s.analysis, cap_readings=(reading,), status=status))
        gate = s.analysis.gates[0]
        judgment = Judgment(
            gate=gate, verdict=Verdict.FAIL, reason=Reason.GATE_FAILED, message=FAILED, severity=gate.severity
        )
        analysis = replace(s.analysis, judgments=(judgment,), status=self._status_after(s, judgment))
        return replace(s, analysis=analysis)

    @staticmethod
    def _status_after(s: Situation, judgment: Judgment) -> AgentRolloutStatus:
        if is_progressing(s.status):
            return canary.apply(s.status, s.analysis.gates, (judgment,), s.now)
        return stable.apply(s.status, s.spec, (judgment,))

    def look(self, now: datetime) -> Decision:
        """The operator looks once."""
        world = {"release": None} if self.builder.plan.release_ref.name == NOBODY else {}
        decision = deciding.decide(an_observation(self.builder, now=now, **world))
        if decision.status is not None:
            self.builder = replace(self.builder, status=decision.status)
        return decision

    @property
    def conditions(self) -> str:
        """Everything that the conditions say."""
        return " ".join(
            f"{condition.reason} {condition.message}" for condition in self.builder.status.conditions
        )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("kind", "fields"), FOUND, ids=[f"{kind}-{'-'.join(f.values())}" for kind, f in FOUND]
)
def test_whatever_is_found_is_reported_once_and_stays_visible(
    place: str, kind: str, fields: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One Warning for each change, in every state, for each severity and action; a condition shows it."""
    spec: dict[str, Any] = {"gates": [GATE | fields]} if kind == "gate" else {"caps": [CAP | fields]}
    builder = PLACES[place](a_rollout(watch={"gates": ["errors"]}, **spec))
    course, sentence = Course(builder, kind, monkeypatch), FAILED if kind == "gate" else SPENT

    first = course.look(START)

    assert [event.is_warning for event in first.events if sentence in event.message].count(True) >= 1
    assert len({event.message for event in first.events}) == len(first.events)
    assert sentence in course.conditions
    if course.builder.status.detour:
        assert course.look(START).events == ()  # the route shows it, so its weights are known now
    before = course.builder.status.attempt
    second = course.look(LATER)
    after = course.builder.status.attempt
    if (before and before.state) == (after and after.state):
        assert [event for event in second.events if event.is_warning] == []
        assert second.status is None


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("gate", {"severity": "Medium"}, "GateFailed"),
        ("gate", {"action": "Hold"}, "GateFailed"),
        ("cap", {"action": "Hold"}, "CapExceeded"),
        ("gate", {"action": "RollBack"}, "NoHealthyTarget"),
        ("cap", {"action": "RollBack"}, "NoHealthyTarget"),
    ],
)
def test_at_rest_a_release_that_something_speaks_against_is_not_healthy(
    kind: str, fields: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Ready` is False for a Hold; it stays so after a restart, and is True again once the cause is gone."""
    spec: dict[str, Any] = {"gates": [GATE | fields]} if kind == "gate" else {"caps": [CAP | fields]}
    builder = a_rollout(watch={"gates": ["errors"]}, **spec).asking_for(OLD).serving(OLD)
    course = Course(builder, kind, monkeypatch)
    course.look(START)

    ready, reconciling, stalled, *_ = course.builder.status.conditions
    is_stalled = reason == "NoHealthyTarget"
    assert (ready.status, ready.reason) == ("False", reason)
    assert (reconciling.status, stalled.status) == (str(not is_stalled), str(is_stalled))
    monkeypatch.undo()
    restarted = deciding.decide(an_observation(course.builder, now=LATER))
    assert (restarted.status, restarted.events) == (None, ())


@pytest.mark.parametrize("fields", [{"severity": "Low"}, {"action": "Warn"}])
def test_a_warning_at_rest_leaves_the_release_healthy(
    fields: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that only warns does not take `Ready` away; the message names it."""
    builder = a_rollout(watch={"gates": ["errors"]}, gates=[GATE | fields]).asking_for(OLD).serving(OLD)
    course = Course(builder, "gate", monkeypatch)

    assert [event.reason for event in course.look(START).events] == [Reason.GATE_WARNED]
    ready = course.builder.status.conditions[0]
    assert (ready.status, ready.reason, FAILED in ready.message) == ("True", "Healthy", True)


def test_a_finding_is_named_though_the_route_is_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two things can be wrong at once; `Ready` has the word of one and the sentences of both."""
    builder = a_rollout(watch={"gates": ["errors"]}, gates=[GATE | {"action": "Warn"}])
    course = Course(builder.asking_for(OLD).serving(OLD), "gate", monkeypatch)
    obs = an_observation(course.builder, traffic={}, traffic_problem=REFUSED)
    status = deciding.decide(obs).status
    assert status is not None
    assert (status.conditions[0].reason, FAILED in status.conditions[0].message) == ("RouteNotOwned", True)


def test_the_cap_of_an_ended_attempt_says_nothing_of_what_serves() -> None:
    """What the canary spent before it was rolled back is not held against stable."""
    spent = with_readings(
        a_rollout().serving(OLD).status,
        (
            CapReading(
                a_rollout(caps=[CAP]).plan.caps[0],
                9.0,
                exceeded=True,
                message=SPENT,
                at=START - timedelta(days=2),
            ),
        ),
    )
    builder = a_rollout(watch={}, caps=[CAP | {"action": "Hold"}]).asking_for(OLD).serving(OLD)
    decision = deciding.decide(an_observation(builder.having(caps=spent.caps)))

    assert decision.status is not None
    assert decision.status.conditions[0].status is ConditionStatus.TRUE
    assert decision.events == ()


REFUSED: Final = Problem(Reason.ROUTE_NOT_OWNED, "HTTPRoute support/support-agent exists and is not ours")
REFUSALS: Final[list[tuple[str, RolloutBuilder, dict[str, Any]]]] = [
    ("ReleaseNotFound", a_rollout().serving(OLD), {"release": None}),
    ("ReleaseNotFound", a_rollout().serving(OLD).trying(NEW).asking_for(NEXT), {"release": None}),
    ("ReleaseNotReady", a_rollout().serving(OLD), {"release": not_ready(a_ready_release())}),
    ("AgentMismatch", a_rollout().serving(OLD), {"release": a_ready_release(agent="billing")}),
    ("ServiceMissing", a_rollout().serving(OLD), {"release": a_ready_release(service=None)}),
    ("ServiceShared", a_rollout().serving(OLD), {"release": a_ready_release(service="support-agent-4-1-0")}),
    ("NoReadyEndpoints", a_rollout().serving(OLD), {"endpoints_ready": False}),
    ("InvalidGate", a_rollout(gates=[{"name": "x", "template": "none"}]).serving(OLD), {}),
    ("InvalidGate", a_rollout(gates=[{"name": "x", "template": "none"}]).in_state(State.CANARY), {}),
    ("SnapshotMissing", a_rollout().serving(OLD), {"snapshots": owned_snapshots([OLD])}),
    ("Quarantined", a_rollout().serving(OLD).quarantining(NEW), {}),
    ("Paused", a_rollout(paused=True).serving(OLD), {}),
    ("RouteNotFound", a_rollout(traffic={"routePatch": {"name": "x", "rule": "y"}}).serving(OLD), {}),
    ("RouteNotOwned", a_rollout().in_state(State.CANARY), {"traffic": {}, "traffic_problem": REFUSED}),
    ("RouteNotOwned", a_rollout().in_state(State.INITIAL), {"traffic": {}, "traffic_problem": REFUSED}),
]


@pytest.mark.parametrize(("reason", "builder", "world"), REFUSALS)
def test_every_refusal_sends_one_warning(reason: str, builder: RolloutBuilder, world: dict[str, Any]) -> None:
    """Once, when it is first seen; not at the next look, and not after a restart."""
    first = deciding.decide(an_observation(builder, **world))
    assert [event.reason for event in first.events if event.is_warning] == [reason]
    assert first.status is not None
    reported = replace(builder, status=first.status)
    second = deciding.decide(an_observation(reported, now=LATER, **world))
    assert [event for event in second.events if event.is_warning] == []


def test_another_mistake_with_the_same_word_is_reported_again() -> None:
    """Correcting one field wrongly is a change, though the reason stays."""
    first = a_rollout(gates=[{"name": "x", "template": "none"}]).serving(OLD)
    decision = deciding.decide(an_observation(first))
    assert decision.status is not None
    second = replace(first, status=decision.status).planning(gates=[{"name": "x", "template": "nothing"}])
    events = deciding.decide(an_observation(second, now=LATER)).events
    assert [(event.reason, "nothing" in event.message) for event in events] == [("InvalidGate", True)]


def test_a_gateway_that_refuses_the_route_is_reported_once() -> None:
    """The condition and an Event; a new wording of the gateway is no new Event."""
    builder = a_rollout().in_state(State.CANARY)
    obs = an_observation(builder)
    key = ("HTTPRoute", "support-agent")
    reasons = []
    for now, text in ((START, "no listener"), (LATER, "no listener at 10:01")):
        refused = Condition(
            type="Accepted",
            status=ConditionStatus.FALSE,
            reason="NoMatchingParent",
            message=text,
            last_transition_time=START,
        ).to_json()
        parent = obs.traffic[key]["spec"]["parentRefs"][0]
        generation = obs.traffic[key]["metadata"].get("generation", 0)
        said = {
            "parents": [{"parentRef": parent, "conditions": [refused | {"observedGeneration": generation}]}]
        }
        route = {**obs.traffic[key], "status": said}
        decision = deciding.decide(an_observation(builder, now=now, traffic={**obs.traffic, key: route}))
        reasons.append([event.reason for event in decision.events if event.is_warning])
        builder = replace(builder, status=decision.status or builder.status)
    assert reasons == [["NotAccepted"], []]


def test_a_normal_course_sends_no_warning() -> None:
    """An attempt that begins, waits for its route and for its first sample warns nobody."""
    builder, events = a_rollout().serving(OLD), list[Event]()
    for second in range(4):
        decision = deciding.decide(an_observation(builder, now=START + timedelta(seconds=second)))
        events += decision.events
        builder = replace(builder, status=decision.status or builder.status)
    assert [event.reason for event in events if event.is_warning] == []


@pytest.mark.parametrize("state", [State.CANARY, State.BAKING])
def test_a_release_that_was_made_a_moment_ago_is_waited_for_in_silence(state: State) -> None:
    """One commit makes a release and asks for it: until it is read, nothing is held and nobody is warned."""
    fresh = a_ready_release(NEXT)
    fresh = fresh.replace(status=fresh.status.replace(conditions=(), digest=None, snapshot=None))
    for builder in (a_rollout().serving(OLD).asking_for(NEXT), a_rollout().in_state(state).asking_for(NEXT)):
        decision = deciding.decide(an_observation(builder, release=fresh))
        assert [event for event in decision.events if event.is_warning] == []
        attempt = (decision.status or builder.status).attempt
        assert attempt is None or attempt.hold is None
