"""The first screen of each state answers what happens, why, and what to do; golden files have all of it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.insight.view.acting.command import addressed
from agentrollouts.insight.view.reading import Known
from agentrollouts.insight.view.shape import Notice, View
from agentrollouts.insight.view.view import view
from agentrollouts.insight.view.words import Allowed, Needs, Topic
from tests.view.states import BUNDLES, WORLDS, seen

GOLDEN: Final = Path(__file__).parent / "golden"
STEER: Final = ("rollback", "hold", "promote", "switch-off")


class Answers(NamedTuple):
    """What a newcomer reads on the first screen."""

    needs: Needs
    what: str
    why: str
    verbs: Sequence[str]
    """What they can do, most useful first."""


ANSWERS: Final = {
    State.PENDING: Answers(
        Needs.NOBODY,
        "customers are safe: support-agent-4.1.0 serves all traffic; what ends this: an endpoint of the "
        "Service becomes ready",
        "service support-agent-4-2-0 of support-agent-4.2.0 has no ready endpoint",
        ("rollback", "switch-off"),
    ),
    State.INITIAL: Answers(
        Needs.NOBODY,
        "support-agent-4.2.0 is about to have all traffic; what ends this: the Gateway of the route "
        "accepts it",
        "support-agent-4.2.0 will get 100% and is baking; no gateway has reported",
        ("hold", "switch-off"),
    ),
    State.CANARY: Answers(
        Needs.NOBODY,
        "support-agent-4.2.0 has 5%, support-agent-4.1.0 the rest",
        "support-agent-4.2.0 has 5% in phase canary-5",
        STEER,
    ),
    State.AWAITING_APPROVAL: Answers(
        Needs.PERSON,
        "support-agent-4.2.0 has 20%, support-agent-4.1.0 the rest; needs you: phase asked passed and waits "
        "for approval",
        "Phase asked passed; to approve:",
        ("approve", "rollback", "hold", "switch-off"),
    ),
    State.HELD: Answers(
        Needs.PERSON,
        "support-agent-4.2.0 has 5%, support-agent-4.1.0 the rest; needs you: it is held for GateFailed; "
        "resumes if the gate recovers; otherwise ship a fix or roll back",
        "rate 40% vs 2.0% = 20x, limit 1.1x",
        STEER,
    ),
    State.BAKING: Answers(
        Needs.NOBODY,
        "support-agent-4.2.0 has 95%, support-agent-4.1.0 the rest",
        "support-agent-4.2.0 has 95% and is baking; the bake ends at 2026-11-21 10:40:00 UTC",
        STEER,
    ),
    State.HEALTHY: Answers(
        Needs.NOBODY,
        "support-agent-4.2.0 serves all traffic",
        "support-agent-4.2.0 serves all traffic",
        ("rollback", "drill", "switch-off"),
    ),
    State.ROLLING_BACK: Answers(
        Needs.PERSON,
        "customers are not safe: support-agent-4.2.0 still has traffic; needs you: remove what refuses or "
        "undoes the write; the operator retries",
        "NOT ROLLED BACK: 5% still on support-agent-4.2.0: the cluster has no HTTPRoute kind",
        ("switch-off",),
    ),
    State.VERIFYING: Answers(
        Needs.NOBODY,
        "customers are safe: support-agent-4.1.0 serves all traffic",
        "Rolled back from support-agent-4.2.0 to support-agent-4.1.0.",
        ("switch-off",),
    ),
    State.ROLLED_BACK: Answers(
        Needs.PERSON,
        "customers are safe: support-agent-4.1.0 serves all traffic; needs you: Git requests "
        "support-agent-4.2.0, which was rolled back",
        "support-agent-4.2.0 was rolled back and is not tried again",
        ("git", "diff", "report", "retry", "rollback", "switch-off"),
    ),
    State.SUPERSEDED: Answers(
        Needs.NOBODY,
        "support-agent-4.1.0 serves all traffic",
        "support-agent-4.1.0 serves all traffic",
        ("rollback", "drill", "switch-off"),
    ),
}
"""By the state of the attempt, for the plan of the test kit."""


@cache
def view_in(state: State) -> View:
    """The view of a world that came to that state."""
    world = WORLDS[state]()
    assert world.state is state
    return seen(world)


@pytest.mark.parametrize("state", State)
def test_a_newcomers_three_questions_are_answered(state: State) -> None:
    """What happens and who has to act; why; what can be done, each with its consequence and a command."""
    shown, expected = view_in(state), ANSWERS[state]
    assert (shown.headline.needs, shown.headline.sentence) == (expected.needs, expected.what)
    assert expected.why in shown.headline.why
    assert [action.verb for action in shown.actions] == list(expected.verbs)
    assert all(action.consequence and action.label for action in shown.actions)


@pytest.mark.parametrize("state", State)
def test_every_command_can_be_copied(state: State) -> None:
    """A command names the rollout or a release, and the namespace; one that creates an action asks why."""
    for action in view_in(state).actions:
        if action.verb == "git":
            assert action.command == "spec.releaseRef.name: support-agent-4.1.0"
            continue
        assert action.command.startswith(f"kubectl agentrollout {action.verb} support-agent")
        assert " -n support" in action.command
        assert action.command.endswith(" --reason '...'") == (action.type is not None)
        assert action.allowed is Allowed.UNKNOWN


@pytest.mark.parametrize("state", State)
def test_the_view_is_the_golden_file(state: State) -> None:
    """The JSON of each state is the file that people have read; write it anew only after reading it."""
    golden = json.loads((GOLDEN / f"{state}.json").read_text(), parse_float=_to_six_digits)
    assert json.loads(json.dumps(view_in(state).to_json()), parse_float=_to_six_digits) == golden


def test_commands_name_the_cluster_that_was_read() -> None:
    """A command that is copied reaches no other cluster, and shows no secret."""
    flags = ("--context=prod eu", "--as=dana", "--token=secret", "--namespace=x", "--request-timeout=5s")
    shown = view_in(State.ROLLED_BACK)

    found = [each.command for each in addressed(shown, flags).actions]

    program = "kubectl agentrollout '--context=prod eu' --as=dana"
    plain = [each.command for each in shown.actions]
    assert found == [each.replace("kubectl agentrollout", program) for each in plain]
    assert found[0] == plain[0] == "spec.releaseRef.name: support-agent-4.1.0"
    assert addressed(shown, ()) == shown


def test_notices_name_the_cluster_that_was_read() -> None:
    """A command within a sentence is copied as well."""
    notice = Notice(topic=Topic.OPERATOR, state="Overdue", sentence="late; see kubectl agentrollout check x")
    shown = replace(view_in(State.CANARY), around=(notice,))

    [found] = addressed(shown, ("--context=eu",)).around

    assert found.sentence == "late; see kubectl agentrollout --context=eu check x"


def _to_six_digits(number: str) -> float:
    """Libraries of mathematics differ in the last digits."""
    return float(f"{float(number):.6g}")


@pytest.mark.parametrize("state", State)
def test_a_manifest_and_its_object_have_the_same_view(state: State) -> None:
    """It makes no difference whether the object was parsed."""
    world = WORLDS[state]()
    rollout = AgentRollout.model_validate(world.rollout.copy_with(status=world.status).to_json())
    known = {name: Known(world.releases.get(name), bundle) for name, bundle in BUNDLES.items()}
    assert view(rollout, known, world.now) == view(rollout.to_json(), known, world.now)
