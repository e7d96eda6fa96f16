"""Inputs: an API server's lists, and what the cache knew before. Outputs: what it knows then."""

import asyncio

import pytest

from agentrollouts.adapters.cluster.errors import ForbiddenError, NotServedError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER, LABEL_MANAGED_BY
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.resync import (
    LAG_SECONDS,
    MISSING_PAUSE,
    OTHERS_SECONDS,
    START_PAUSE,
    SYNC_SECONDS,
    WATCHED,
    Resync,
)
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
        self.lists: list[str] = []

    async def list(self, kind: str, namespace: str | None = None, labels: object = None) -> list[Manifest]:
        """All of a kind."""
        assert labels is None or labels == {LABEL_MANAGED_BY: FIELD_MANAGER}
        self.lists.append(kind)
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


def test_what_it_waits_for_is_said_once_and_asked_for_at_a_low_rate(caplog: pytest.LogCaptureFixture) -> None:
    """Not one list of everything in a second, nor a line of the log."""

    async def scenario() -> None:
        api = Unsteady(unserved="AgentRollout")
        desk = Desk(api)
        filling = asyncio.create_task(desk.resync.fill())
        await pass_time(600)
        assert api.reads.count("ConfigMap") <= 600 / MISSING_PAUSE + 2
        assert desk.resync.problem == "AgentRollout"
        api.unserved = ""
        async with asyncio.timeout(MISSING_PAUSE + 1):
            await filling
        assert desk.resync.problem == ""

    run(scenario())

    assert [record.message for record in caplog.records] == ["AgentRollout"]


class Broken(FakeApiServer):
    """An API server that always fails the lists of a kind, such as by its conversion webhook."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.broken = kind

    async def list(self, kind: str, namespace: str | None = None, labels: object = None) -> list[Manifest]:
        """All of a kind."""
        if kind == self.broken:
            raise UnavailableError(f"conversion webhook for {kind} failed")
        return await super().list(kind, namespace, labels if isinstance(labels, dict) else None)


@pytest.mark.parametrize("kind", ["FeatureFlag", "GRPCRoute"])
def test_a_kind_of_others_whose_list_always_fails_does_not_keep_the_operator_from_starting(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is ready seconds later, and has the objects as soon as they can be listed."""

    async def scenario() -> None:
        api = Broken(kind)
        desk = Desk(api)
        release = desk.api.put(an_object(RELEASE))
        theirs = desk.api.put(an_object(Ref(kind, "support", "one"), **{LABEL_MANAGED_BY: FIELD_MANAGER}))
        async with asyncio.timeout(OTHERS_SECONDS + START_PAUSE):
            await desk.resync.fill()
        assert (desk.cache.get(RELEASE), desk.cache.get(Ref.of(theirs))) == (release, None)
        with pytest.raises(UnavailableError):
            await desk.resync.anew(kind, None)
        api.broken = ""
        await desk.resync.anew(kind, None)
        assert desk.cache.get(Ref.of(theirs)) == theirs

    run(scenario())

    assert [record.message.partition(";")[0] for record in caplog.records] == [
        f"conversion webhook for {kind} failed"
    ]


@pytest.mark.parametrize("kind", ["ConfigMap", "HTTPRoute", "AgentRelease", "AgentRollout"])
def test_without_what_every_rollout_needs_nothing_is_decided(kind: str) -> None:
    """A rollout whose route or releases are not known would be taken to have none."""

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await Desk(Broken(kind)).resync.fill()

    run(scenario())


