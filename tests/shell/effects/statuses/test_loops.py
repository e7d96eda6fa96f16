"""Inputs: an API server that keeps only a part of a status, and neighbors that change their minds.

Outputs: how often a status is written. The whole shell in virtual time.
"""

import copy
from collections.abc import Callable
from typing import Final

import pytest

from agentrollouts.adapters.cluster.errors import ForbiddenError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.attempt import Attempt
from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.shell.effects.statuses.pace import AT_ONCE, PAUSE_LAST
from testkit.builders.names import NAMESPACE, NEW, OLD
from testkit.builders.rollouts import a_rollout
from tests.shell.fakes import failing
from tests.shell.test_reconcile import IN_CANARY, ROLLOUT, ROUTE, STATUS_WRITE, Shell, a_shell
from tests.shell.virtual import pass_time, run

MODELS: Final[dict[str, type[ApiModel]]] = {
    "": AgentRolloutStatus,
    "attempt": Attempt,
    "stable": ReleaseRecord,
    "canary": ReleaseRecord,
}
PATHS: Final = [
    (part, field.alias or name)
    for part, model in MODELS.items()
    for name, field in model.model_fields.items()
    if not field.is_required()
]
"""Each field that an older schema can lack."""
SERVICE_OF_STABLE: Final = ("stable", "service")
"""Without it, no route to stable can be made."""
MINUTE: Final = 60
RETRIES: Final = 40
"""Writes in a minute of what is repeated at the pace of a failed rollback."""


def without(part: str, field: str) -> Callable[[Manifest], Manifest]:
    """A schema that lacks this field."""

    def prune(manifest: Manifest) -> Manifest:
        if manifest["kind"] != ROLLOUT.kind:
            return manifest
        pruned = copy.deepcopy(manifest)
        holder = pruned["status"].get(part, {}) if part else pruned["status"]
        holder.pop(field, None)
        return pruned

    return prune


def writes(shell: Shell) -> int:
    """What was written so far, without Events."""
    return shell.api.count("apply", "patch", "replace_status")


@pytest.mark.parametrize(("part", "field"), PATHS, ids=[f"{part}.{field}" for part, field in PATHS])
def test_a_field_that_is_not_stored_makes_no_loop(part: str, field: str) -> None:
    """The operator cannot remember it, and says so; it never writes as fast as the network."""

    async def scenario() -> None:
        async with a_shell(keeps_records=True) as shell:
            shell.api.prune = without(part, field)
            for release in (OLD, NEW):
                shell.release(release)
            shell.make(IN_CANARY)
            await pass_time(MINUTE)
            assert writes(shell) <= RETRIES * 2
            shell.ask_for(OLD)
            await pass_time(10 * MINUTE)
            assert writes(shell) <= RETRIES * 12
            assert shell.weights()[0] == 100 or (part, field) == SERVICE_OF_STABLE

    run(scenario())


def flaps(shell: Shell) -> None:
    """Another route at our door comes, or goes."""
    theirs = Ref("HTTPRoute", NAMESPACE, "theirs")
    if theirs in shell.api.objects:
        shell.api.delete(theirs)
    else:
        ours = shell.api.objects[ROUTE]
        metadata = {"name": theirs.name, "namespace": NAMESPACE}
        shell.api.put({"kind": theirs.kind, "metadata": metadata, "spec": copy.deepcopy(ours["spec"])})


def has_warning(shell: Shell) -> bool:
    """Whether the status warns of the other route."""
    return any(condition["type"] == "RouteConflict" for condition in shell.status()["conditions"])


@pytest.mark.parametrize("is_in_canary", [False, True])
def test_a_neighbor_that_comes_and_goes_decides_not_how_often_a_status_is_written(
    *, is_in_canary: bool
) -> None:
    """The last state wins within ten seconds and costs nothing then; a rollback meanwhile is at once."""

    async def scenario() -> None:
        async with a_shell() as shell:
            for release in (OLD, NEW):
                shell.release(release)
            shell.make(IN_CANARY if is_in_canary else a_rollout().asking_for(OLD).serving(OLD))
            await pass_time(MINUTE)
            before = shell.api.effects.count(STATUS_WRITE)
            for _ in range(10 * MINUTE + 1):
                flaps(shell)
                await pass_time(0.1)
            written = shell.api.effects.count(STATUS_WRITE) - before
            assert AT_ONCE <= written <= AT_ONCE + MINUTE / PAUSE_LAST + 1
            await pass_time(PAUSE_LAST)
            assert has_warning(shell)
            settled = writes(shell)
            await pass_time(MINUTE)
            assert writes(shell) == settled
            if is_in_canary:
                for _ in range(MINUTE):
                    flaps(shell)
                    await pass_time(0.1)
                shell.ask_for(OLD)
                await pass_time(0.1)
                assert (shell.weights(), shell.status()["attempt"]["state"]) == ([100, 0], "Verifying")

    run(scenario())


def test_a_rollback_whose_status_is_refused_is_written_first_and_said_by_an_event() -> None:
    """The route has it at once; the metric counts the rollout until the status is stored."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            shell.api.on_write = failing(ForbiddenError("denied by policy"), "replace_status", ROLLOUT.kind)
            shell.ask_for(OLD)
            await pass_time(0.1)
            assert shell.weights() == [100, 0]
            await pass_time(MINUTE)
            said = [event["message"] for event in shell.api.events if event["reason"] == "StatusNotWritten"]
            assert (len(said), "denied by policy" in said[0], shell.statuses.unwritten()) == (1, True, 1)
            assert shell.status()["attempt"]["state"] == "Canary"
            shell.api.on_write = lambda _verb, _ref: None
            await pass_time(3)
            assert shell.status()["lastRollback"]["to"] == OLD
            assert shell.statuses.unwritten() == 0

    run(scenario())
