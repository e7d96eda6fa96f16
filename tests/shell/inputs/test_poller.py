"""Inputs: what decisions want to know, and a Prometheus server. Outputs: what is heard, and when."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.adapters.prometheus.envelope import Matrix, QueryError, QueryErrorKind, Series
from agentrollouts.api.reasons import Reason
from agentrollouts.core.gates.reading import Unreadable
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.metrics.census import Census, witnesses
from agentrollouts.core.metrics.poll import Poll, PollResult
from agentrollouts.core.metrics.promql import for_namespace, render, render_burst
from agentrollouts.core.metrics.queries import Subject, plan_queries
from agentrollouts.core.metrics.table import to_result
from agentrollouts.shell.inputs.poller import JITTER, STEP, Poller
from agentrollouts.shell.inputs.questions import SIGHTED_AGAIN
from agentrollouts.shell.inputs.shares import FIRST_APART
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, START
from testkit.builders.rollouts import a_rollout
from tests.shell.fakes import FakePrometheus
from tests.shell.virtual import now, pass_time, run

KEY = Ref("AgentRollout", NAMESPACE, AGENT)
OTHER = Ref("AgentRollout", NAMESPACE, "other-agent")

PLAN = plan_queries(
    resolve_all(a_rollout().plan)[0],
    Subject(NAMESPACE, AGENT, NEW, OLD),
    counting_start=START - timedelta(minutes=1),
    warmup_seconds=0,
)
ASKING = Poll(plan=PLAN, source="default", interval_seconds=10)
FIRST = 0.1
"""Seconds within which the first question is asked and answered, where few begin at once."""
MEASURING = replace(ASKING, history_before=START)
HISTORY = Matrix((Series({"src": "0.increase"}, ((START, 1.0),)),))
NEXT_PLAN = replace(PLAN, counting_start=START - timedelta(seconds=30))


def clock() -> datetime:
    """Wall-clock time that passes with the loop's."""
    return START + timedelta(seconds=now())


class Desk:
    """A poller, its servers, and the times at which it told of news."""

    def __init__(self, **servers: FakePrometheus) -> None:
        self.poll_result: list[tuple[str, float]] = []
        self.polled: list[tuple[str, str]] = []
        self.servers = servers
        self.poller = Poller(self._find, self._hear, self._count, clock)

    def _find(self, name: str, namespace: str) -> FakePrometheus | None:
        assert namespace == NAMESPACE
        return self.servers.get(name)

    def _hear(self, key: Ref) -> None:
        self.poll_result.append((key.name, now()))

    def _count(self, source: str, outcome: str, _seconds: float) -> None:
        self.polled.append((source, outcome))

    def gaps(self, name: str = AGENT) -> list[float]:
        """Seconds between news."""
        times = [time for key, time in self.poll_result if key == name]
        return [later - earlier for earlier, later in pairwise(times)]


def near(times: Iterable[float], seconds: float) -> bool:
    """Whether all are so many seconds or later, by the jitter and a step at the most."""
    times = list(times)
    return bool(times) and all(-1e-9 <= one / seconds - 1 <= JITTER + STEP + 1e-9 for one in times)


def test_it_asks_on_the_interval_and_keeps_the_newest_answer_with_its_plan() -> None:
    """Each answer comes with the time that was asked about and the question that was asked."""

    async def scenario() -> None:
        server = FakePrometheus([({"src": "0.increase", "release": NEW}, 7.0)])
        desk = Desk(default=server)
        desk.poller.poll(KEY, ASKING)
        await pass_time(60)
        text, at = server.asked[-1]
        assert (text, desk.poller.newest(KEY)) == (
            render(PLAN, at),
            PollResult(plan=PLAN, result=to_result(PLAN, at, [({"src": "0.increase", "release": NEW}, 7.0)])),
        )
        assert near(desk.gaps(), 10)
        assert set(desk.polled) == {("default", "Answered")}

    run(scenario())