@pytest.mark.parametrize("is_known_by", ["a list", "a write"])
def test_when_a_kind_comes_back_every_rollout_is_looked_at(is_known_by: str) -> None:
    """The CRD of HTTPRoute was deleted and is there again: no rollout waits for its next retry."""

    async def scenario() -> None:
        api = Unsteady()
        desk = Desk(api)
        rollout = Ref("AgentRollout", "support", "agent")
        desk.api.put(an_object(rollout))
        await desk.resync.fill()
        await desk.queue.take()
        desk.queue.done(rollout)
        await desk.resync.anew("HTTPRoute", None)  # the watch that begins after the start
        if is_known_by == "a list":
            api.unserved = "HTTPRoute"
        else:
            desk.cache.unserved.add("HTTPRoute")
        listing, since = asyncio.create_task(desk.resync.anew("HTTPRoute", None)), len(api.lists)
        if is_known_by == "a list":
            await pass_time(600)
            assert (listing.done(), len(desk.queue)) == (False, 0)
            assert 600 / MISSING_PAUSE <= len(api.lists) - since <= 600 / MISSING_PAUSE + 1
            api.unserved = ""
        async with asyncio.timeout(MISSING_PAUSE):
            await listing
        assert await desk.queue.take() == rollout
        desk.queue.done(rollout)
        await desk.resync.anew("HTTPRoute", None)
        assert len(desk.queue) == 0

    run(scenario())


def test_a_missing_kind_is_looked_for_once_for_all_namespaces() -> None:
    """However many there are, each has its watch within seconds once the kind is there."""
    namespaces = [f"team-{number}" for number in range(20)]

    async def scenario() -> None:
        api = Unsteady(unserved="FeatureFlag")
        desk = Desk(api, *namespaces)
        flag = desk.api.put(
            an_object(Ref("FeatureFlag", "team-7", "one"), **{LABEL_MANAGED_BY: FIELD_MANAGER})
        )
        await desk.resync.fill()
        since = len(api.lists)
        listing = [asyncio.create_task(desk.resync.anew("FeatureFlag", each)) for each in namespaces]
        await pass_time(600)
        assert 600 / MISSING_PAUSE <= len(api.lists) - since <= 600 / MISSING_PAUSE + len(namespaces)
        api.unserved = ""
        async with asyncio.timeout(2 * MISSING_PAUSE + 1):
            await asyncio.gather(*listing)
        assert desk.cache.get(Ref.of(flag)) == flag

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

        slow = Slow()
        slow._version = 9  # noqa: SLF001 it is the same API server
        await Resync(slow, desk.cache, Intake(desk.cache, desk.queue), ()).fill()
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


class Closed(FakeApiServer):
    """An API server that refuses the lists of a kind in some namespaces."""

    def __init__(self, *closed: str, kind: str = "ConfigMap") -> None:
        super().__init__()
        self.closed = {*closed}
        self.kind = kind

    async def list(self, kind: str, namespace: str | None = None, labels: object = None) -> list[Manifest]:
        """All of a kind."""
        if kind == self.kind and namespace in self.closed:
            raise ForbiddenError(f"cannot list {kind} in {namespace}")
        return await super().list(kind, namespace, labels if isinstance(labels, dict) else None)


@pytest.mark.parametrize("kind", ["ConfigMap", "HTTPRoute", "AgentRollout"])
def test_a_namespace_that_refuses_its_lists_keeps_no_other_waiting(kind: str) -> None:
    """Nothing of it is known until all of it can be listed; then it is, within seconds."""

    async def scenario() -> None:
        api = Closed("gone", kind=kind)
        desk = Desk(api, "gone", "support")
        theirs = desk.api.put(an_object(RELEASE._replace(namespace="gone")))
        ours = desk.api.put(an_object(RELEASE))
        async with asyncio.timeout(10):
            await desk.resync.fill()
        lists = [asyncio.create_task(desk.resync.anew(each, "gone")) for each in WATCHED]
        await pass_time(SYNC_SECONDS + 1)
        assert not any(each.done() for each in lists)
        api.closed.clear()
        async with asyncio.timeout(3):
            await asyncio.gather(*lists)
        assert (desk.cache.get(Ref.of(theirs)), desk.cache.get(RELEASE)) == (theirs, ours)

    run(scenario())


def test_without_any_namespace_it_waits_for_its_rights() -> None:
    """A role that is bound after the start is as good as one before; until then, it is not ready."""

    async def scenario() -> float:
        api = Closed("a", "b")
        desk = Desk(api, "a", "b")
        asyncio.get_running_loop().call_later(100, api.closed.clear)
        await desk.resync.fill()
        return now()

    assert 100 <= run(scenario()) <= 102


