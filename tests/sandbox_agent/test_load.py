"""The load generator: bounded, exact, and honest about who answered."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from hypothesis import given
from hypothesis import strategies as st

from sandbox.people.customers import customer_request
from sandbox.people.load import Answer, Ledger, Load, LoadGenerator, LoadPlan

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server that answers every POST in this way."""
    app = web.Application()
    app.add_routes([web.post("/run", handler)])
    server = TestServer(app)
    async with server:
        yield str(server.make_url("/run"))


def from_release(release: str) -> web.Response:
    """What an agent of that release answers."""
    return web.json_response({}, headers={"agent-release": release, "x-agent-outcome": "completed"})


def saying(release: str, status: int = 200, after: float = 0) -> Handler:
    """A handler that always answers with this release and status, so many seconds later."""

    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(after)
        return web.Response(status=status, headers={"agent-release": release} if release else {})

    return handler


async def test_counts_are_the_servers_counts() -> None:
    """Each planned request reaches the server once, and is recorded under the release that answered it."""
    served: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        number = (await request.json())["order"]["number"]
        served.append(number)
        return from_release("a" if int(number[2:]) % 3 else "b")

    async with answering(handler) as url:
        ledger = await Load(LoadPlan(url, rate=None, limit=300, first=1000, connections=7)).run()

    assert sorted(served) == [f"A-{number:06d}" for number in range(1000, 1300)]
    assert ledger.counts() == Counter(a=200, b=100)
    assert sorted(answer.number for answer in ledger.answers()) == list(range(1000, 1300))


async def test_host_header_picks_the_route() -> None:
    """The plan's host is what the server sees as Host."""
    hosts = set()

    async def handler(request: web.Request) -> web.Response:
        hosts.add(request.headers["Host"])
        return from_release("a")

    async with answering(handler) as url:
        await Load(LoadPlan(url, host="support.example.com", rate=None, limit=5)).run()

    assert hosts == {"support.example.com"}


async def test_connections_are_kept_and_bounded() -> None:
    """However many requests are sent, no more connections are opened than the plan allows."""
    ports, under_way, most = set(), 0, 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal under_way, most
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return from_release("a")

    async with answering(handler) as url:
        await Load(LoadPlan(url, rate=None, limit=200, connections=3)).run()

    assert (len(ports), most) == (3, 3)


async def test_rate_is_kept() -> None:
    """100 requests at 200 a second take half a second, not less; more only by what the machine stalls."""
    async with answering(saying("a")) as url:
        ledger = await Load(LoadPlan(url, rate=200, limit=100)).run()

    answers = ledger.answers()
    assert 0.45 <= answers[-1].sent - answers[0].sent <= 60


async def test_time_bounds_the_load() -> None:
    """A plan without an end in count ends by its seconds."""
    async with answering(saying("a")) as url:
        began = time.monotonic()
        ledger = await Load(LoadPlan(url, rate=100, seconds=0.3)).run()

    assert 1 <= ledger.counts()["a"] <= 32
    assert time.monotonic() - began < 30


async def test_stop_awaits_what_is_under_way() -> None:
    """Leaving the block while the server still works on requests records these too: sent equals answered."""
    begun, go_on = 0, asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        nonlocal begun
        begun += 1
        if begun == 4:
            asyncio.get_running_loop().call_later(0.05, go_on.set)
        await go_on.wait()
        return from_release("a")

    async with answering(handler) as url:
        load = Load(LoadPlan(url, rate=None, connections=4, limit=10_000))
        async with load as ledger:
            await go_on.wait()

    assert begun >= 4
    assert ledger.counts() == Counter(a=begun)


async def test_failures_are_recorded_by_status() -> None:
    """A gateway's own error counts under no release with its status, and no answer at all with status 0."""
    async with answering(saying("", status=503)) as url:
        refused = await Load(LoadPlan(url, rate=None, limit=3)).run()
    nobody = await Load(LoadPlan(f"http://127.0.0.1:{unused_port()}/run", rate=None, limit=2)).run()
    async with answering(saying("a", after=1)) as url:
        late = await Load(LoadPlan(url, rate=None, limit=1, timeout_seconds=0.05)).run()

    ledgers = (refused, nobody, late)
    assert [ledger.statuses() for ledger in ledgers] == [Counter({503: 3}), Counter({0: 2}), Counter({0: 1})]
    assert [ledger.counts()[""] for ledger in ledgers] == [3, 2, 1]


async def test_generator_in_a_thread_can_be_read_and_stopped() -> None:
    """The ledger fills while the block runs, can be waited on, and is complete after the block."""
    served = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal served
        served += 1
        return from_release("a")

    def use(url: str) -> Ledger:
        with LoadGenerator(LoadPlan(url, rate=500, seconds=90)) as ledger:
            assert ledger.wait_until(lambda: ledger.counts()["a"] >= 25, seconds=60)
            assert not ledger.wait_until(lambda: ledger.counts()["b"] > 0, seconds=0.05)
            return ledger

    async with answering(handler) as url:
        ledger = await asyncio.to_thread(use, url)
        assert ledger.counts() == Counter(a=served)


async def test_generator_that_is_done_before_the_block_ends() -> None:
    """A plan that is used up inside the block is complete, and the block still ends well."""

    def use(url: str) -> Ledger:
        with LoadGenerator(LoadPlan(url, rate=None, limit=5)) as ledger:
            assert ledger.wait_until(lambda: ledger.counts()["a"] == 5, seconds=60)
            assert not ledger.wait_until(lambda: ledger.counts()["a"] > 5, seconds=0.1)
            return ledger

    async with answering(saying("a")) as url:
        ledger = await asyncio.to_thread(use, url)

    assert ledger.counts() == Counter(a=5)


@given(
    st.lists(st.tuples(st.floats(0, 9), st.sampled_from(["a", "b", ""]))), st.floats(0, 9), st.floats(0, 9)
)
def test_windows(events: list[tuple[float, str]], since: float, until: float) -> None:
    """Windowed counts are those of the answers in [since, until), and the last of a release is its newest."""
    ledger = Ledger()
    events.sort(key=lambda event: event[0])
    for number, (at, release) in enumerate(events):
        ledger.record(Answer(number, "u", release, "completed", 200, at, at))

    assert ledger.counts() == Counter(release for _, release in events)
    assert ledger.counts(since, until) == Counter(release for at, release in events if since <= at < until)
    assert ledger.last_seen("a") == max((at for at, release in events if release == "a"), default=None)


@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_customers_are_the_same_each_time(number: int, users: int) -> None:
    """Request n is a function of n, and its user one of the population."""
    request = customer_request(number, users)

    assert request == customer_request(number, users)
    assert 0 <= int(request.user.removeprefix("user-")) < users


def test_plan_that_could_never_send() -> None:
    """A plan without connections, or with a rate of 0, is refused with the name of the number."""
    with pytest.raises(ValueError, match="connections must be above 0"):
        LoadPlan("http://127.0.0.1:1/", connections=0)
    with pytest.raises(ValueError, match="rate must be above 0"):
        LoadPlan("http://127.0.0.1:1/", rate=0)
