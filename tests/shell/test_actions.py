"""People act; the whole shell runs in memory. What is written, and in which order."""

from typing import Any

import pytest

from agentrollouts.adapters.cluster.errors import ForbiddenError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.people.action import ActionType
from agentrollouts.settings.authority import AuthoritySettings
from agentrollouts.settings.settings import Settings
from testkit.builders.actions import an_action
from testkit.builders.names import NAMESPACE, NEW, OLD
from testkit.builders.rollouts import a_rollout
from tests.shell.fakes import Effect
from tests.shell.test_reconcile import IN_CANARY, ROLLOUT, ROUTE_WRITE, STATUS_WRITE, Shell, a_shell
from tests.shell.virtual import pass_time, run

ACTION = "AgentRolloutAction"
ASKING = a_rollout(
    phases=[{"name": "asked", "weight": 5, "durationSeconds": 5, "approval": "Required"}], gates=[]
)


def act(shell: Shell, kind: ActionType, attempt: int = 2, **fields: str | int | bool) -> Ref:
    """A person creates an action."""
    manifest: Manifest = {**an_action(kind, attempt, **fields).to_json(), "kind": ACTION}
    manifest.pop("status")
    return Ref.of(shell.api.put(manifest))


def answered_by(ref: Ref) -> Effect:
    """The write of an answer."""
    return Effect("replace_status", f"{ACTION} {ref.name}")


def test_a_rollback_is_written_before_anything_is_answered() -> None:
    """The route first, then the status, then the answer; nobody is asked who that person is."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            before = len(shell.api.effects)

            action = act(shell, ActionType.ROLL_BACK, release=NEW)
            await pass_time(1)

            done = [effect for effect in shell.api.effects[before:] if effect.verb != "create"]
            order = [done.index(effect) for effect in (ROUTE_WRITE, STATUS_WRITE, answered_by(action))]
            assert order == sorted(order)
            assert order[0] == 0
            assert shell.weights() == [100, 0]
            assert (shell.ready(action), shell.api.probes) == (("True", "Done"), 0)
            assert shell.status()["actions"][0]["result"] == "Done"

    run(scenario())


def test_an_action_that_advances_is_believed_where_the_policies_are() -> None:
    """Asked once for each; without the policies the canary stays where it is, and the answer says so."""

    async def scenario() -> None:
        for is_verified, expected in ((True, ("True", "Counted")), (False, ("False", "IdentityNotProved"))):
            async with a_shell() as shell:
                shell.api.verifies_people = is_verified
                shell.release(OLD)
                shell.release(NEW)
                shell.make(ASKING.serving(OLD).trying(NEW))
                await pass_time(60)

                action = act(shell, ActionType.APPROVE, phase="asked")
                await pass_time(1)

                assert (shell.ready(action), shell.api.probes) == (expected, 1)
                state = shell.status()["attempt"]["state"]
                assert (state == "AwaitingApproval") is not is_verified

    run(scenario())


def test_the_settings_say_what_is_believed_without_the_policies() -> None:
    """From the moment at which they change."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.api.verifies_people = False
            shell.make(IN_CANARY)
            await pass_time(1)
            shell.permits.replace(Settings(authority=AuthoritySettings(unproved="Refuse")))
            refused = act(shell, ActionType.HOLD, name="refused")
            await pass_time(1)
            shell.permits.replace(Settings(authority=AuthoritySettings(unproved="Accept")))
            taken = act(shell, ActionType.HOLD, name="taken")
            await pass_time(1)

            assert shell.ready(refused) == ("False", "IdentityNotProved")
            assert (shell.ready(taken), shell.api.probes) == (("True", "Done"), 1)

    run(scenario())


def test_while_the_api_server_does_not_say_who_people_are_nothing_advances() -> None:
    """The action waits, and is taken once the API server answers."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.release(OLD)
            shell.release(NEW)
            shell.make(ASKING.serving(OLD).trying(NEW))
            await pass_time(60)

            def refuse(verb: str, _: Ref) -> None:
                if verb == "probe":
                    raise UnavailableError("no answer")

            shell.api.on_write = refuse
            action = act(shell, ActionType.APPROVE, phase="asked")
            await pass_time(1)
            assert shell.ready(action) is None

            shell.api.on_write = lambda *_: None
            await pass_time(60)
            assert shell.ready(action) == ("True", "Counted")

    run(scenario())


def test_an_answer_that_cannot_be_written_is_written_later_and_the_action_taken_once() -> None:
    """The ledger has it meanwhile: a restart does not take it again either."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)

            def refuse(verb: str, ref: Ref) -> None:
                if (verb, ref.kind) == ("replace_status", ACTION):
                    raise UnavailableError("no answer")

            shell.api.on_write = refuse
            action = act(shell, ActionType.HOLD)
            await pass_time(5)
            assert [entry["result"] for entry in shell.status()["actions"]] == ["Done"]
            assert shell.ready(action) is None

            shell.api.on_write = lambda *_: None
            await pass_time(60)
            assert shell.ready(action) == ("True", "Done")
            assert len(shell.status()["actions"]) == 1

    run(scenario())


def test_an_action_about_no_rollout_is_answered() -> None:
    """Nothing is lost in silence; a rollout that the watch has not reported yet is not taken for missing."""

    async def scenario() -> None:
        async with a_shell() as shell:
            action = act(shell, ActionType.HOLD)
            await pass_time(1)
            assert shell.ready(action) == ("False", "NoSuchRollout")

        async with a_shell() as shell:
            intake, shell.api.intake = shell.api.intake, None
            shell.make(IN_CANARY)
            shell.api.intake = intake
            action = act(shell, ActionType.HOLD)
            await pass_time(1)
            assert shell.ready(action) is None

    run(scenario())


