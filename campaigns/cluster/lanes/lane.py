"""One operator behind one proxy, in a namespace of its own, on which courses are played one after the other.

The operator is the chart's own command under the chart's ServiceAccount; whenever it ends, it is started
again, as a Deployment would. Several lanes run side by side, since all of them mostly wait.
"""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp

from campaigns.cases import Case, Tell, as_told
from campaigns.cluster.lanes.apiproxy import ApiProxy, Network
from campaigns.cluster.lanes.behind import SHIPPED, operator_behind
from campaigns.cluster.lanes.courses import APPROVES, Course, Step
from campaigns.cluster.lanes.invariants import broken
from campaigns.cluster.lanes.jobs import hooks
from campaigns.cluster.lanes.normal_form import difference, normal
from campaigns.cluster.lanes.recorder import Observer
from campaigns.cluster.lanes.scene import Scene, services
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer
from sandbox.programs.process import Process
from sandbox.stack import Stack
from testkit.agents import Agents

PATIENCE: Final = 120.0
"""Seconds for each step of a course, crashes included, on a busy machine."""
SETTLING: Final = 120.0
"""Seconds from an end as a person sees it to the last detail of it. An operator that was killed at its last
write needs 20 of them to start on a busy machine."""
_QUIET_TRIES: Final = 20
REST_SECONDS: Final = 0.6
"""So long an end must stay as it is, without one more write."""
_LOOK_SECONDS: Final = 0.02
_FIRST_PORT: Final = 8100


@dataclass(frozen=True, slots=True)
class Site:
    """What all lanes share."""

    stack: Stack
    server: ApiServer
    observer: Observer
    agents: Agents
    installed: OperatorProcess
    numbers: Iterator[int] = field(default_factory=itertools.count)
    """Of the agents: none has the name of an earlier one."""

    @classmethod
    @asynccontextmanager
    async def of(cls, stack: Stack) -> AsyncIterator["Site"]:
        """Install the chart, and begin to watch."""
        installed = OperatorProcess(stack)
        await asyncio.to_thread(installed.install)
        async with ApiServer.of(stack) as server, Observer(server) as observer:
            with Agents(stack, observer) as agents:
                yield cls(stack, server, observer, agents, installed)

    @classmethod
    @asynccontextmanager
    async def own(cls) -> AsyncIterator["Site"]:
        """The same on a stack of its own."""
        stack = Stack(with_gateway=False, quiet=True)
        await asyncio.to_thread(stack.start)
        try:
            async with cls.of(stack) as site:
                yield site
        finally:
            await asyncio.to_thread(stack.close)


@dataclass(frozen=True, slots=True)
class Played:
    """How a course went."""

    end: str
    """The end in its normal form."""
    writes: tuple[str, ...]
    """The changes that the operator asked for from the first step to the end."""
    broken: tuple[str, ...]
    """What did not hold."""
    starts: int
    """How often the operator had to be started again."""


def on_own_site(play: Callable[[Site, Tell], Coroutine[Any, Any, None]]) -> Iterator[Case]:
    """The cases that are played on a stack of their own, as they are told."""

    async def on_own(tell: Tell) -> None:
        async with Site.own() as site:
            await play(site, tell)

    return as_told(on_own)


Job = Callable[["Lane"], Awaitable[None]]
"""Something to be done on any lane."""


async def share(lanes: Sequence["Lane"], jobs: Iterable[Job]) -> None:
    """Do all jobs, each on the next lane that is free."""
    left = iter(jobs)

    async def take(lane: "Lane") -> None:
        for job in left:
            await job(lane)

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(take(lane))


@asynccontextmanager
async def lanes_on(site: "Site", count: int, command: Sequence[str] = SHIPPED) -> AsyncIterator[list["Lane"]]:
    """So many lanes, numbered from 0."""
    async with AsyncExitStack() as exits:
        yield [await exits.enter_async_context(Lane(site, index, command)) for index in range(count)]


async def played_calm(lanes: Sequence["Lane"], courses: Iterable[Course], tell: Tell) -> dict[str, "Played"]:
    """Each course without a disturbance: what the others have to come to."""
    calm: dict[str, Played] = {}

    async def play(course: Course, lane: "Lane") -> None:
        calm[course.name] = played = await lane.play(course, Network())
        tell(Case(f"{course.name}-calm", "; ".join(played.broken) or None, counts=0))

    await share(lanes, [functools.partial(play, course) for course in courses])
    return calm


