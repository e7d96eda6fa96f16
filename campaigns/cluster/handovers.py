"""T8: the leader dies, freezes, loses the network or ends as planned, while a canary turns bad.

Two replicas share a Lease, each behind a proxy of its own. When the canary has half of the traffic, something
is done to the leader and the canary begins to fail. The other replica has to roll it back, and what the
proxies let through must show that no two replicas wrote at the same time. Then the former leader is the
standby.
"""

import asyncio
import functools
import itertools
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from campaigns.cases import Campaign, Case, Choice, Tell
from campaigns.cluster.lanes.apiproxy import Answer, ApiProxy, Call, Event, Network, Send, Severed
from campaigns.cluster.lanes.behind import operator_behind
from campaigns.cluster.lanes.courses import JUDGED, phase
from campaigns.cluster.lanes.lane import PATIENCE, Site, on_own_site
from campaigns.cluster.lanes.scene import FIRST, SECOND, Scene, services
from sandbox.programs.process import Process

HANDOVERS: Final = 50
PAIRS: Final = 4
KINDS: Final = ("kill", "freeze", "cut", "end")
TAKEOVER_SECONDS: Final = 20.0
"""From the disturbance to the route; the canary's failures are on the way for some seconds of them."""
FROZEN_SECONDS: Final = 20.0
_FIRST_PORT: Final = 8300
_PLAN: Final = JUDGED | {"phases": (phase("half", 50, 3600),)}
_LEASE: Final = "agentrollouts"