def test_ticks_of_several_rollouts_fall_together() -> None:
    """Those of one interval ask at a hundred moments of it, whenever they began."""

    async def scenario() -> None:
        desk = Desk(default=FakePrometheus())
        keys = [Ref("AgentRollout", "support", f"agent-{index}") for index in range(20)]
        for key in keys:
            desk.poller.poll(key, ASKING)
            await pass_time(0.17)
        await pass_time(60)
        assert all(near(desk.gaps(key.name), 10) for key in keys)
        later = [time / (10 * STEP) for _, time in desk.poll_result[len(keys) :]]
        assert max(abs(moment - round(moment)) for moment in later) < 1e-6

    run(scenario())


def test_first_questions_of_many_do_not_come_at_once() -> None:
    """After a restart all would wait for each other; one that begins alone is asked about without delay."""

    async def scenario() -> None:
        desk = Desk(default=FakePrometheus())
        for index in range(100):
            desk.poller.poll(Ref("AgentRollout", "support", f"agent-{index}"), ASKING)
        await pass_time(5)
        assert [time for _, time in desk.poll_result] == pytest.approx([FIRST_APART * n for n in range(100)])
        desk.poller.poll(KEY, ASKING)
        await pass_time(FIRST_APART / 2)
        name, time = desk.poll_result[-1]
        assert (name, round(time, 6)) == (KEY.name, 5.0)

    run(scenario())


def test_a_server_is_asked_under_its_own_label_of_the_namespace() -> None:
    """The settings say it, not the rollout; the answer belongs to the plan, and tells the label."""

    async def scenario() -> None:
        server = FakePrometheus()
        server.namespace_label = "tenant_namespace"
        desk = Desk(default=server)
        desk.poller.poll(KEY, MEASURING)
        await pass_time(FIRST)
        text, at = server.asked[-1]
        poll_result = desk.poller.newest(KEY)
        assert text == render(for_namespace(PLAN, "tenant_namespace"), at)
        assert server.history_asked == render_burst(for_namespace(PLAN, "tenant_namespace"))
        assert poll_result is not None
        assert (poll_result.plan, poll_result.namespace_label) == (PLAN, "tenant_namespace")

    run(scenario())


def test_to_say_the_same_again_changes_nothing() -> None:
    """A decision is made many times within an interval; the questions go on at their own pace."""

    async def scenario() -> None:
        desk = Desk(default=FakePrometheus())
        for _ in range(300):
            desk.poller.poll(KEY, replace(ASKING))
            await pass_time(0.2)
        assert near(desk.gaps(), 10)

    run(scenario())


def test_an_answer_to_an_old_plan_is_kept_as_that() -> None:
    """While a slow answer is under way the plan may change; the answer then says which one it belongs to."""

    async def scenario() -> None:
        server = FakePrometheus()
        server.seconds = 3
        desk = Desk(default=server)
        desk.poller.poll(KEY, ASKING)
        await pass_time(FIRST)
        desk.poller.poll(KEY, replace(ASKING, plan=NEXT_PLAN))
        await pass_time(3)
        first = desk.poller.newest(KEY)
        await pass_time(15)
        second = desk.poller.newest(KEY)
        assert [poll_result and poll_result.plan for poll_result in (first, second)] == [PLAN, NEXT_PLAN]

    run(scenario())


def test_a_server_that_hangs_holds_up_nobody_else_and_can_be_left_at_once() -> None:
    """Rollouts on another source go on, new ones begin, and to stop following needs no answer."""

    async def scenario() -> None:
        hanging = FakePrometheus()
        hanging.seconds = None
        desk = Desk(hanging=hanging, default=FakePrometheus())
        desk.poller.poll(KEY, replace(ASKING, source="hanging"))
        await pass_time(5)
        desk.poller.poll(OTHER, ASKING)
        await pass_time(60)
        assert (desk.poller.newest(KEY), near(desk.gaps("other-agent"), 10)) == (None, True)
        desk.poller.poll(KEY, None)
        desk.poller.poll(KEY, ASKING)
        await pass_time(FIRST)
        assert desk.poller.newest(KEY) is not None

    run(scenario())