@pytest.mark.parametrize("kind", [ActionType.HOLD, ActionType.ROLL_BACK])
def test_an_answered_action_is_forgotten(kind: ActionType) -> None:
    """Nothing depends on it: it takes no memory, and a day of rest writes nothing."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY.planning(watch=None, gates=[]))
            await pass_time(1)
            fields: dict[str, Any] = {"release": NEW} if kind is ActionType.ROLL_BACK else {}
            action = act(shell, kind, **fields)
            await pass_time(600)
            assert shell.ready(action) == ("True", "Done")
            assert shell.cache.get(action) is None

            written = len(shell.api.effects)
            await pass_time(24 * 3600)
            assert len(shell.api.effects) == written

    run(scenario())


OLD_ATTEMPTS = (
    a_rollout(watch=None, gates=[], historyLimit=1).serving(OLD).remembering(OLD).remembering(OLD)
).asking_for(OLD)


def an_answered(shell: Shell, name: str, attempt: int = 1, reason: str = "Done") -> Ref:
    """An action that the operator answered long ago."""
    manifest = an_action(ActionType.HOLD, attempt, name=name, age=-9 * 86_400).to_json()
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": reason,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return Ref.of(shell.api.put({**manifest, "kind": ACTION, "status": {"conditions": [ready]}}))


def test_answered_actions_of_forgotten_attempts_are_deleted() -> None:
    """All of them, a few at a time, after everything else; at rest nothing is written then."""

    async def scenario() -> None:
        async with a_shell() as shell:
            old = [an_answered(shell, f"old-{number}") for number in range(25)]
            newer = an_answered(shell, "newer", attempt=3)
            waits = an_answered(shell, "waits", reason="Waiting")
            shell.release(OLD)
            shell.make(OLD_ATTEMPTS)
            await pass_time(60)

            assert not {*old} & shell.api.objects.keys()
            assert {newer, waits} <= shell.api.objects.keys()
            written = len(shell.api.effects)
            await pass_time(24 * 3600)
            assert len(shell.api.effects) == written

    run(scenario())


def test_what_may_not_be_deleted_stops_nothing() -> None:
    """An older role lacks the right: no condition reports it, and a rollback goes on as always."""

    async def scenario() -> None:
        async with a_shell() as shell:

            def refuse(verb: str, _: Ref) -> None:
                if verb == "delete_version":
                    raise ForbiddenError("may not delete")

            shell.api.on_write = refuse
            old = an_answered(shell, "old")
            shell.release(OLD)
            shell.release(NEW)
            shell.make(OLD_ATTEMPTS.trying(NEW).asking_for(NEW))
            await pass_time(5)
            assert old in shell.api.objects
            assert "may not delete" not in str(shell.status())
            back = act(shell, ActionType.ROLL_BACK, 4, release=NEW)
            await pass_time(5)
            assert (shell.ready(back), shell.weights()) == (("True", "Done"), [100, 0])

    run(scenario())


def test_an_action_that_changed_is_not_deleted_as_it_was() -> None:
    """Someone labeled it, and the watch is late: it is read again, and deleted as it is."""

    async def scenario() -> None:
        async with a_shell() as shell:
            old = an_answered(shell, "old")
            await pass_time(1)
            intake, shell.api.intake = shell.api.intake, None
            stored = shell.api.objects[old]
            labeled = {**stored, "metadata": {**stored["metadata"], "labels": {"a": "b"}}}
            shell.api.put(labeled)
            shell.api.intake = intake
            shell.release(OLD)
            shell.make(OLD_ATTEMPTS)
            await pass_time(5)
            assert (old in shell.api.objects, shell.api.count("delete_version")) == (False, 2)

    run(scenario())


def test_a_thousand_actions_of_one_tenant_do_not_delay_its_rollback() -> None:
    """Rollbacks are looked at first, however many other actions wait."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            for number in range(500):
                act(shell, ActionType.HOLD, attempt=100 + number)
                act(shell, ActionType.ROLL_BACK, attempt=100 + number, release=NEW)
            action = act(shell, ActionType.ROLL_BACK, release=NEW)

            await pass_time(0.001)

            assert shell.weights() == [100, 0]
            await pass_time(600)
            assert shell.ready(action) == ("True", "Done")
            others = [ref for ref in shell.api.objects if ref.kind == ACTION and ref != action]
            assert [shell.ready(ref) for ref in others] == [("False", "Refused")] * 1_000

    run(scenario())


def test_the_rollout_of_another_namespace_is_never_meant() -> None:
    """Names are those of the action's own namespace."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            manifest = an_action(ActionType.ROLL_BACK, 2, release=NEW).to_json()
            manifest.pop("status")
            elsewhere = {**manifest["metadata"], "namespace": f"not-{NAMESPACE}"}
            action = Ref.of(shell.api.put({**manifest, "kind": ACTION, "metadata": elsewhere}))
            await pass_time(1)
            assert shell.ready(action) == ("False", "NoSuchRollout")
            assert shell.weights() != [100, 0]
            assert not shell.status(ROLLOUT).get("actions")

    run(scenario())


def test_a_credential_in_a_reason_goes_nowhere() -> None:
    """The canary is rolled back all the same; neither the status nor an Event has the text."""
    key = f"ghp_{'wQ7zK2mX9pLr4TnV8bYc' * 2}"[:40]

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)

            action = act(shell, ActionType.ROLL_BACK, release=NEW, reason=f"broken since {key}")
            await pass_time(1)

            assert (shell.weights(), shell.ready(action)) == ([100, 0], ("True", "Done"))
            assert "withheld" in shell.status()["lastRollback"]["message"]
            assert key not in str([shell.status(), shell.status(action), shell.api.events])

    run(scenario())
