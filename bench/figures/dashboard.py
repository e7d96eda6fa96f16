"""Figure: what the page costs: memory and processor time of its program, and its requests to the API server.

Tabs are open as browsers open them: each has a stream, and draws its page again when the stream says so. Half
of them show the list, the others a rollout each. First nothing changes, for longer than a watch lasts, and
then one rollout per second. The operator is at rest meanwhile, so all requests are those of the page.
Watches themselves do not count.
"""

import asyncio
import re
import socket
import sys
import time
from collections import Counter
from functools import partial
from itertools import count
from typing import Final, NamedTuple

import aiohttp
from yarl import URL

from bench.rig import meters
from bench.rig.crowd import NAMESPACE, Crowd
from bench.rig.report import Check, Result, Series
from sandbox.people.apiserver import ApiServer
from sandbox.people.page import in_cluster as page_in_cluster
from sandbox.programs import web
from sandbox.programs.process import Process
from sandbox.stack import Stack

SIZE: Final = 200
"""Rollouts."""
TABS: Final = 10
REST_SECONDS: Final = 330
"""A watch of the page ends after 300 s, and begins again."""
CHANGING_SECONDS: Final = 120
STEP_SECONDS: Final = 5
SETTLED_SECONDS: Final = 10
MOST_MIB: Final = 120
RENEWALS: Final = {False: 2, True: TABS}
"""Lists at rest, one before each new watch: two kinds on a machine, and each tab in the cluster."""
START_SECONDS: Final = 120
LOOK_SECONDS: Final = 0.1
LINK: Final = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")
REVIEWS: Final = frozenset({"selfsubjectaccessreviews", "selfsubjectreviews", "namespaces"})
"""What the page requests beside the kinds that the operator sees too."""
OWN: Final = frozenset({"PATCH agentrollouts"})


class _Found(NamedTuple):
    """What one part of the time showed."""

    seconds: float
    memory_mib: tuple[float, ...]
    cpu_percent: tuple[float, ...]
    requests: Counter[str]


