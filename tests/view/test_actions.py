"""Every action that the view offers has an effect, and what surrounds an attempt is shown."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import event, given

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.rollout.decide import decide
from agentrollouts.insight.view.shape import Action
from agentrollouts.insight.view.view import view
from testkit.builders.actions import LEE
from testkit.builders.names import OLD, OLDEST, START
from testkit.builders.rollouts import a_rollout
from testkit.properties import usually
from testkit.sequences import RELEASES, Edit, sequences
from testkit.world import World, a_world
from tests.contract.test_status import NOW
from tests.view.states import WORLDS
from tests.view.test_total import FULL

WITHOUT_EFFECT = {Reason.REFUSED, Reason.STALE, Reason.NOTHING_TO_DO}


def take(world: World, offered: Action) -> str:
    """A person does what the view offers, with what the command fills in; what the next decision answers."""
    fields = filled(world, offered)
    name = world.act(ActionType(offered.type or ""), LEE, **fields)
    action = world.actions.pop(name)
    obs = replace(world.observe(), actions=(action,))
    decision = decide(obs)
    entries = decision.status.actions if decision.status else ()
    entry = next((each for each in entries if each.uid == action.metadata.uid), None)
    return f"{entry.result}: {entry.message}" if entry else "not answered yet"


def filled(world: World, offered: Action) -> dict[str, str | int | bool]:
    """What the command fills in from the status, by the type of action."""
    status, words = world.status, offered.command.split()
    attempt, options = status.attempt, dict(pairwise(words))
    number, last = attempt.number if attempt else 0, words[4]
    retried = [each.attempt for each in status.quarantined if each.release == last]
    fields: dict[str, dict[str, str | int | bool]] = {
        "rollback": {"release": offered.label.removeprefix("Roll back ")},
        "drill": {"release": offered.consequence.removeprefix("Gives ").split()[0]},
        "approve": {"phase": options.get("--phase", (attempt.phase_name if attempt else "") or "")},
        "promote": {"phase": offered.label.removeprefix("Promote ")},
        "retry": {"release": last, "attempt": (retried or [number])[0]},
        "switch-on": {"detour": status.detour.id if status.detour else ""},
        "redo-hook": {"hook": options.get("--hook", ""), "attempt": int(options.get("--attempt", number))},
        "waive-hook": {"hook": options.get("--hook", ""), "attempt": int(options.get("--attempt", number))},
    }
    return fields.get(offered.verb, {})


def check(world: World, *, knows_endpoints: bool = True) -> None:
    """Each action that is offered is answered with its effect.

    Args:
        world: A world.
        knows_endpoints: Whether every release answers; that is not in a status, and a drill depends on it.
    """
    for action in view(world.rollout.copy_with(status=world.status), {}, world.now).actions:
        if action.type is None or (action.type == ActionType.DRILL and not knows_endpoints):
            continue
        answer = take(world, action)
        assert answer.partition(":")[0] not in WITHOUT_EFFECT, f"{world.state}: {action.command}: {answer}"


def test_an_offer_without_an_effect_is_found() -> None:
    """The comparison fails if the view offers what would be refused."""
    offered = Action(
        verb="resume",
        label="Resume",
        consequence="Ends the hold",
        command="kubectl agentrollout resume support-agent -n support --reason '...'",
        type=ActionType.RESUME,
    )
    assert take(WORLDS[State.CANARY](), offered) == "Refused: no person holds the attempt"


@pytest.mark.parametrize("state", State)
def test_what_is_offered_in_a_state_has_an_effect(state: State) -> None:
    """No action of the first screen is refused, stale, or has nothing to do."""
    check(WORLDS[state]())


@usually(8)
@given(sequences)
def test_what_is_offered_has_an_effect_whatever_happened(sequence: Sequence[tuple[Edit, float]]) -> None:
    """The same in random worlds."""
    world = a_world(a_rollout().serving(OLD).remembering(OLDEST), *RELEASES)
    for edit, pause in sequence:
        edit(world)
        world.run(pause)
        world.settle()
        check(world, knows_endpoints=False)
        event(f"{world.state}")


def test_everything_around_an_attempt_is_shown() -> None:
    """A status with every field shows a notice of each kind, and what needs a person comes first."""
    [hook, *_] = FULL["status"]["hooks"]
    failed = {**FULL, "status": {**FULL["status"], "hooks": [{**hook, "state": "Failed"}]}}
    seen = view(failed, {}, NOW)
    notices = seen.around
    assert "waive-hook" in {action.verb for action in seen.actions}
    assert "switch-on" in {action.verb for action in seen.actions}
    needs = [notice.needs for notice in notices]
    assert needs == sorted(needs, reverse=True)
    assert {notice.topic.value for notice in notices} == {
        "Detour",
        "Hook",
        "Group",
        "Drill",
        "Fuse",
        "Cap",
        "Person",
    }


@pytest.mark.parametrize(
    ("reason", "topic"),
    [("Frozen", "Freeze"), ("RequirementUnmet", "Requirement"), ("RecordBehind", "Record")],
)
def test_what_stops_a_rollout_from_outside_is_shown(reason: str, topic: str) -> None:
    """A freeze, another agent and a record that is behind are named when they hold the attempt."""
    held = a_rollout().in_state(State.CANARY).held_for(Reason.of(reason))
    [notice] = view(held.build(), {}, START).around
    assert (notice.topic.value, notice.state, notice.sentence) == (topic, reason, Reason.of(reason).sentence)