@dataclass
class Wire(Network):
    """Records when the writes of a replica reach the API server, and can be cut."""

    writes: list[float] = field(default_factory=list)
    """When each left for the API server; those of the Lease are not among them."""
    renewals: list[float] = field(default_factory=list)
    """When each write of the Lease was done."""
    is_cut: bool = False
    lasts: float = 0.0

    async def carry(self, call: Call, send: Send) -> Answer:
        """Record a write at the last moment before it is sent."""
        if self.is_cut:
            raise Severed
        is_lease = "/leases" in call.path
        if call.is_write and not is_lease:
            self.writes.append(time.monotonic())
        answer = await send()
        if call.is_write and is_lease and answer.status < HTTPStatus.BAD_REQUEST:
            self.renewals.append(time.monotonic())
        return answer

    async def tell(self, call: Call, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """No event arrives over a cut wire."""
        del call
        async for event in events:
            if self.is_cut:
                raise Severed
            yield event


@dataclass
class Replica:
    """One operator of a pair."""

    name: str
    process: Process
    proxy: ApiProxy
    wire: Wire

    async def disturb(self, kind: str) -> None:
        """Do one of `KINDS` to it."""
        match kind:
            case "kill":
                await asyncio.to_thread(self.process.stop)
            case "end":
                await asyncio.to_thread(functools.partial(self.process.stop, signal.SIGTERM))
            case "freeze":
                await asyncio.to_thread(self.process.pause)
            case _:
                self.wire.is_cut = True
                self.proxy.cut()

    async def heal(self, kind: str) -> None:
        """Let it continue, and start it again when it has ended."""
        if kind == "freeze":
            await asyncio.to_thread(self.process.resume)
        self.wire.is_cut = False
        deadline = time.monotonic() + PATIENCE
        while (  # noqa: ASYNC110 a process is looked at, no variable
            kind in {"freeze", "cut"} and self.process.running and time.monotonic() < deadline
        ):
            await asyncio.sleep(0.05)
        await asyncio.to_thread(self.process.start)


@dataclass
class Pair:
    """Two replicas under one Lease, in a namespace of their own."""

    site: Site
    namespace: str
    replicas: tuple[Replica, Replica]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    @asynccontextmanager
    async def on(cls, site: Site, index: int) -> AsyncIterator["Pair"]:
        """Start both, and wait until one leads."""
        namespace = f"pair-{index}"
        await site.server.apply_all(_rights(namespace, site))
        await site.server.apply_all(services(namespace))
        site.agents.serve(namespace)
        async with AsyncExitStack() as exits:
            replicas = []
            for number in range(2):
                port, wire = _FIRST_PORT + 4 * index + 2 * number, Wire()
                proxy = ApiProxy(site.stack.api_url, site.stack.ca_file, port)
                proxy.network = wire
                await exits.enter_async_context(proxy)
                name = f"{namespace}-{number}"
                settings = {
                    "namespaces": [namespace],
                    "serve": {"address": "127.0.0.1", "port": port + 1},
                    "lease": {"namespace": namespace, "name": _LEASE},
                }
                process = operator_behind(proxy, site.stack, site.installed, name, settings)
                exits.push_async_callback(asyncio.to_thread, process.stop)
                await asyncio.to_thread(process.start)
                replicas.append(Replica(name, process, proxy, wire))
            yield cls(site, namespace, (replicas[0], replicas[1]))

    async def holder(self) -> str:
        """The replica that holds the Lease; empty if none does."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{_LEASE}"
        lease: dict[str, Any] = await self.site.server.get(path)
        return str(lease["spec"].get("holderIdentity") or "")

    async def play(self, name: str, kind: str) -> Case:
        """One handover, from a healthy release to the end of its successor."""
        site, agent = self.site, f"p{next(self.numbers):04}"
        scene = Scene(site.server, site.observer, self.namespace, agent, _PLAN, site.agents)
        try:
            problem = await self._prepare(scene)
            return Case(name, problem) if problem else await self._handover(scene, name, kind)
        finally:
            await scene.clear()

    async def _prepare(self, scene: Scene) -> str | None:
        """Come to a canary with half of the traffic; what went wrong."""
        until = self.site.observer.until
        await scene.ship(FIRST)
        if not await until(functools.partial(scene.is_ready, FIRST), PATIENCE):
            return f"the first release did not become Healthy: {scene.status}"
        await scene.ship(SECOND)
        if not await until(lambda: scene.serves(SECOND, 50) and "clockStartTime" in scene.attempt, PATIENCE):
            return f"the canary never had its traffic: {scene.status}"
        return None

    async def _handover(self, scene: Scene, name: str, kind: str) -> Case:
        held = await self.holder()
        leader, other = sorted(self.replicas, key=lambda replica: replica.name != held)
        began = time.monotonic()
        await leader.disturb(kind)
        self.site.agents.fail(self.namespace, f"{scene.agent}-{SECOND}", 0.9)
        is_back = await self.site.observer.until(functools.partial(scene.serves, FIRST, 100), PATIENCE)
        seconds = time.monotonic() - began
        taken = min((at for at in other.wire.writes if at >= began), default=float("inf"))
        led = min((at for at in other.wire.renewals if at >= began), default=float("inf"))
        measured = f"led after {led - began:.1f} s, back after {seconds:.1f} s"
        if kind == "freeze":
            await asyncio.sleep(max(0.0, began + FROZEN_SECONDS - time.monotonic()))
        await leader.heal(kind)
        late = [at - taken for at in leader.wire.writes if at > taken]
        if late:
            problem = f"the former leader wrote {late[0]:.3f} s after the new one had begun"
        elif not is_back or seconds > TAKEOVER_SECONDS:
            problem = f"the route was not back after {TAKEOVER_SECONDS:g} s"
        else:
            problem = None
        return Case(name, problem, measured=measured)


def _rights(namespace: str, site: Site) -> dict[str, dict[str, Any]]:
    """A namespace in which the operator's account may use a Lease, as the chart's Role allows in its own."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    account = {"kind": "ServiceAccount", "name": site.installed.name, "namespace": site.installed.namespace}
    rule = {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "create", "update"],
    }
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lease"}
    head = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "lease", "namespace": namespace},
    }
    return {
        f"/api/v1/namespaces/{namespace}": {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace},
        },
        f"{rbac}/roles/lease": {**head, "kind": "Role", "rules": [rule]},
        f"{rbac}/rolebindings/lease": {**head, "kind": "RoleBinding", "roleRef": role, "subjects": [account]},
    }


def cases_of(choice: Choice) -> list[tuple[str, str]]:
    """Names and kinds: each kind equally often, in an order of the seed."""
    kinds = [KINDS[number % len(KINDS)] for number in range(HANDOVERS)]
    random.Random(choice.seed).shuffle(kinds)
    named = [(f"{number}-{kind}", kind) for number, kind in enumerate(kinds)]
    return [case for case in choice.spread(named) if choice.wants(case[0])]


def play(choice: Choice) -> Iterator[Case]:
    """All of them, or those that are chosen, on several pairs side by side."""

    async def on(site: Site, tell: Tell) -> None:
        left = iter(cases_of(choice))

        async def take(index: int) -> None:
            async with Pair.on(site, index) as pair:
                for name, kind in left:
                    tell(await pair.play(name, kind))

        async with asyncio.TaskGroup() as group:
            for index in range(min(PAIRS, len(cases_of(choice)))):
                group.create_task(take(index))

    return on_own_site(on)


CAMPAIGN: Final = Campaign(
    "handovers",
    "no two replicas ever write at the same time, and a breach at a handover is rolled back within 20 s",
    play,
    "handovers",
)