async def measure(stack: Stack, server: ApiServer, size: int, *, in_cluster: bool) -> Result:
    """Nothing happens, and then a change per second; needs the operator to run.

    Args:
        stack: where the page and the operator run.
        server: its API server.
        size: how many rollouts there are.
        in_cluster: measure the program of the chart, and not the one on a person's machine.
    """
    crowd = Crowd(server, size)
    await crowd.settle(seconds=600)
    page, address = await asyncio.to_thread(_served, stack, in_cluster=in_cluster)
    start = meters.resident_mib(meters.pid_of(page))
    headers = {"Authorization": f"Bearer {stack.admin_token}"} if in_cluster else {}
    async with aiohttp.ClientSession(
        URL(address).origin(),
        headers=headers,
        cookie_jar=aiohttp.CookieJar(unsafe=True),  # the page is at an address without a name
        timeout=aiohttp.ClientTimeout(total=None),
        raise_for_status=True,
    ) as browser:
        await _draw(browser, address)  # on a machine, the link gives a cookie
        async with asyncio.TaskGroup() as group:
            own = [f"/{NAMESPACE}/{name}" for name in crowd.names[: TABS // 2]]
            shown = [*((path, f"{path}/events") for path in own), *[("/", "/.events")] * (TABS - len(own))]
            open_ = [group.create_task(_tab(browser, *each)) for each in shown]
            await asyncio.sleep(SETTLED_SECONDS)
            rest = await _watched(server, page, REST_SECONDS)
            open_.append(group.create_task(_change(server, crowd)))
            busy = await _watched(server, page, CHANGING_SECONDS)
            for each in open_:
                each.cancel()
    await asyncio.to_thread(page.stop)
    where = "in the cluster" if in_cluster else "on a machine"
    title = f"The page {where}, {size} rollouts, {TABS} tabs"
    return _result(title, start, rest, busy, renewals=RENEWALS[in_cluster])


def _result(title: str, start: float, rest: _Found, busy: _Found, renewals: int) -> Result:
    named = (("at rest", rest), ("with a change per second", busy))
    series = [Series("memory before a tab is open", "MiB", ((start,),))]
    series += [Series(f"memory {when}", "MiB", (found.memory_mib,)) for when, found in named]
    series += [Series(f"processor time {when}", "% of a core", (found.cpu_percent,)) for when, found in named]
    most, requests = max(busy.memory_mib), rest.requests.total()
    checks = (
        Check(f"memory ≤ {MOST_MIB} MiB", f"{most:.0f} MiB", most <= MOST_MIB),
        Check(
            f"at rest at most the {renewals} lists that renew watches in {rest.seconds:.0f} s",
            f"{requests}",
            requests <= renewals,
        ),
    )
    notes = tuple(f"Requests per minute {when}: {_listed(found)}." for when, found in named)
    return Result(title, tuple(series), checks, notes)


def _listed(found: _Found) -> str:
    """Each kind of request, the most frequent first."""
    each = found.requests.most_common()
    return ", ".join(f"{60 * count / found.seconds:.1f} {what}" for what, count in each) or "none"


def _served(stack: Stack, *, in_cluster: bool) -> tuple[Process, str]:
    """The program once it serves, and what a person opens."""
    if not in_cluster:
        command = [sys.executable, "-m", "agentrollouts.dashboard", "--no-open"]
        page = stack.add_process("dashboard", command, environment=stack.environment)
        page.launch()
        deadline = time.monotonic() + START_SECONDS
        while not (found := LINK.search(page.log.read_text())):
            if time.monotonic() > deadline or not page.running:
                raise TimeoutError(f"the page did not start; see {page.log}")
            time.sleep(LOOK_SECONDS)
        return page, found[0]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    is_healthy = partial(web.answers, f"{address}.healthz")
    page = stack.add_process("dashboard", page_in_cluster(stack, port), healthy=is_healthy)
    page.start()
    return page, address


async def _tab(browser: aiohttp.ClientSession, path: str, events: str) -> None:
    """An open tab: it draws again as often as its stream says so, and once more if that was meanwhile."""
    is_due = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_listen(browser, events, is_due))
        while True:
            await is_due.wait()
            is_due.clear()
            await _draw(browser, path)


async def _listen(browser: aiohttp.ClientSession, events: str, is_due: asyncio.Event) -> None:
    async with browser.get(events) as stream:
        is_due.set()
        async for line in stream.content:
            if line.startswith(b"data:"):
                is_due.set()
    raise ConnectionError(f"the stream {events} has ended")


async def _draw(browser: aiohttp.ClientSession, path: str) -> None:
    async with browser.get(path) as answer:
        await answer.read()


async def _change(server: ApiServer, crowd: Crowd) -> None:
    """One rollout after the other gets another annotation, which is not the operator's concern."""
    for number in count():
        path = crowd.path_of(crowd.names[number % len(crowd.names)])
        await server.merge(path, {"metadata": {"annotations": {"bench.example.com/number": str(number)}}})
        await asyncio.sleep(1)


async def _watched(server: ApiServer, page: Process, seconds: float) -> _Found:
    """Memory, processor time and requests of a part of the time."""
    pid = meters.pid_of(page)
    before, busy, began = await _requests(server), meters.cpu_seconds(pid), time.monotonic()
    shares, memory = [], []
    for _ in range(int(seconds // STEP_SECONDS)):
        await asyncio.sleep(STEP_SECONDS)
        now = meters.cpu_seconds(pid)
        shares.append(100 * (now - busy) / STEP_SECONDS)
        memory.append(meters.resident_mib(pid))
        busy = now
    after, took = await _requests(server), time.monotonic() - began
    return _Found(took, tuple(memory), tuple(shares), after - before)


async def _requests(server: ApiServer) -> Counter[str]:
    """Those so far that the page can have sent: the bench itself only patches rollouts."""
    found = await meters.api_requests(server, REVIEWS)
    return Counter({what: number for what, number in found.items() if what not in OWN})