def test_what_is_followed_no_more_is_asked_and_known_no_more() -> None:
    """Neither questions nor answers outlive the attempt."""

    async def scenario() -> None:
        server = FakePrometheus()
        desk = Desk(default=server)
        desk.poller.poll(KEY, ASKING)
        desk.poller.poll(OTHER, ASKING)
        await pass_time(FIRST)
        desk.poller.poll(KEY, None)
        desk.poller.close()
        queries_before = len(server.asked)
        await pass_time(100)
        assert (desk.poller.newest(KEY), desk.poller.newest(OTHER), len(server.asked)) == (
            None,
            None,
            queries_before,
        )
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario())


def test_history_is_asked_once_and_again_only_after_a_failure() -> None:
    """It is long; what was learnt goes along with every answer until it is no longer needed."""

    async def scenario() -> None:
        server = FakePrometheus()
        server.history = QueryError(QueryErrorKind.TIMEOUT, "too slow")
        desk = Desk(default=server)
        desk.poller.poll(KEY, MEASURING)
        await pass_time(FIRST)
        failed = desk.poller.newest(KEY)
        server.history = HISTORY
        await pass_time(60)
        learnt = desk.poller.newest(KEY)
        times = server.histories
        desk.poller.poll(KEY, ASKING)
        await pass_time(11)
        done = desk.poller.newest(KEY)
        histories = [poll_result and poll_result.history for poll_result in (failed, learnt, done)]
        assert (histories, times, server.histories) == ([None, HISTORY.series, None], 2, 2)
        desk.poller.poll(KEY, MEASURING)
        await pass_time(11)
        assert server.histories == 3, "what is no longer needed was kept"

    run(scenario())


def test_a_slow_history_does_not_add_to_the_time_of_an_answer() -> None:
    """Both are asked at the same time."""

    async def scenario() -> None:
        server = FakePrometheus()
        server.seconds = 4
        desk = Desk(default=server)
        desk.poller.poll(KEY, MEASURING)
        await pass_time(FIRST + 5)
        ((_, asked),), ((_, poll_result),) = server.asked, desk.poll_result
        assert START + timedelta(seconds=poll_result) - asked == timedelta(seconds=4)

    run(scenario())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (QueryErrorKind.REFUSED, Reason.INVALID_GATE),
        (QueryErrorKind.DENIED, Reason.METRICS_UNAVAILABLE),
        (QueryErrorKind.TIMEOUT, Reason.METRICS_UNAVAILABLE),
    ],
)
def test_a_failure_is_heard_like_an_answer(kind: QueryErrorKind, reason: Reason) -> None:
    """What does not heal by waiting is told apart from what may."""

    async def scenario() -> None:
        desk = Desk(default=FakePrometheus(QueryError(kind, "no")))
        desk.poller.poll(KEY, ASKING)
        await pass_time(FIRST)
        poll_result = PollResult(plan=PLAN, result=Unreadable("no", reason))
        assert (desk.poller.newest(KEY), desk.polled) == (poll_result, [("default", str(kind))])

    run(scenario())


def test_a_source_that_is_not_there_is_told_and_found_once_it_is() -> None:
    """Settings may be changed while a rollout waits."""

    async def scenario() -> None:
        desk = Desk()
        desk.poller.poll(KEY, ASKING)
        await pass_time(FIRST)
        missing = desk.poller.newest(KEY)
        desk.servers["default"] = FakePrometheus()
        await pass_time(11)
        served = desk.poller.newest(KEY)
        message = "spec.metrics.source: the settings have no source default for this namespace"
        assert missing == PollResult(plan=PLAN, result=Unreadable(message, Reason.SOURCE_UNKNOWN))
        assert served == PollResult(
            plan=PLAN, result=to_result(PLAN, START + timedelta(seconds=desk.poll_result[-1][1]), [])
        )

    run(scenario())


