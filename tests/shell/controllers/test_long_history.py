"""Inputs: many attempts, each of which is rolled back. Outputs: what is still refused, and the size."""

import json
from typing import Final

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.people.action import ActionType
from agentrollouts.core.attempt.rollback import QUARANTINE_LIMIT
from agentrollouts.core.history import MOST_ENTRIES
from agentrollouts.core.rollout.reporting.size import STATUS_BYTES
from agentrollouts.core.rollout.snapshots.facts import FACTS_MANAGER
from testkit.builders.actions import an_action
from testkit.builders.names import AGENT, OLD
from testkit.builders.rollouts import a_rollout
from tests.shell.test_reconcile import a_shell
from tests.shell.virtual import pass_time, run

ATTEMPTS: Final = 60
"""More than the status remembers, of either kind."""


def with_its_writer(manifest: Manifest) -> Manifest:
    """A snapshot with the facts that are written on it, and that the operator has written them."""
    facts: dict[str, Manifest] = {f"f:{key}": {} for key in manifest["metadata"].get("annotations") or {}}
    if manifest["kind"] != "ConfigMap" or not facts:
        return manifest
    fields = {"f:metadata": {"f:annotations": facts}}
    entry = {"manager": FACTS_MANAGER, "operation": "Apply", "fieldsV1": fields}
    return {**manifest, "metadata": {**manifest["metadata"], "managedFields": [entry]}}


def test_what_was_rolled_back_long_ago_is_still_refused() -> None:
    """The status keeps the newest twenty in quarantine; the snapshots know all others."""

    async def scenario() -> None:
        async with a_shell(keeps_records=True) as shell:
            shell.api.mutate = with_its_writer
            shell.release(OLD)
            plan = a_rollout(historyLimit=MOST_ENTRIES, bake={"durationSeconds": 0})
            shell.make(plan.asking_for(OLD).serving(OLD))
            await pass_time(10)
            releases = [f"{AGENT}-5.{number}.0" for number in range(ATTEMPTS)]
            for release in releases:
                shell.release(release)
                shell.ask_for(release)
                await pass_time(5)
                attempt = shell.status()["attempt"]
                assert attempt["state"] == "Canary", release
                action = an_action(ActionType.ROLL_BACK, attempt["number"], release=release)
                shell.api.put({"kind": "AgentRolloutAction", **action.to_json()})
                await pass_time(30)
                assert shell.weights()[0] == 100
            status = shell.status()
            assert len(status["history"]) <= MOST_ENTRIES
            assert len(status["quarantined"]) == QUARANTINE_LIMIT
            assert len(json.dumps(status)) <= STATUS_BYTES
            for release in (releases[0], releases[ATTEMPTS // 2], releases[-1]):
                shell.ask_for(release)
                await pass_time(30)
                assert (shell.ready(), shell.weights()[0]) == (("False", "Quarantined"), 100), release
                assert release in {entry["release"] for entry in shell.status()["quarantined"]}

    run(scenario())
