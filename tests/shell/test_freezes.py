"""Freezes come and go; the whole shell runs in memory. What is written and read, and for whom."""

from typing import Any

import pytest

from agentrollouts.adapters.cluster.errors import ForbiddenError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.resync import Resync
from agentrollouts.shell.workqueue import WorkQueue
from testkit.builders.freezes import a_freeze
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD
from testkit.builders.rollouts import a_rollout
from tests.shell.fakes import Effect, FakeApiServer
from tests.shell.test_reconcile import HOME, IN_CANARY, ROLLOUT, Shell, a_shell
from tests.shell.virtual import pass_time, run

QUICK = a_rollout(phases=[{"name": "half", "weight": 50, "durationSeconds": 60}], gates=[])
STATUS = Effect("replace_status", "AgentFreeze weekend")


def frozen(namespace: str = NAMESPACE, **spec: Any) -> Manifest:  # noqa: ANN401 any value of JSON
    """A freeze as the API server has it."""
    manifest = a_freeze(namespace=namespace, **spec).to_json()
    manifest.pop("status")
    return manifest


def at_half(shell: Shell) -> None:
    """The canary is in a phase that is over in a minute."""
    shell.release(OLD)
    shell.release(NEW)
    shell.make(QUICK.serving(OLD).trying(NEW))


@pytest.mark.parametrize("namespace", [NAMESPACE, HOME])
def test_a_freeze_stops_what_goes_forward_and_its_end_resumes_it(namespace: str) -> None:
    """Held at once and for a day, with one status write of the freeze; deleting it lets it finish."""

    async def scenario() -> None:
        async with a_shell() as shell:
            at_half(shell)
            await pass_time(30)
            freeze = Ref.of(shell.api.put(frozen(namespace)))
            await pass_time(1)
            assert shell.status()["attempt"]["hold"]["reason"] == "Frozen"

            await pass_time(24 * 3600)

            assert shell.weights() == [50, 50]
            assert shell.api.effects.count(STATUS) == 1
            [active] = shell.status(freeze)["conditions"]
            assert (active["type"], active["status"], active["reason"]) == ("Active", "True", "NoWindows")
            shell.api.delete(freeze)
            await pass_time(600)
            assert shell.ready() == ("True", "Healthy")

    run(scenario())


def test_a_canary_is_taken_back_while_it_is_frozen() -> None:
    """The route is the first write, and the freeze is not read for it."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            shell.api.put(frozen())
            await pass_time(1)
            shell.api.reads.clear()

            shell.ask_for(OLD)
            await pass_time(1)

            assert shell.weights() == [100, 0]
            assert not [read for read in shell.api.reads if "AgentFreeze" in str(read)]

    run(scenario())


def test_the_status_of_a_freeze_follows_its_windows() -> None:
    """Two writes a day, at the edges, and none for the rollouts that it covers."""

    async def scenario() -> None:
        async with a_shell() as shell:
            daily = {"schedule": "0 12 * * *", "durationSeconds": 3600}
            freeze = Ref.of(shell.api.put(frozen(windows=[daily])))
            await pass_time(60)
            seen = []
            for _ in range(3):  # 10:01, 12:01 and 14:01
                status = shell.status(freeze)
                seen.append((status["conditions"][0]["status"], status.get("activeUntil")))
                await pass_time(2 * 3600)

            assert seen == [("False", None), ("True", "2026-11-21T13:00:00Z"), ("False", None)]
            assert shell.api.effects == [STATUS] * 3

    run(scenario())


def test_rollouts_at_rest_cost_nothing() -> None:
    """Of ten thousand at rest and a few that are not, a hundred freezes mark those that they are about."""

    async def scenario() -> None:
        cache = Cache(home=HOME)
        queue: WorkQueue[Ref] = WorkQueue(lambda: 0.0)
        intake = Intake(cache, queue)
        resting = a_rollout().asking_for(OLD).serving(OLD).build().to_json()
        busy = IN_CANARY.build().to_json()

        def put(manifest: Manifest, name: str, namespace: str, version: int) -> None:
            named = {"name": name, "namespace": namespace, "resourceVersion": str(version)}
            intake.put({**manifest, "metadata": {**manifest["metadata"], **named}})

        for number in range(10_000):
            put(resting, f"agent-{number}", f"namespace-{number % 100}", number + 1)
        put(busy, "busy", "namespace-7", 20_000)
        put(busy, "other", "namespace-8", 20_001)
        while len(queue):
            queue.done(await queue.take())

        for number in range(100):
            put(frozen(), f"freeze-{number}", f"namespace-{number}", 30_000 + number)
        put(frozen(), "here", HOME, 40_000)
        put(frozen(namespaces=["namespace-8"]), "there", HOME, 40_001)
        marked = []
        while len(queue):
            marked.append(await queue.take())
            queue.done(marked[-1])

        rollouts = sorted(key.name for key in marked if key.kind == "AgentRollout")
        assert rollouts == ["busy", "other"]
        assert len(marked) == 102 + 2

    run(scenario())


def test_a_freeze_looks_again_at_what_it_was_about() -> None:
    """Changed to be about another rollout, it releases the first one; a new status is no reason to look."""

    async def scenario() -> None:
        async with a_shell() as shell:
            at_half(shell)
            freeze = shell.api.put(frozen(rollouts=[AGENT]))
            await pass_time(10)
            assert shell.status()["attempt"]["state"] == "Held"

            shell.api.edit(Ref.of(freeze), rollouts=["another"])
            await pass_time(1)

            assert shell.status()["attempt"]["state"] == "Canary"

    run(scenario())


def test_labels_select_rollouts() -> None:
    """A label that is added freezes the rollout at once, and one that is removed frees it."""

    async def scenario() -> None:
        async with a_shell() as shell:
            at_half(shell)
            shell.api.put(frozen(selector={"tier": "gold"}))
            await pass_time(10)
            assert shell.status()["attempt"]["state"] == "Canary"

            for labels, state in (({"tier": "gold"}, "Held"), ({"tier": "silver"}, "Canary")):
                stored = shell.api.objects[ROLLOUT]
                shell.api.put({**stored, "metadata": {**stored["metadata"], "labels": labels}})
                await pass_time(1)
                assert shell.status()["attempt"]["state"] == state

    run(scenario())


def test_a_freeze_of_a_later_version_counts_as_frozen() -> None:
    """What this version cannot read stops everything in its reach."""

    async def scenario() -> None:
        async with a_shell() as shell:
            at_half(shell)
            manifest = frozen()
            shell.api.put({**manifest, "spec": {**manifest["spec"], "when": "OnTuesdays"}})
            await pass_time(10)

            assert "cannot read the freeze" in shell.status()["attempt"]["hold"]["message"]

    run(scenario())


def test_a_right_that_is_lost_ends_no_freeze() -> None:
    """Freezes that cannot be listed anymore are as they were; if the kind is gone, so are they."""

    class Forbidding(FakeApiServer):
        async def version(self, kind: str, namespace: str | None) -> str:
            if kind == "AgentFreeze" and self.events:
                raise ForbiddenError("agentfreezes is forbidden")
            return await super().version(kind, namespace)

    async def scenario() -> None:
        api, cache = Forbidding(), Cache(home=HOME)
        api.put(frozen())
        resync = Resync(api, cache, Intake(cache, WorkQueue(lambda: 0.0)), ())
        await resync.fill()
        api.events.append({})

        await resync.fill()

        assert cache.get(Ref("AgentFreeze", NAMESPACE, "weekend")) is not None

    run(scenario())
