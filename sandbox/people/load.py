"""The load generator: customers who write to the agent, and a record of which release answered each of them.

Demo and tests believe this record and not the operator's status: who answered stands in a header that the
agent itself sets. Load is bounded three ways (count, time, connections), so that a forgotten generator ends
by itself.

    with LoadGenerator(LoadPlan("http://127.0.0.1:8000/run", host="support.example.com", rate=200)) as ledger:
        ledger.wait_until(lambda: ledger.counts()["support-agent-4.2.0"] >= 50, seconds=20)

`LoadGenerator` works in a thread of its own, for sync code; `Load` in the running event loop. Both hand out
the same `Ledger`.
"""

import asyncio
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from agentrollouts_agent.identity import DIGEST_HEADER, RELEASE_HEADER
from sandbox.agent.service import COHORT_HEADER, OUTCOME_HEADER
from sandbox.people.customers import CustomerRequest, customer_request

_CATCH_UP_SECONDS = 0.1
"""How far a busy event loop may fall behind and still make up for it; longer stalls are not made up for."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Who writes, where to, how fast and for how long."""

    url: str
    host: str | None = None
    """The Host header, by which a gateway picks the route; None leaves the one of the URL."""
    rate: float | None = 200.0
    """Requests a second (open loop); with None each connection sends as soon as it got its answer."""
    limit: int = 100_000
    """Requests in all."""
    seconds: float = 600.0
    """After this long nothing new is sent."""
    users: int = 1000
    connections: int = 64
    """Kept alive, and the bound of requests under way."""
    first: int = 0
    """Number of the first request; give two generators different ranges and their customers differ."""
    timeout_seconds: float = 5.0
    """An answer that takes longer counts as none."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers of every request."""

    def __post_init__(self) -> None:
        """Refuse what could never send anything.

        Raises:
            ValueError: a number that must be positive is not.
        """
        for name in ("limit", "seconds", "users", "connections", "timeout_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        if self.rate is not None and self.rate <= 0:
            raise ValueError("rate must be above 0, or None for as fast as answers come")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request. Times are those of `time.monotonic`."""

    number: int
    user: str
    release: str
    """Who answered; empty when nobody did, or the gateway itself."""
    outcome: str
    status: int
    """The HTTP status; 0 when there was no answer at all."""
    sent: float
    answered: float
    digest: str = ""
    """Of the bundle that the answer says it came from."""
    cohort: str = ""
    """The cohort that the agent was told by the route; empty if none."""


def _answered(answer: Answer) -> float:
    return answer.answered


class Ledger:
    """All answers so far, in the order they came; may be read from any thread while load goes on."""

    def __init__(self) -> None:
        self._answers: list[Answer] = []  # in order of `answered`: one event loop records them as they come
        self._totals: Counter[str] = Counter()
        self._last: dict[str, Answer] = {}
        self._news = threading.Condition()

    def record(self, answer: Answer) -> None:
        """Add an answer."""
        with self._news:
            self._answers.append(answer)
            self._totals[answer.release] += 1
            self._last[answer.release] = answer
            self._news.notify_all()

    def answers(self, since: float = 0.0, until: float = float("inf")) -> list[Answer]:
        """Return the answers that came in the window [since, until) of monotonic time."""
        with self._news:
            first = bisect_left(self._answers, since, key=_answered)
            return self._answers[first : bisect_left(self._answers, until, lo=first, key=_answered)]

    def counts(self, since: float = 0.0, until: float = float("inf")) -> Counter[str]:
        """Count the answers of a window by release; `""` are those that no release gave."""
        if since <= 0 and until == float("inf"):  # asked often: `wait_until` asks at each answer
            with self._news:
                return self._totals.copy()
        return Counter(answer.release for answer in self.answers(since, until))

    def outcomes(self, release: str, since: float = 0.0, until: float = float("inf")) -> Counter[str]:
        """Count the answers of one release in a window by outcome of the run."""
        return Counter(answer.outcome for answer in self.answers(since, until) if answer.release == release)

    def statuses(self, since: float = 0.0, until: float = float("inf")) -> Counter[int]:
        """Count the answers of a window by HTTP status."""
        return Counter(answer.status for answer in self.answers(since, until))

    def last(self, release: str) -> Answer | None:
        """Return the newest answer of a release; None when it never answered."""
        with self._news:
            return self._last.get(release)

    def last_seen(self, release: str) -> float | None:
        """Return the monotonic time of the newest answer of a release; None when it never answered."""
        answer = self.last(release)
        return None if answer is None else answer.answered

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until the condition holds, asked again at each answer; False when time was up before that.

        Blocks its thread: in async code, `await asyncio.to_thread(ledger.wait_until, ...)`.
        """
        with self._news:
            return self._news.wait_for(condition, timeout=seconds)


class Load:
    """Sends the plan's requests from the running event loop, until the `async with` block ends."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self.ledger = Ledger()
        self._due: asyncio.Queue[CustomerRequest] = asyncio.Queue(
            maxsize=plan.connections if plan.rate else 1
        )
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> Ledger:
        """Send everything that is planned and return when each request has been answered or given up."""
        async with self:
            await self.finished()
        return self.ledger

    async def finished(self) -> None:
        """Wait until the plan's count or time is used up."""
        if self._task is not None:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()  # a bug here must not pass for a finished load

    async def __aenter__(self) -> Ledger:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._plan.connections),
            headers={
                "Content-Type": "application/json",
                **({"Host": self._plan.host} if self._plan.host else {}),
                **dict(self._plan.headers),
            },
            timeout=aiohttp.ClientTimeout(total=self._plan.timeout_seconds),
        )
        self._senders = [asyncio.create_task(self._send_all()) for _ in range(self._plan.connections)]
        self._task = asyncio.create_task(self._dispatch())
        return self.ledger

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await self.finished()
        await self._due.join()
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._client.close()

    def stop(self) -> None:
        """Send nothing new; what is under way is still awaited and recorded."""
        if self._task is not None:
            self._task.cancel()

    async def _dispatch(self) -> None:
        """Hand out each request when it is due."""
        plan, due = self._plan, time.monotonic()
        deadline = due + plan.seconds
        for number in range(plan.first, plan.first + plan.limit):
            if plan.rate:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due + 1 / plan.rate, time.monotonic() - _CATCH_UP_SECONDS)
            if time.monotonic() >= deadline:
                return
            await self._due.put(customer_request(number, plan.users))

    async def _send_all(self) -> None:
        while True:
            request = await self._due.get()
            try:
                self.ledger.record(await self._send(request))
            finally:
                self._due.task_done()

    async def _send(self, request: CustomerRequest) -> Answer:
        sent = time.monotonic()
        release, outcome, digest, cohort, status = "", "", "", "", 0
        try:
            async with self._client.post(self._plan.url, data=request.body) as response:
                await response.read()
                release = response.headers.get(RELEASE_HEADER, "")
                outcome = response.headers.get(OUTCOME_HEADER, "")
                digest = response.headers.get(DIGEST_HEADER, "")
                cohort = response.headers.get(COHORT_HEADER, "")
                status = response.status
        except (aiohttp.ClientError, OSError):
            pass  # nobody answered: the record says so by status 0
        answered = time.monotonic()
        ends = (status, sent, answered, digest, cohort)
        return Answer(request.number, request.user, release, outcome, *ends)


class LoadGenerator:
    """Runs a `Load` in a thread of its own, until the `with` block ends."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._thread = threading.Thread(target=self._work, name="load", daemon=True)
        self._ready = threading.Event()

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with Load(self._plan) as self._ledger:
            self._ready.set()
            await self._over.wait()

    def __enter__(self) -> Ledger:
        self._thread.start()
        self._ready.wait()
        return self._ledger

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
