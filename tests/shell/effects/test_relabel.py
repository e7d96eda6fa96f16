"""Inputs: snapshots that a rollout needs and no watch shows. Outputs: labels that are put back."""

import pytest

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import LABEL_AGENT, LABEL_MANAGED_BY, LABEL_RELEASE
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.effects.relabel import EVERY_SECONDS, Labels
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.workqueue import WorkQueue
from testkit.builders.names import AGENT, NAMESPACE, OLD
from testkit.builders.releases import a_record
from tests.shell.fakes import FakeApiServer
from tests.shell.virtual import now, pass_time, run

SNAPSHOT = Ref("ConfigMap", NAMESPACE, a_record(OLD).snapshot)


def a_snapshot(text: str, **labels: str) -> Manifest:
    """A ConfigMap with that bundle and these labels."""
    metadata = {"name": SNAPSHOT.name, "namespace": NAMESPACE, "uid": "uid", "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"bundle.json": text}}


@pytest.mark.parametrize(("text", "is_whole"), [(OLD, True), ("{}", False)])
def test_a_snapshot_without_our_label_is_found_by_its_name(text: str, *, is_whole: bool) -> None:
    """Its labels are put back if it holds what the status says; what holds anything else is left alone."""

    async def scenario() -> None:
        api, cache = FakeApiServer(), Cache()
        api.put(a_snapshot(text, **{LABEL_MANAGED_BY: "Helm"}))
        labels = Labels(api, Intake(cache, WorkQueue[Ref](now)))
        await labels.put_back(NAMESPACE, AGENT, [a_record(OLD)])

        written_labels = api.objects[SNAPSHOT]["metadata"]["labels"]
        ours = {LABEL_MANAGED_BY: "agentrollouts", LABEL_AGENT: AGENT, LABEL_RELEASE: OLD}
        assert (ours.items() <= written_labels.items()) is is_whole
        assert (cache.get(SNAPSHOT) is not None) is is_whole
        assert api.objects[SNAPSHOT]["data"] == {"bundle.json": text}

    run(scenario())


def test_one_that_is_gone_is_looked_for_now_and_then() -> None:
    """Not at every pass over the rollout."""

    async def scenario() -> None:
        api = FakeApiServer()
        labels = Labels(api, Intake(Cache(), WorkQueue[Ref](now)))
        for _ in range(10):
            await labels.put_back(NAMESPACE, AGENT, [a_record(OLD)])
        assert api.reads == [SNAPSHOT]
        await pass_time(EVERY_SECONDS)
        await labels.put_back(NAMESPACE, AGENT, [a_record(OLD)])
        assert (api.reads, api.objects) == ([SNAPSHOT, SNAPSHOT], {})

    run(scenario())
