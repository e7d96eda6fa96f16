"""What the view predicts is what happens: random worlds, looked at at random moments, left alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.attempt.clocks import due_time
from agentrollouts.insight.view.coming import forward
from agentrollouts.insight.view.view import view
from agentrollouts.insight.view.words import Happens, Topic
from testkit.builders.names import NEW, OLD, OLDEST
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import THEIRS, a_shop
from testkit.properties import usually
from testkit.sequences import RELEASES, Edit, asking_for, behaving, sequences, setting, spec
from testkit.world import Behavior, World, a_world
from tests.view.predicted import Watched, deadline, is_predicted, tick

MINUTES = st.sampled_from([70.0, 350.0, 900.0])
ERRORS = {"name": "errors", "template": "error-rate"}
LIMIT = {**ERRORS, "limit": {"value": "0.15", "forSeconds": 60}, "during": ["Canary", "Full"]}
AGENT: tuple[Edit, ...] = (
    spec(drill={"everySeconds": 600, "weight": 5, "durationSeconds": 60}),
    spec(drill={"everySeconds": 6000, "weight": 5, "durationSeconds": 300}),
    spec(watch={"intervalSeconds": 30}),
    spec(rollback={"lastResort": "Fallback"}, watch={}, fallback={"service": {"name": "queue", "port": 80}}),
    spec(gates=[{**ERRORS, "severity": "Medium", "rollBackAfterSeconds": 600}]),
    spec(watch={"intervalSeconds": 30}, gates=[{**LIMIT, "action": "SwitchOff"}]),
    Edit("switching off", lambda world: world.act(ActionType.SWITCH_OFF)),
    behaving(OLD, Behavior(failed=0.4)),
    behaving(NEW, Behavior(failed=0.4)),
    setting(deserted={NEW}),
    setting(deserted=set()),
    asking_for(NEW),
    asking_for(OLD),
)
about_agents = st.lists(st.tuples(st.sampled_from(AGENT), MINUTES), min_size=1, max_size=3)


def a_watched_world() -> Watched:
    """All four releases exist, one serves, the next is rolled out."""
    plan = a_rollout(analysis={"warmupSeconds": 0, "intervalSeconds": 90})
    world = a_world(plan.serving(OLD).remembering(OLDEST), *RELEASES, kind=Watched)
    assert isinstance(world, Watched)
    world.traffic[THEIRS] = a_shop(*RELEASES)
    world.run(100)
    return world


def check(world: Watched, seconds: float) -> str:
    """Left alone for so long, a world does first what the view predicts, at that time; what it was."""
    predictions, start, state = world.seen(), world.now, world.state
    world.run(seconds)
    assert late(world, world.now) is None, f"overdue while the operator runs, at {world.now} in {world.state}"
    shown = "\n".join(map(str, predictions))
    if world.first is None:
        latest = deadline(predictions)
        is_late = latest is not None and latest + tick(world) < world.now
        assert not (is_late and _is_calm(world)), f"nothing happened since {start} in {state}: {shown}"
        return "nothing"
    assert is_predicted(world.first, predictions, tick(world)), (
        f"{world.first} was not predicted at {start} in {state}: {shown}"
    )
    return world.first[1].value


def _is_calm(world: World) -> bool:
    """Whether nothing keeps a decision from being made at its time."""
    return world.metrics == "up" and world.has_endpoints and world.gateway_follows and world.has_gateway_api


def late(world: World, now: datetime) -> str | None:
    """What the view says about an operator that does not run."""
    around = view(world.rollout.copy_with(status=world.status), {}, now).around
    return next((each.sentence for each in around if each.topic is Topic.OPERATOR), None)


def play(sequence: Sequence[tuple[Edit, float]]) -> None:
    """The view is compared with what happens after each edit, and long after the last one."""
    world = a_watched_world()
    check(world, 350)
    for edit, pause in sequence:
        edit(world)
        world.settle()
        event(f"{world.state}: {check(world, pause)}")
    event(f"{world.state}: {check(world, 3600)}")


@usually(25)
@given(sequences)
def test_what_happens_first_was_predicted_for_that_time(sequence: Sequence[tuple[Edit, float]]) -> None:
    """Without new input, the first event is one of the predicted ones, at its time within one tick."""
    play(sequence)


@usually(25)
@given(about_agents, sequences)
def test_drills_detours_and_fuses_are_predicted_too(
    before: Sequence[tuple[Edit, float]], after: Sequence[tuple[Edit, float]]
) -> None:
    """The same with plans that drill, watch stable, switch off or limit how long a gate may fail."""
    play([*before, *after[:3]])


def follow(world: Watched, seconds: float = 60, looks: int = 80) -> set[str]:
    """The view is compared with what happens again and again; everything that happened first after a look."""
    return {check(world, seconds) for _ in range(looks)}


ASKED = [{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]
STORIES: dict[str, tuple[tuple[Edit, ...], set[str]]] = {
    "a healthy release": (
        (),
        {"PhaseStarted", "WeightRaised", "BakeStarted", "Healthy"},
    ),
    "a bad release": (
        (behaving(NEW, Behavior(failed=0.4)),),
        {"RollbackStarted", "Ended"},
    ),
    "an approval": (
        (spec(phases=ASKED),),
        {"ApprovalAwaited"},
    ),
    "a fuse": (
        (
            spec(gates=[{**ERRORS, "severity": "Medium", "rollBackAfterSeconds": 600}]),
            behaving(NEW, Behavior(failed=0.4)),
        ),
        {"Held", "RollbackStarted", "Ended"},
    ),
    "a hold with an end": (
        (
            spec(gates=[{**ERRORS, "severity": "Medium"}], rollback={"afterHoldSeconds": 600}),
            behaving(NEW, Behavior(failed=0.4)),
        ),
        {"Held", "RollbackStarted", "Ended"},
    ),
    "too few runs": (
        (
            spec(analysis={"warmupSeconds": 0, "maxExtensions": 2, "onTimeout": "RollBack"}),
            setting(runs_per_second=0.05),
        ),
        {"Extended", "RollbackStarted", "Ended"},
    ),
    "a drill": (
        (asking_for(OLD), spec(drill={"everySeconds": 1200, "weight": 5, "durationSeconds": 120})),
        {"DrillStarted", "RollbackStarted", "Ended"},
    ),
    "stable fails": (
        (
            spec(watch={"intervalSeconds": 30}, gates=[LIMIT]),
            Edit("until healthy", lambda world: world.run_until(State.HEALTHY)),
            behaving(NEW, Behavior(failed=0.4)),
        ),
        {"RollbackStarted", "Verified"},
    ),
    "stable must not serve": (
        (
            asking_for(OLD),
            spec(watch={"intervalSeconds": 30}, gates=[{**LIMIT, "action": "SwitchOff"}]),
            behaving(OLD, Behavior(failed=0.4)),
        ),
        {"SwitchedOff"},
    ),
    "Prometheus is down": (
        (setting(metrics="down"),),
        {"Held"},
    ),
    "a metric is gone": (
        (setting(metrics="silent"),),
        {"ClockStopped", "Held"},
    ),
    "the canary is gone": (
        (setting(deserted={NEW}),),
        {"RollbackStarted", "Ended"},
    ),
    "the route cannot be written": (
        (setting(has_gateway_api=False), behaving(NEW, Behavior(failed=0.4))),
        {"RollbackStarted", "RollbackLate"},
    ),
}
"""What is so from the second minute of an attempt on, and what must have happened by the end."""


@pytest.mark.parametrize("story", STORIES)
def test_each_kind_of_event_is_predicted(story: str) -> None:
    """A view at every minute predicts the next event, up to the end of the story."""
    edits, expected = STORIES[story]
    world = a_watched_world()
    for edit in edits:
        edit(world)
        world.settle()
    found = follow(world)
    assert expected <= found, found


def an_hour_late(attempt: Attempt, seconds: float, now: datetime) -> datetime:
    """A wrong time for the end of a clock."""
    return due_time(attempt, seconds, now) + timedelta(hours=1)


def always_healthy(rollout: AgentRollout, attempt: Attempt) -> tuple[Happens, str]:
    """A wrong event at the end of a clock."""
    del rollout, attempt
    return Happens.HEALTHY, "it is healthy"


@pytest.mark.parametrize(
    ("name", "wrong"), [("due_time", an_hour_late), ("following", always_healthy)], ids=["time", "event"]
)
def test_a_wrong_prediction_is_found(name: str, wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison fails if the view predicts a wrong time, or a wrong event."""
    monkeypatch.setattr(forward, name, wrong)
    with pytest.raises(AssertionError, match="was not predicted"):
        follow(a_watched_world())