def test_nothing_is_asked_before_there_is_anything_to_count() -> None:
    """No question in the first second of a count, and no news from it."""

    async def scenario() -> None:
        server = FakePrometheus()
        desk = Desk(default=server)
        desk.poller.poll(
            KEY, replace(ASKING, plan=replace(PLAN, counting_start=START + timedelta(seconds=15)))
        )
        await pass_time(12)
        before = (len(server.asked), list(desk.poll_result))
        await pass_time(17)
        assert (before, len(server.asked)) == ((0, []), 1)

    run(scenario())


def test_a_shorter_interval_counts_from_now_on() -> None:
    """Nobody has to wait for the end of a long pause that is no longer wanted."""

    async def scenario() -> None:
        desk = Desk(default=FakePrometheus())
        desk.poller.poll(KEY, replace(ASKING, interval_seconds=3600))
        await pass_time(20)
        desk.poller.poll(KEY, replace(ASKING, interval_seconds=2))
        await pass_time(20)
        assert near(desk.gaps()[1:], 2)

    run(scenario())


def test_a_bug_is_logged_and_ends_no_questions(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody expected costs one tick, not the rollout's eyes."""

    async def scenario() -> None:
        server = FakePrometheus(answer=[None])  # type: ignore[list-item]  # a row that is none: the bug
        desk = Desk(default=server)
        desk.poller.poll(KEY, ASKING)
        await pass_time(FIRST)
        assert (desk.poller.newest(KEY), len(caplog.records)) == (None, 1)
        server.answer = []
        await pass_time(11)
        assert desk.poller.newest(KEY) is not None

    run(scenario())


ERRORS = resolve_all(a_rollout().plan)[0][0]
FINDING_OUT = replace(ASKING, census=Census(PLAN.subject, witnesses(ERRORS)))


def test_whether_a_selector_can_match_is_asked_once_with_a_look_back() -> None:
    """What has matched stays so; what has not is looked for again, by what is there at that time."""

    async def scenario() -> None:
        server = FakePrometheus([({"src": "0.seen"}, 2.0)])
        desk = Desk(default=server)
        desk.poller.poll(KEY, FINDING_OUT)
        await pass_time(FIRST)
        poll_result = desk.poller.newest(KEY)
        assert poll_result is not None
        assert poll_result.sighted is not None
        assert poll_result.sighted.seen == {ERRORS.bad}
        server.answer = []
        await pass_time(60)
        poll_result = desk.poller.newest(KEY)
        assert poll_result is not None
        assert poll_result.sighted is not None
        assert poll_result.sighted.seen == {ERRORS.bad}
        texts = [text for text, _ in server.asked if "0.seen" in text]
        assert ["[7d:5m]" in text for text in texts] == [True, *[False] * (len(texts) - 1)]
        assert len(texts) <= 1 + 60 / SIGHTED_AGAIN.total_seconds()

    run(scenario())


def test_a_series_that_appears_is_found() -> None:
    """A gate that was held, as its numerator had never been seen, goes on."""

    async def scenario() -> None:
        server = FakePrometheus()
        desk = Desk(default=server)
        desk.poller.poll(KEY, FINDING_OUT)
        await pass_time(FIRST)
        server.answer = [({"src": "0.seen"}, 1.0)]
        await pass_time(30)
        poll_result = desk.poller.newest(KEY)
        assert poll_result is not None
        assert poll_result.sighted is not None
        assert poll_result.sighted.seen == {ERRORS.bad}

    run(scenario())


def test_a_server_whose_increase_contains_births_is_not_asked_for_them() -> None:
    """They would be counted twice; the answer says which question it belongs to."""

    async def scenario() -> None:
        server = FakePrometheus()
        server.has_births = True
        desk = Desk(default=server)
        desk.poller.poll(KEY, ASKING)
        await pass_time(FIRST)
        poll_result = desk.poller.newest(KEY)
        assert poll_result is not None
        assert poll_result.counts_births
        assert "births" not in server.asked[-1][0]

    run(scenario())