def test_a_list_that_fails_stops_no_other() -> None:
    """The kind of someone else, whose conversion webhook is down, does not hide that a release is gone."""

    async def scenario() -> None:
        api = Unsteady()
        desk = Desk(api)
        api.put(an_object(RELEASE))
        await desk.resync.fill()
        api.delete(RELEASE, tell=False)
        api.failures = 1
        keeping = asyncio.create_task(desk.resync.keep())
        await pass_time(SYNC_SECONDS + 1)
        keeping.cancel()
        assert (api.failures, desk.cache.get(RELEASE)) == (0, None)

    run(scenario())


def test_an_api_server_that_was_restored_from_a_backup_is_believed() -> None:
    """Versions are lower than before, what was changed is as it was, and what was deleted is back."""
    other = RELEASE._replace(name="other")

    async def scenario() -> None:
        desk = Desk(FakeApiServer())
        former = [desk.api.put(an_object(ref)) for ref in (RELEASE, other)]
        backup = desk.api._version  # noqa: SLF001 as of a backup
        await desk.resync.fill()
        desk.cache.put({**former[0], "metadata": {**former[0]["metadata"], "resourceVersion": "90"}})
        desk.cache.drop({**former[1], "metadata": {**former[1]["metadata"], "resourceVersion": "91"}})
        await desk.resync.anew(RELEASE.kind, None)
        assert await desk.resync.has(RELEASE.kind, None, str(backup))
        assert not await desk.resync.has(RELEASE.kind, None, "91")

        with pytest.raises(UnavailableError, match="older state"):
            await desk.resync.anew(RELEASE.kind, None)
        await pass_time(LAG_SECONDS - 1)
        with pytest.raises(UnavailableError, match="older state"):
            await desk.resync.anew(RELEASE.kind, None)
        assert desk.cache.get(other) is None
        await pass_time(1)
        assert await desk.resync.anew(RELEASE.kind, None) == str(backup)
        assert [desk.cache.get(ref) for ref in (RELEASE, other)] == former

    run(scenario())


def test_an_api_server_that_only_lags_behind_is_not_believed() -> None:
    """What it lists is older than what is known, until it has caught up."""

    async def scenario() -> None:
        desk = Desk(FakeApiServer())
        former = desk.api.put(an_object(RELEASE))
        await desk.resync.fill()
        newer = {**former, "metadata": {**former["metadata"], "resourceVersion": "90"}}
        desk.cache.put(newer)
        await desk.resync.anew(RELEASE.kind, None)
        with pytest.raises(UnavailableError, match="older state"):
            await desk.resync.anew(RELEASE.kind, None)
        desk.api.objects[RELEASE], desk.api._version = newer, 90  # noqa: SLF001 it catches up
        assert await desk.resync.anew(RELEASE.kind, None) == "90"
        await pass_time(2 * LAG_SECONDS)
        assert await desk.resync.anew(RELEASE.kind, None) == "90"
        assert desk.cache.get(RELEASE) == newer

    run(scenario())


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_restored_api_server_is_believed_also_once_its_versions_are_as_high_as_before(
    *, is_gone: bool
) -> None:
    """A list that is as new as what is known, and has an object in an older version, comes from a backup."""

    async def scenario() -> None:
        desk = Desk(FakeApiServer())
        former = desk.api.put(an_object(RELEASE))
        await desk.resync.fill()
        newer = {**former, "metadata": {**former["metadata"], "resourceVersion": "90"}}
        (desk.cache.drop if is_gone else desk.cache.put)(newer)
        desk.api._version = 100  # noqa: SLF001 it has gone on from its backup
        await desk.resync.anew(RELEASE.kind, None)
        assert await desk.resync.anew(RELEASE.kind, None) == "100"
        assert desk.cache.get(RELEASE) == former

    run(scenario())