class Lane:
    """One operator and what it is asked to do; used as an async context.

    Args:
        site: what all lanes share.
        index: from 0, its own.
        command: how the operator is started, instead of the shipped command.
    """

    def __init__(self, site: Site, index: int, command: Sequence[str] = SHIPPED) -> None:
        self.site = site
        self.namespace = f"lane-{index}"
        self.proxy = ApiProxy(site.stack.api_url, site.stack.ca_file, _FIRST_PORT + 2 * index)
        self.starts = 0
        self._port = _FIRST_PORT + 2 * index + 1
        self._command = command

    async def __aenter__(self) -> Self:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self.site.server.apply(f"/api/v1/namespaces/{self.namespace}", namespace)
        installed = self.site.installed
        needed = hooks(self.namespace, installed.name, installed.namespace)
        await self.site.server.apply_all(services(self.namespace) | needed)
        self.site.agents.serve(self.namespace)
        await self.proxy.__aenter__()
        self.operator = await asyncio.to_thread(self._make)
        self._keeper = asyncio.create_task(self._keep_running())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        await asyncio.to_thread(self.operator.stop)
        await self.proxy.__aexit__(*error)
        self.site.agents.leave(self.namespace)

    def kill(self) -> None:
        """End the operator without a warning; it is started again at once."""
        self.operator.stop()

    async def play(self, course: Course, network: Network, expected: str | None = None) -> Played:
        """Play a course while the network is disturbed, from its first step on.

        Args:
            course: what people do.
            network: how calls fare meanwhile.
            expected: the end to come to; None to take the first end that stays.
        """
        scene = self._scene(course)
        observer, agent = self.site.observer, scene.agent
        if not await self._prepare(scene, course):
            return Played("", (), (f"the releases before did not become Healthy: {scene.status}",), 0)
        self._change(network)
        self.starts = 0
        self.proxy.writes.clear()
        for version, failing in course.failing.items():
            self.site.agents.fail(self.namespace, f"{agent}-{version}", failing)
        problems = await self._walk(scene, course.steps, PATIENCE + network.lasts)
        problems = problems or await self._ends(scene, course, expected, network.lasts)
        problems += await self._rests(scene, expected)
        self._change(Network())
        problems += broken(observer.versions(self.namespace, agent))
        played = Played(self._end(agent), tuple(self.proxy.writes), tuple(problems), self.starts)
        await scene.clear()
        return played

    def _change(self, network: Network) -> None:
        """A watch stays with the network under which it began, so it has to begin anew."""
        former, self.proxy.network = self.proxy.network, network
        if former.lasts or network.lasts:
            self.proxy.cut()

    def _scene(self, course: Course) -> Scene:
        agent = f"p{next(self.site.numbers):04}"
        site = self.site
        return Scene(site.server, site.observer, self.namespace, agent, course.plan, site.agents)

    async def _prepare(self, scene: Scene, course: Course) -> bool:
        """Make the releases healthy that the course begins with, and wait until the operator rests."""
        for version in course.before:
            await scene.ship(version)
            if version != course.before[0]:
                await self._walk(scene, [APPROVES], PATIENCE)
            if not await self.site.observer.until(functools.partial(scene.is_ready, version), PATIENCE):
                return False
        return await self.is_quiet()

    async def _walk(self, scene: Scene, steps: Sequence[Step], patience: float) -> list[str]:
        for number, step in enumerate(steps):
            if not await self.site.observer.until(functools.partial(step.when, scene), patience):
                return [f"step {number} was not reached after {patience:g} s: {self._told(scene, None)}"]
            await _insist(step, scene)
        return []

    async def _ends(self, scene: Scene, course: Course, expected: str | None, more: float) -> list[str]:
        """Wait for the end as a person sees it, then for the expected one with all its details."""
        until, patience = self.site.observer.until, PATIENCE + more
        if not await until(functools.partial(course.ends, scene), patience):
            return [f"not at its end after {patience:g} s: {self._told(scene, expected)}"]
        if not await until(lambda: expected in {None, self._end(scene.agent)}, SETTLING + more):
            return [f"another end: {self._told(scene, expected)}"]
        return []

    async def _rests(self, scene: Scene, expected: str | None) -> list[str]:
        """L2: when nothing is asked any more, nothing is written any more, and the end stays as it is."""
        before = len(self.proxy.writes)
        if not await self.is_quiet():
            return [f"L2: still writing: {self.proxy.writes[-3:]}"]
        now = self._end(scene.agent)
        if expected not in {None, now}:
            late = self.proxy.writes[before:]
            return [f"the end did not stay: {self._told(scene, expected)} after {late}"]
        return []

    async def is_quiet(self, seconds: float = REST_SECONDS) -> bool:
        """Wait until nothing was written for so long; whether that came."""
        for _ in range(_QUIET_TRIES):
            count = len(self.proxy.writes)
            await asyncio.sleep(seconds)
            if len(self.proxy.writes) == count:
                return True
        return False

    def _end(self, agent: str) -> str:
        objects = self.site.observer.objects(self.namespace, agent)
        return normal(objects, agent)

    def _told(self, scene: Scene, expected: str | None) -> str:
        if expected is None:
            return f"{scene.status}"
        return difference(expected, self._end(scene.agent))

    async def _keep_running(self) -> None:
        while True:
            if not self.operator.running:
                self.starts += 1
                self.operator.launch()
            await asyncio.sleep(_LOOK_SECONDS)

    def _make(self) -> Process:
        settings = {
            "namespaces": [self.namespace],
            "serve": {"address": "127.0.0.1", "port": self._port},
            "lease": None,  # each lane has one operator, in a namespace of its own
        }
        site = self.site
        return operator_behind(
            self.proxy, site.stack, site.installed, self.namespace, settings, self._command
        )


async def _insist(step: Step, scene: Scene) -> None:
    """People try again when the API server does not take what they write."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                await step.act(scene)
                return
            await asyncio.sleep(1)
