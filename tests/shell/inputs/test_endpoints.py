"""Inputs: what decisions follow, and an API server that lists, streams and fails. Outputs: what is known."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

import pytest

from agentrollouts.adapters.cluster.errors import ClusterError, ForbiddenError, InvalidError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.adapters.cluster.watch import Change
from agentrollouts.shell.inputs.endpoints import SELECTOR_MAX, SERVICE_LABEL, EndpointWatch
from tests.shell.virtual import now, pass_time, run

KEY: Final = Ref("AgentRollout", "support", "agent")
SECOND: Final = Ref("AgentRollout", "support", "second")
OTHER: Final = Ref("AgentRollout", "shop", "agent")
UP, DOWN = True, False
SOON: Final = 0.2
"""Seconds in which a list is asked for and answered."""


class FakeSlices:
    """EndpointSlices in memory, with streams that can be cut, stalled and refused."""

    def __init__(self) -> None:
        self.slices: dict[tuple[str, str], Manifest] = {}
        self.error: ClusterError | None = None
        self.lists: list[tuple[str | None, str, float]] = []
        self.streams = 0
        self.most_streams = 0
        self._changed: list[asyncio.Queue[Change | ClusterError]] = []
        self._version = 0

    def put(self, service: str, *ready: bool | None, name: str = "", namespace: str = "support") -> None:
        """A slice is made or changed."""
        self._version += 1
        name = name or f"{service}-1"
        manifest = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "resourceVersion": str(self._version),
                "labels": {SERVICE_LABEL: service},
            },
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": one}} for one in ready],
        }
        self.slices[namespace, name] = manifest
        self._tell(Change("MODIFIED", manifest))

    def delete(self, name: str, namespace: str = "support") -> None:
        """A slice is deleted."""
        self._version += 1
        gone = self.slices.pop((namespace, name))
        version = {**gone["metadata"], "resourceVersion": str(self._version)}
        self._tell(Change("DELETED", {**gone, "metadata": version}))

    def break_streams(self, error: ClusterError) -> None:
        """All streams end with an error."""
        for queue in self._changed:
            queue.put_nowait(error)

    def _tell(self, change: Change) -> None:
        for queue in self._changed:
            queue.put_nowait(change)

    async def listing(self, kind: str, namespace: str | None, selector: str) -> tuple[list[Manifest], str]:
        """Everything that the selector finds."""
        assert kind == "EndpointSlice"
        self.lists.append((namespace, selector, now()))
        if self.error:
            raise self.error
        listed = [
            manifest
            for manifest in self.slices.values()
            if namespace in {None, manifest["metadata"]["namespace"]} and _selects(selector, manifest)
        ]
        return listed, str(self._version)

    async def changes(
        self, kind: str, namespace: str | None, selector: str, *, version: str, seconds: int
    ) -> AsyncGenerator[Change, None]:
        """What changes from now on; bookmarks have no labels."""
        assert (kind, bool(version)) == ("EndpointSlice", True)
        if self.error:
            raise self.error
        queue: asyncio.Queue[Change | ClusterError] = asyncio.Queue()
        self._changed.append(queue)
        self.streams += 1
        self.most_streams = max(self.most_streams, len(self._changed))
        end = now() + seconds
        try:
            while True:
                try:
                    async with asyncio.timeout_at(end):
                        change = await queue.get()
                except TimeoutError:
                    yield Change("BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}})
                    return
                if isinstance(change, ClusterError):
                    raise change
                if namespace in {None, change.manifest["metadata"]["namespace"]} and _selects(
                    selector, change.manifest
                ):
                    yield change
        finally:
            self._changed.remove(queue)


def _selects(selector: str, manifest: Manifest) -> bool:
    label, _, names = selector.partition(" in ")
    return manifest["metadata"]["labels"].get(label) in names.strip("()").split(",")


class Desk:
    """A watch, its API server, and what it marked."""

    def __init__(self, *namespaces: str) -> None:
        self.api = FakeSlices()
        self.marked: list[Ref] = []
        self.watch = EndpointWatch(self.api, self.marked.append, namespaces)

    def follow(self, *services: str, key: Ref = KEY) -> None:
        """A decision names these Services."""
        self.watch.follow(key, frozenset(services))

    def readiness(self, *services: str, namespace: str = "support") -> dict[str, bool | None]:
        """What an observation would hold."""
        return self.watch.readiness(namespace, services)


@asynccontextmanager
async def a_desk(*namespaces: str) -> AsyncIterator[Desk]:
    """A desk that leaves no task behind."""
    desk = Desk(*namespaces)
    yield desk
    desk.watch.close()
    await pass_time(1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_services_are_known_once_they_are_listed_and_followed_from_then_on() -> None:
    """All slices of a Service count; without any it has no ready endpoint; news mark the rollout."""

    async def scenario() -> None:
        async with a_desk() as desk:
            desk.api.put("a", DOWN)
            desk.api.put("a", DOWN, UP, name="a-2")
            desk.follow("a", "b")
            assert desk.readiness("a", "b") == {}
            await pass_time(SOON)
            assert desk.readiness("a", "b", "c") == {"a": True, "b": False}
            assert desk.marked == [KEY, KEY]

            changes: tuple[tuple[Callable[[], None], bool], ...] = (
                (lambda: desk.api.put("a", UP, name="a-3"), True),
                (lambda: desk.api.put("a", DOWN, name="a-2"), True),
                (lambda: desk.api.delete("a-3"), False),
                (lambda: desk.api.put("a", None, name="a-2"), True),
                (lambda: desk.api.put("a", name="a-2"), False),
            )
            for change, expected in changes:
                change()
                await pass_time(0)
                await pass_time(0)
                assert desk.readiness("a") == {"a": expected}
            assert len(desk.marked) == 2 + 3, "only what is news"

    run(scenario())


def test_a_slice_that_changes_its_service_changes_both() -> None:
    """Its label is all that binds it."""

    async def scenario() -> None:
        async with a_desk() as desk:
            desk.api.put("a", UP, name="s")
            desk.follow("a", "b")
            await pass_time(SOON)
            desk.api.put("b", UP, name="s")
            await pass_time(SOON)
            assert desk.readiness("a", "b") == {"a": False, "b": True}

    run(scenario())


def test_nothing_is_asked_or_open_at_rest() -> None:
    """The last rollout that follows a Service ends the stream; another may begin one again."""

    async def scenario() -> None:
        async with a_desk() as desk:
            await pass_time(60)
            assert (desk.api.lists, desk.api.streams) == ([], 0)
            desk.follow("a")
            desk.follow("a", key=SECOND)
            await pass_time(SOON)
            desk.follow()
            await pass_time(SOON)
            assert desk.readiness("a") == {"a": False}
            desk.follow(key=SECOND)
            lists_before = len(desk.api.lists)
            await pass_time(120)
            assert (len(desk.api.lists), desk.readiness("a")) == (lists_before, {})
            desk.follow("a")
            await pass_time(SOON)
            assert desk.readiness("a") == {"a": False}

    run(scenario())


def test_a_thousand_attempts_share_a_handful_of_streams() -> None:
    """Their selectors name these Services only, and each fits into a request line."""

    async def scenario() -> None:
        async with a_desk() as desk:
            for index in range(1000):
                key = Ref("AgentRollout", f"team-{index % 50}", f"agent-{index}")
                desk.watch.follow(key, frozenset({f"agent-{index}-1-0-0", f"agent-{index}-2-0-0"}))
            await pass_time(SOON)
            assert desk.api.most_streams <= 8
            assert len(desk.api.lists) <= 8
            selectors = [selector for _, selector, _ in desk.api.lists]
            assert max(map(len, selectors)) < SELECTOR_MAX + 100
            named = {name for text in selectors for name in text.partition("(")[2].strip(")").split(",")}
            assert len(named) == 2000
            assert len(desk.marked) == 2000

    run(scenario())


def test_with_namespaces_in_the_settings_each_is_watched_by_itself() -> None:
    """A Role in some namespaces gives no right to watch all."""

    async def scenario() -> None:
        async with a_desk("support", "shop") as desk:
            desk.follow("a")
            desk.follow("a", key=OTHER)
            desk.api.put("a", UP, namespace="shop")
            await pass_time(SOON)
            assert {namespace for namespace, _, _ in desk.api.lists} == {"support", "shop"}
            assert (desk.readiness("a"), desk.readiness("a", namespace="shop")) == ({"a": False}, {"a": True})

    run(scenario())


def test_services_of_one_name_in_two_namespaces_are_told_apart() -> None:
    """One stream for all namespaces finds both."""

    async def scenario() -> None:
        async with a_desk() as desk:
            desk.follow("a")
            desk.follow("a", key=OTHER)
            desk.api.put("a", UP, namespace="shop")
            desk.api.put("a", UP, namespace="elsewhere")
            await pass_time(SOON)
            assert (desk.readiness("a"), desk.readiness("a", namespace="shop")) == ({"a": False}, {"a": True})

    run(scenario())


@pytest.mark.parametrize(
    "error", [UnavailableError("away"), InvalidError("410: too old resource version"), ForbiddenError("no")]
)
def test_a_stream_that_breaks_makes_its_services_unknown_until_they_are_listed_again(
    error: ClusterError,
) -> None:
    """What went meanwhile is seen by the list; nothing is said of what nobody knows."""

    async def scenario() -> None:
        async with a_desk() as desk:
            desk.api.put("a", UP)
            desk.follow("a")
            await pass_time(SOON)
            desk.api.error = error
            desk.api.break_streams(error)
            await pass_time(SOON)
            assert desk.readiness("a") == {"a": None}
            marked = len(desk.marked)
            desk.api.delete("a-1")
            await pass_time(300)
            assert (desk.readiness("a"), len(desk.marked)) == ({"a": None}, marked)
            desk.api.error = None
            await pass_time(31 if isinstance(error, ForbiddenError) else 2)
            assert (desk.readiness("a"), len(desk.marked)) == ({"a": False}, marked + 1)

    run(scenario())


def test_an_outage_costs_a_request_a_second_and_no_more() -> None:
    """The pauses grow, and are short enough for the grace of a canary."""

    async def scenario() -> None:
        async with a_desk() as desk:
            desk.api.error = UnavailableError("away")
            desk.follow("a", "b", "c")
            await pass_time(60)
            assert 40 <= len(desk.api.lists) <= 65

    run(scenario())


def test_a_stream_that_ends_goes_on_where_it_was() -> None:
    """Every half a minute, without a list and without a word to anybody."""

    async def scenario() -> None:
        async with a_desk() as desk:
            desk.api.put("a", UP)
            desk.follow("a")
            await pass_time(300)
            assert 8 <= desk.api.streams <= 14
            assert (len(desk.api.lists), desk.marked, desk.readiness("a")) == (1, [KEY], {"a": True})

    run(scenario())


def test_another_service_joins_at_once_and_the_others_stay_known() -> None:
    """A canary that begins waits for no stream to end."""

    async def scenario() -> None:
        async with a_desk() as desk:
            desk.api.put("a", UP)
            desk.api.put("b", UP)
            desk.follow("a")
            await pass_time(SOON)
            desk.follow("a", "b")
            assert desk.readiness("a", "b") == {"a": True}
            await pass_time(SOON)
            assert desk.readiness("a", "b") == {"a": True, "b": True}
            assert len(desk.api.lists) == 2

    run(scenario())


def test_services_that_keep_coming_do_not_keep_listing_those_of_others() -> None:
    """A tenant that begins ten attempts a second costs the shared stream a list a second, not ten."""

    async def scenario() -> list[float]:
        async with a_desk() as desk:
            for number in range(100):
                desk.follow(f"service-{number}", key=Ref("AgentRollout", "shop", f"agent-{number}"))
                await pass_time(0.1)
            return [at for _, _, at in desk.api.lists]

    lists = run(scenario())

    assert len(lists) < 20
    assert max(later - earlier for earlier, later in pairwise(lists)) < 1.5


def test_slices_of_a_service_that_nobody_follows_are_not_kept() -> None:
    """Their number in other namespaces costs nothing, though the selector finds them by name."""

    async def scenario() -> int:
        async with a_desk() as desk:
            for number in range(100):
                desk.api.put("stable", UP, name=f"theirs-{number}", namespace="attacker")
            desk.follow("stable")
            await pass_time(SOON)
            for number in range(100):
                desk.api.put("stable", UP, name=f"more-{number}", namespace="attacker")
            await pass_time(SOON)
            (stream,) = desk.watch._open  # noqa: SLF001 what would grow is not to be seen from outside
            return len(stream._slices)  # noqa: SLF001

    assert run(scenario()) == 0
