"""Inputs: an API server's lists, and what the cache knew before. Outputs: what it knows then."""

import asyncio

import pytest

from agentrollouts.adapters.cluster.errors import NotServedError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER, LABEL_MANAGED_BY
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.resync import START_PAUSE, SYNC_SECONDS, Resync
from agentrollouts.shell.workqueue import WorkQueue
from tests.shell.fakes import FakeApiServer
from tests.shell.virtual import now, pass_time, run

RELEASE = Ref("AgentRelease", "support", "one")
CONFIG = Ref("ConfigMap", "support", "snapshot")


def an_object(ref: Ref, **labels: str) -> Manifest:
    """An object of an agent."""
    metadata = {"name": ref.name, "namespace": ref.namespace, "labels": labels}
    return {"kind": ref.kind, "metadata": metadata, "spec": {"agent": "support"}}


class Unsteady(FakeApiServer):
    """An API server that fails some lists first, and never serves some kinds."""

    def __init__(self, failures: int = 0, unserved: str = "") -> None:
        super().__init__()
        self.failures = failures
        self.unserved = unserved

    async def list(self, kind: str, namespace: str | None = None, labels: object = None) -> list[Manifest]:
        """All of a kind."""
        assert labels is None or labels == {LABEL_MANAGED_BY: FIELD_MANAGER}
        if self.failures:
            self.failures -= 1
            raise UnavailableError("not now")
        if kind == self.unserved:
            raise NotServedError(kind)
        return await super().list(kind, namespace, labels if isinstance(labels, dict) else None)


class Desk:
    """A cache that is kept true to an API server."""

    def __init__(self, api: FakeApiServer, *namespaces: str) -> None:
        self.api = api
        self.cache = Cache()
        self.queue: WorkQueue[Ref] = WorkQueue(now)
        self.resync = Resync(api, self.cache, Intake(self.cache, self.queue), namespaces)


def test_the_cache_is_filled_once_the_api_server_answers() -> None:
    """At start nothing is decided on half of the world; foreign ConfigMaps are no part of it."""

    async def scenario() -> None:
        desk = Desk(Unsteady(failures=3))
        release = desk.api.put(an_object(RELEASE))
        desk.api.put(an_object(CONFIG))
        await desk.resync.fill()
        assert (desk.cache.get(RELEASE), desk.cache.get(CONFIG), now()) == (release, None, 3 * START_PAUSE)
        assert await desk.queue.take() == RELEASE

    run(scenario())


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "FeatureFlag"])
def test_kinds_of_others_can_be_missing(kind: str) -> None:
    """The operator starts anyway; an old version of the Gateway API has no GRPCRoute."""

    async def scenario() -> None:
        desk = Desk(Unsteady(unserved=kind))
        release = desk.api.put(an_object(RELEASE))
        await desk.resync.fill()
        assert desk.cache.get(RELEASE) == release

    run(scenario())


def test_a_missing_kind_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """Most clusters lack some kind for good; the warning comes again if it was there in between."""

    async def scenario() -> None:
        api = Unsteady(unserved="FeatureFlag")
        desk = Desk(api)
        for unserved in ("FeatureFlag", "FeatureFlag", "", "FeatureFlag"):
            api.unserved = unserved
            await desk.resync.fill()

    run(scenario())

    assert [record.message.partition("; ")[2] for record in caplog.records] == [
        "rollouts without `traffic.featureFlag` are served"
    ] * 2


def test_without_our_own_kinds_it_waits_for_them() -> None:
    """Nothing can be decided before they are installed."""

    async def scenario() -> None:
        desk = Desk(Unsteady(unserved="AgentRollout"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await desk.resync.fill()

    run(scenario())


def test_only_the_namespaces_of_the_settings_are_read() -> None:
    """What an operator may not see it does not ask for."""

    async def scenario() -> None:
        desk = Desk(FakeApiServer(), "support")
        desk.api.put(an_object(RELEASE))
        desk.api.put(an_object(Ref("AgentRelease", "elsewhere", "one")))
        await desk.resync.fill()
        assert len(desk.cache.versions("AgentRelease", None)) == 1

    run(scenario())


def test_what_went_while_the_watch_was_interrupted_is_noticed() -> None:
    """A ghost would look like a release that can be shipped, or a route that is still there."""

    async def scenario() -> None:
        desk = Desk(FakeApiServer())
        desk.api.put(an_object(RELEASE))
        await desk.resync.fill()
        await desk.queue.take()
        desk.queue.done(RELEASE)
        desk.api.delete(RELEASE, tell=False)
        keeping = asyncio.create_task(desk.resync.keep())
        await pass_time(SYNC_SECONDS + 1)
        keeping.cancel()
        assert (desk.cache.get(RELEASE), len(desk.queue)) == (None, 1)

    run(scenario())


def test_what_came_while_the_list_was_under_way_stays() -> None:
    """A list is as old as its question; what the watch told meanwhile is newer."""

    async def scenario() -> None:
        api = FakeApiServer()
        desk = Desk(api)
        old = api.put(an_object(RELEASE))
        await desk.resync.fill()
        newer = {**old, "metadata": {**old["metadata"], "resourceVersion": "9"}}

        class Slow(FakeApiServer):
            async def list(self, kind: str, *_: object, **__: object) -> list[Manifest]:
                if kind == RELEASE.kind:
                    desk.cache.put(newer)
                return []

        await Resync(Slow(), desk.cache, Intake(desk.cache, desk.queue), ()).fill()
        assert desk.cache.get(RELEASE) == newer

    run(scenario())


def test_an_object_that_cannot_be_taken_in_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug with an object of one tenant is logged, and the operator starts for all others."""

    class Choosy(Intake):
        def put(self, manifest: Manifest) -> None:
            if manifest["metadata"]["name"] == "bad":
                raise KeyError("spec")
            super().put(manifest)

    monkeypatch.setitem(globals(), "Intake", Choosy)

    async def scenario() -> None:
        desk = Desk(FakeApiServer())
        desk.api.put(an_object(Ref("AgentRelease", "support", "bad")))
        desk.api.put(an_object(RELEASE))
        await desk.resync.fill()
        assert list(desk.cache.versions("AgentRelease", None)) == [RELEASE]

    run(scenario())

    assert "Failed to take in AgentRelease support/bad" in caplog.text


@pytest.mark.parametrize("kind", ["HTTPRoute", "ConfigMap"])
def test_a_writer_without_a_name_is_taken_in(kind: str) -> None:
    """An editor can patch `managedFields` so, and the API server stores that (measured with 1.36)."""

    async def scenario() -> None:
        desk = Desk(FakeApiServer())
        manifest = an_object(Ref(kind, "support", "one"), **{LABEL_MANAGED_BY: FIELD_MANAGER})
        manifest["metadata"]["managedFields"] = [{"operation": "Update", "fieldsV1": {"f:data": {}}}]
        desk.api.put(manifest)
        await desk.resync.fill()
        assert len(desk.cache.versions(kind, None)) == 1

    run(scenario())
