"""Pages beside stories in virtual time: the answers to actions, a condition, and what a digest tells."""

import re
import shlex
from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import AffectedWindow, WeightChange
from agentrollouts.api.status import Outcome
from agentrollouts.cli.arguments import parse
from agentrollouts.cli.online.act import act, request_of
from agentrollouts.cli.online.who_served import who_served
from agentrollouts.core.conditions import ROLLBACK_READY, find_condition
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, OLDEST, START, digest_of
from testkit.builders.rollouts import a_rollout
from testkit.tools import equip
from testkit.world import World, a_world, a_world_at_rest
from tests.cli.cluster import FakeCluster, stored
from tests.cli.test_who_served import a_release
from tests.docs.blocks.shown import command_of

SECONDS: Final = 60
"""Until an action has its last answer, in virtual time."""
HOOK: Final = {
    "name": "undo",
    "at": "AfterRollback",
    "job": {"cronJob": "undo"},
    "forTools": ["issue_refund"],
}


def served_by(world: World) -> FakeCluster:
    """An API server on which the operator of this world answers actions."""
    api = FakeCluster()
    api.put(stored(world.builder, NAMESPACE))

    def answer(action: Manifest) -> None:
        name = action["metadata"]["name"]
        made = {"uid": f"uid-of-{name}", "generation": 1, "creationTimestamp": world.now.isoformat()}
        asked = {**action, "metadata": {**action["metadata"], **made}}
        world.actions[name] = AgentRolloutAction.model_validate(asked)
        world.run(SECONDS)
        api.put(action | {"status": world.actions[name].status.to_json()})

    api.operator = answer
    return api


async def test_a_drill_answers_what_its_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """After 13 attempts, with a drill of two minutes in the plan."""
    drill = {"everySeconds": 2_592_000, "durationSeconds": 120}
    world = a_world_at_rest(OLDEST, *(OLD, NEW) * 6, drill=drill)
    world.settle()

    await answers("docs/drills.md", "agentrollouts drill", world, capsys)


@pytest.mark.parametrize("name", ["docs/gitops.md", "docs/states.md"])
async def test_a_rollback_answers_what_the_pages_show(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In mid-canary."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.run_until(State.CANARY)

    await answers(name, "agentrollouts roll-back", world, capsys)


async def answers(name: str, start: str, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The command of a page prints what it shows, apart from the generated name of the action."""
    command = command_of(name, start)
    _, options = parse(shlex.split(command.text)[1:])
    request = request_of(options, options.namespace or NAMESPACE)

    assert await act(served_by(world), request, wait=SECONDS, interval=0) == 0
    expected = [re.sub(rf"^{AGENT}-\w{{5}}: ", f"{AGENT}-x: ", line) for line in command.output]
    assert capsys.readouterr().out.splitlines() == expected


def test_the_condition_says_what_its_page_shows() -> None:
    """For a rollout with a cap, a hook for one of two tools, and a release before the one that serves."""
    caps = [{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "50"}]
    world = a_world_at_rest(OLD, NEW, caps=caps, hooks=[HOOK])
    equip(world, NEW, {"issue_refund": True, "send_mail": True})
    world.settle()

    condition = find_condition(world.status.conditions, ROLLBACK_READY)

    command = command_of("docs/readiness.md", "kubectl get agentrollout")
    assert f'@.type=="{ROLLBACK_READY}"' in command.text
    assert condition is not None
    assert command.output == [condition.message]


async def test_a_digest_is_found_as_its_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """For a release that was rolled back by a gate after 90 seconds; its sentence is that of the page."""
    command = command_of("docs/agent.md", "agentrollouts who-served")
    [cause] = [line.partition("(GateFailed): ")[2] for line in command.output if "(GateFailed): " in line]
    _, options = parse(shlex.split(command.text)[1:])
    api = FakeCluster()
    api.put(rolled_back(cause))
    changed = {"component": "prompt", "from": "3.1.0", "to": "3.2.0", "change": "Minor"}
    api.put(a_release(diff=[changed]))

    assert options.all_namespaces
    assert await who_served(api, options.digest, None, as_json=False) == 0
    assert capsys.readouterr().out.splitlines() == command.output


def rolled_back(cause: str) -> dict[str, Any]:
    """The rollout whose canary had 5% for 90 seconds, and lost its last request 30 seconds later."""
    steps = ((0, 5), (90, 0))
    window = AffectedWindow(
        release=NEW,
        start_time=START,
        end_time=START + timedelta(seconds=120),
        attempt=2,
        digest=digest_of(NEW),
        runs=21,
        weights=tuple(WeightChange(time=START + timedelta(seconds=at), canary=share) for at, share in steps),
    )
    after = a_rollout().serving(OLD).remembering(NEW, Outcome.ROLLED_BACK, Reason.GATE_FAILED)
    newest, *others = after.status.history
    history = (newest.replace(message=cause), *others)
    return stored(after.having(history=history, affected_window=window), NAMESPACE)
