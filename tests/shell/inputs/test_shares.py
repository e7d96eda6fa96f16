"""Inputs: rollouts of several namespaces, their intervals and gates. Outputs: how often each is queried."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.adapters.prometheus.envelope import QueryError, QueryErrorKind
from agentrollouts.core.metrics.poll import Poll
from agentrollouts.settings.limits import Limits
from agentrollouts.shell.inputs.poller import BACK_OFF_SECONDS, Poller, backed_off
from agentrollouts.shell.inputs.shares import BURST_SECONDS, ROWS, Shares, cost
from tests.shell.fakes import FakePrometheus
from tests.shell.inputs.test_poller import ASKING, clock
from tests.shell.virtual import now, pass_time, run

EVERY_SECOND = replace(ASKING, interval_seconds=1)
LARGE = replace(EVERY_SECOND, gates=16)
LIMIT = 80.0


class Desk:
    """A poller of rollouts in several namespaces, and how often each was queried."""

    def __init__(self, limits: Limits | None = None, server: FakePrometheus | None = None) -> None:
        self.server = server or FakePrometheus()
        self.times: dict[Ref, list[float]] = {}
        self.poller = Poller(
            lambda _name, _namespace: self.server,
            self._hear,
            lambda *_: None,
            clock,
            limits or Limits(queries_per_second_per_namespace=LIMIT),
        )

    def _hear(self, key: Ref) -> None:
        self.times.setdefault(key, []).append(now())

    def begin(self, namespace: str, poll: Poll, rollouts: int = 1) -> list[Ref]:
        """Poll so many rollouts."""
        keys = [Ref("AgentRollout", namespace, f"agent-{index}") for index in range(rollouts)]
        for key in keys:
            self.poller.poll(key, poll)
        return keys

    def excess(self, key: Ref) -> str | None:
        """What the newest result says about the share of the namespace."""
        newest = self.poller.newest(key)
        return newest.excess if newest else None

    def forget_times(self) -> None:
        """Count from now on."""
        self.times.clear()

    def rate(self, namespace: str, seconds: float) -> float:
        """Queries a second of the namespace."""
        return sum(len(times) for key, times in self.times.items() if key.namespace == namespace) / seconds


@pytest.mark.parametrize(("gates", "rows", "queries"), [(1, 38, 1), (5, 166, 2), (16, 518, 4.75)])
def test_a_query_costs_by_its_gates(gates: int, rows: int, queries: float) -> None:
    """Rows of the usual number add nothing; those of large histograms do."""
    assert cost(gates, rows) == queries
    assert cost(gates, 100 * ROWS) == 100


def test_a_namespace_with_too_many_gates_is_slowed_down_evenly_and_no_other_is() -> None:
    """250 rollouts of 16 gates every second: all get the same part, and a neighbor each of its seconds."""

    async def scenario() -> None:
        desk = Desk()
        keys = desk.begin("greedy", LARGE, rollouts=250)
        (victim,) = desk.begin("victim", LARGE)
        await pass_time(40)
        desk.forget_times()
        await pass_time(60)
        counts = Counter(len(desk.times[key]) for key in keys)
        assert desk.rate("greedy", 60) * cost(16) == pytest.approx(LIMIT, rel=0.05)
        assert max(counts) - min(counts) <= 1
        assert len(desk.times[victim]) >= 56
        assert desk.excess(victim) is None
        assert desk.excess(keys[7]) == (
            "namespace greedy requests 1188 queries per second, and one namespace may make 80 "
            "(limits.queriesPerSecondPerNamespace in the operator's settings; each gate beyond the first "
            "counts as 1/4 query), so Prometheus is queried every 15 s instead of every 1 s; set a longer "
            "interval or use fewer gates"
        )

    run(scenario())


def test_a_namespace_within_its_share_is_served_in_full() -> None:
    """Also after a restart, when all begin at once."""

    async def scenario() -> None:
        desk = Desk()
        keys = desk.begin("large", replace(ASKING, interval_seconds=30, gates=5), rollouts=1000)
        await pass_time(60)
        desk.forget_times()
        await pass_time(64)
        assert min(len(desk.times[key]) for key in keys) >= 2
        assert {desk.excess(key) for key in keys} == {None}

    run(scenario())


def test_what_is_slow_by_itself_keeps_its_interval_beside_greedy_ones() -> None:
    """The stretch is for those that query often; one every 30 s waits for a turn of its namespace only."""

    async def scenario() -> None:
        desk = Desk()
        desk.begin("greedy", LARGE, rollouts=100)
        patient = Ref("AgentRollout", "greedy", "patient")
        desk.poller.poll(patient, replace(LARGE, interval_seconds=30))
        await pass_time(300)
        assert len(desk.times[patient]) >= 7

    run(scenario())


def test_to_begin_again_and_again_makes_no_more_queries() -> None:
    """A tenant that changes the interval all the time, or deletes and creates, stays within the rate."""

    async def scenario() -> None:
        desk = Desk(Limits(queries_per_second_per_namespace=10))
        for round_ in range(300):
            desk.begin("greedy", replace(ASKING, interval_seconds=1 + round_ % 2), rollouts=20)
            await pass_time(0.1)
            if round_ % 5 == 0:
                for key in desk.begin("greedy", ASKING, rollouts=20):
                    desk.poller.poll(key, None)
        assert len(desk.server.asked) <= 10 * (30 + BURST_SECONDS) + 1

    run(scenario())


def test_to_delete_and_create_the_only_rollout_buys_no_new_burst() -> None:
    """What a namespace has used is remembered without any rollout of it."""

    async def scenario() -> None:
        desk = Desk(Limits(queries_per_second_per_namespace=10))
        for _ in range(300):
            (key,) = desk.begin("greedy", EVERY_SECOND)
            await pass_time(0.01)
            desk.poller.poll(key, None)
            await pass_time(0.01)
        assert len(desk.server.asked) <= 10 * (300 * 0.02 + BURST_SECONDS) + 1

    run(scenario())


def test_who_gives_up_waiting_leaves_its_place_to_others() -> None:
    """The queries of deleted rollouts are neither made nor waited for."""

    async def scenario() -> None:
        desk = Desk(Limits(queries_per_second_per_namespace=0.1))
        for key in desk.begin("many", EVERY_SECOND, rollouts=30):
            await pass_time(0.1)
            desk.poller.poll(key, None)
        desk.forget_times()
        (key,) = desk.begin("many", EVERY_SECOND)
        await pass_time(11)
        assert desk.times.keys() == {key}

    run(scenario())


def test_a_result_of_many_rows_costs_more() -> None:
    """Histograms of hundreds of bounds are one gate to a plan, and many rows to read and to judge."""

    async def scenario() -> None:
        rows = [({"src": f"0.increase-{index}"}, 1.0) for index in range(20 * ROWS)]
        desk = Desk(server=FakePrometheus(rows))
        desk.begin("greedy", EVERY_SECOND, rollouts=20)
        await pass_time(60)
        desk.forget_times()
        await pass_time(60)
        assert desk.rate("greedy", 60) == pytest.approx(LIMIT / 20, rel=0.1)

    run(scenario())


def test_the_administrator_sets_the_shortest_interval() -> None:
    """A rollout that requests less is queried at that, and says so; another one is not concerned."""

    async def scenario() -> None:
        desk = Desk(Limits(min_interval_seconds=10))
        (fast,) = desk.begin("fast", EVERY_SECOND)
        (slow,) = desk.begin("slow", replace(ASKING, interval_seconds=10))
        await pass_time(100)
        assert 9 <= len(desk.times[fast]) <= 11
        assert desk.excess(slow) is None
        assert desk.excess(fast) == (
            "an interval of 1 s is requested, and the operator's settings permit none below 10 s "
            "(limits.minIntervalSeconds), so Prometheus is queried every 10 s; set intervalSeconds to that "
            "or more"
        )

    run(scenario())


def test_new_limits_count_from_now_on() -> None:
    """Nothing sits out the wait of a limit that was too low; what was known stays known."""

    async def scenario() -> None:
        desk = Desk(Limits(queries_per_second_per_namespace=0.1))
        keys = desk.begin("many", EVERY_SECOND, rollouts=20)
        await pass_time(30)
        before = desk.poller.newest(keys[0])
        desk.poller.replace(Limits(queries_per_second_per_namespace=LIMIT))
        assert desk.poller.newest(keys[0]) == before is not None
        desk.forget_times()
        await pass_time(10)
        assert min(len(desk.times[key]) for key in keys) >= 9
        assert {desk.excess(key) for key in keys} == {None}

    run(scenario())


def test_a_namespace_at_its_limit_does_not_say_so_in_turns() -> None:
    """It has to request clearly less before the warning goes."""

    async def scenario() -> None:
        desk = Desk(Limits(queries_per_second_per_namespace=10))
        *_, last, key = desk.begin("many", EVERY_SECOND, rollouts=11)
        await pass_time(10)
        said = [desk.excess(key) is not None]
        desk.poller.poll(last, None)
        await pass_time(10)
        said.append(desk.excess(key) is not None)
        for index in range(3):
            desk.poller.poll(Ref("AgentRollout", "many", f"agent-{index}"), None)
        await pass_time(10)
        said.append(desk.excess(key) is not None)
        assert said == [True, True, False]

    run(scenario())


def test_who_times_out_is_queried_half_as_often_until_it_is_answered() -> None:
    """Twice the interval after each timeout, within bounds; one answer, and it is as before."""

    async def scenario() -> None:
        server = FakePrometheus(QueryError(QueryErrorKind.TIMEOUT, "slow"))
        desk = Desk(server=server)
        (key,) = desk.begin("slow", EVERY_SECOND)
        await pass_time(100)
        times = desk.times[key]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert gaps[:4] == pytest.approx([2, 4, 8, 16], rel=0.07)
        assert max(gaps) <= BACK_OFF_SECONDS * 1.07
        server.answer = []
        await pass_time(2 * BACK_OFF_SECONDS)
        desk.forget_times()
        await pass_time(20)
        assert len(desk.times[key]) >= 18

    run(scenario())


@pytest.mark.parametrize("kind", [kind for kind in QueryErrorKind if kind is not QueryErrorKind.TIMEOUT])
def test_other_failures_change_no_interval(kind: QueryErrorKind) -> None:
    """They hold no connection; nor does an error that is only repeated."""

    async def scenario() -> None:
        desk = Desk(server=FakePrometheus(QueryError(kind, "no")))
        repeated = Desk(server=FakePrometheus(QueryError(QueryErrorKind.TIMEOUT, "no", was_sent=False)))
        keys = [each.begin("a", EVERY_SECOND)[0] for each in (desk, repeated)]
        await pass_time(30)
        assert min(len(desk.times[keys[0]]), len(repeated.times[keys[1]])) >= 27

    run(scenario())


def test_a_long_interval_is_doubled_once() -> None:
    """A rollout that is queried every 30 s notices soon that the server is well again."""
    assert [backed_off(seconds, 5) for seconds in (0.5, 1, 5, 30)] == [16, 16, 16, 60]


def test_crowding_of_a_server_is_said_on_the_rollout() -> None:
    """Where the namespace keeps to its rate, but its queries wait behind each other."""

    async def scenario() -> None:
        desk = Desk()
        desk.server.crowded = "a query waited 5 s"
        (key,) = desk.begin("slow", EVERY_SECOND)
        await pass_time(1)
        assert desk.excess(key) == "a query waited 5 s"

    run(scenario())


def test_a_share_is_forgotten_with_its_last_rollout_once_it_is_paid_for() -> None:
    """Namespaces that come and go leave nothing behind, and buy no new burst."""

    async def scenario() -> None:
        desk = Desk()
        for index in range(50):
            keys = desk.begin(f"preview-{index}", EVERY_SECOND, rollouts=3)
            await pass_time(0.1)
            for key in keys:
                desk.poller.poll(key, None)
        await pass_time(3 * BURST_SECONDS)
        assert desk.poller._shares._shares == {}  # noqa: SLF001 - memory shows nowhere else
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_a_query_of_a_namespace_without_polls_is_within_its_share_too() -> None:
    """Evidence is queried after a rollback, when nothing is polled; the namespace is forgotten afterward."""

    async def scenario() -> tuple[float, dict[str, object]]:
        shares = Shares(Limits(queries_per_second_per_namespace=1))
        for _ in range(20):
            await shares.wait("support")
        seconds = now()
        await pass_time(1000)
        return seconds, vars(shares)["_shares"]

    seconds, left = run(scenario())
    assert seconds >= 10
    assert left == {}
