"""Inputs: statuses as decided, settings, what Alertmanagers do. Outputs: what each is posted, and when."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from agentrollouts.adapters.alertmanager.client import Client, Outcome, Result
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.attempt import State
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.conditions import READY, STALLED, condition, set_condition
from agentrollouts.insight.alerts.alert import AlertName
from agentrollouts.settings.alerts import Alertmanager
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.effects.alerts import AlertBoard, AlertPoster, Noted, Prepare, Prepared
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from tests.shell.virtual import now, pass_time, run

TWO: Final = [{"name": "one", "url": "http://one:9093"}, {"name": "two", "url": "http://two:9093"}]


def key(number: int) -> Ref:
    """A rollout."""
    return Ref("AgentRollout", "support", f"agent-{number}")


def saying(builder: RolloutBuilder, kind: str, *, holds: bool, reason: Reason, message: str) -> AgentRollout:
    """With this condition since `START`."""
    status = ConditionStatus.TRUE if holds else ConditionStatus.FALSE
    new = condition(kind, status, reason, message, generation=1, now=START)
    return builder.having(conditions=set_condition(builder.status.conditions, new)).build()


def idle() -> AgentRollout:
    """Healthy for a day."""
    return a_rollout(releaseRef={"name": OLD}).serving(OLD).build()


def rolled_back(message: str = "errors: 12.8x") -> AgentRollout:
    """Git requests a release that was rolled back."""
    back = a_rollout().serving(OLD).quarantining(NEW)
    return saying(back, READY, holds=False, reason=Reason.QUARANTINED, message=message)


def renamed(rollout: AgentRollout, ref: Ref) -> AgentRollout:
    """The same of another rollout."""
    return rollout.copy_with(metadata=rollout.metadata.copy_with(name=ref.name, namespace=ref.namespace))


@dataclass
class Desk:
    """The board and its task in virtual time, and what was posted."""

    settings: dict[str, Any] = field(default_factory=lambda: {"alertmanagers": TWO[:1]})
    leads: bool = True
    answer: Callable[[str], Result] = lambda _: Result(Outcome.ACCEPTED)
    hanging: str = ""
    posts: list[tuple[float, str, list[dict[str, Any]]]] = field(default_factory=list)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    kept: Noted = field(default_factory=list)
    """What the board has in the end."""

    def __post_init__(self) -> None:
        self.board = AlertBoard(self.clock)
        self.poster = AlertPoster(
            self.board,
            Settings.model_validate(self.settings),
            lambda name, outcome: self.outcomes.append((name, outcome)),
            lambda: self.leads,
            self,
        )

    @staticmethod
    def clock() -> datetime:
        """The wall clock goes with the loop."""
        return START + timedelta(seconds=now())

    async def post(self, server: Alertmanager, body: bytes) -> Result:
        """An Alertmanager."""
        self.posts.append((now(), server.name, json.loads(body)))
        if server.name == self.hanging:
            await asyncio.sleep(server.timeout_seconds)
            return Result(Outcome.TIMEOUT, "no response within 5 s")
        return self.answer(server.name)

    async def run(self, function: Prepare, server: Alertmanager, noted: Noted, /) -> Prepared:
        """Threads have no virtual time."""
        return function(server, noted)

    def note(self, rollout: AgentRollout, number: int = 0) -> None:
        """A status was decided."""
        self.board.note(key(number), renamed(rollout, key(number)))

    def times(self, name: str = "one") -> list[float]:
        """When an Alertmanager was posted something."""
        return [round(time, 3) for time, server, _ in self.posts if server == name]

    def newest(self) -> list[dict[str, Any]]:
        """What was posted last."""
        return self.posts[-1][2]


def played(desk: Desk, *steps: tuple[float, Callable[[], None]], until: float) -> Desk:
    """Let the task run, and do each step at its time."""

    async def scenario() -> None:
        task = asyncio.create_task(desk.poster.work())
        for time, step in steps:
            await pass_time(time - now())
            step()
        await pass_time(until - now())
        assert not task.done()
        task.cancel()
        desk.kept = desk.board.all()

    run(scenario())
    return desk


def test_a_change_is_posted_at_once_and_the_set_every_minute() -> None:
    """With its labels and texts, from the time of the rollback until three minutes after the post."""
    desk = Desk({"alertmanagers": TWO[:1], "links": {"dashboard": "https://d", "runbooks": "https://r/"}})
    played(desk, (7.0, lambda: desk.note(rolled_back())), until=130)

    assert desk.times() == [7, 67, 127]
    assert desk.newest() == [
        {
            "labels": {
                "alertname": "AgentReleaseRolledBack",
                "severity": "warning",
                "namespace": "support",
                "rollout": "agent-0",
                "agent": "support-agent",
                "release": NEW,
            },
            "annotations": {
                "summary": f"support/agent-0 rolled back {NEW}, which Git still requests",
                "description": "errors: 12.8x",
                "command": "kubectl agentrollout status agent-0 --namespace=support",
                "runbook_url": "https://r/AgentReleaseRolledBack.md",
            },
            "startsAt": "2026-11-21T10:00:00Z",
            "endsAt": "2026-11-21T10:05:07Z",
            "generatorURL": "https://d/support/agent-0",
        }
    ]
    assert desk.outcomes == [("one", "Accepted")] * 3


def test_idle_rollouts_are_neither_kept_nor_posted() -> None:
    """Ten thousand that are healthy cost nothing."""
    desk = Desk()
    rollout = idle()

    def note_all() -> None:
        for number in range(10_000):
            desk.board.note(key(number), rollout)

    played(desk, (1.0, note_all), until=600)

    assert (desk.posts, desk.kept) == ([], [])


def test_news_is_dropped_when_it_is_over() -> None:
    """A rollout that rests after its promotion is not kept, although no status of it is decided anymore."""
    desk = Desk()
    (newest, *_) = a_rollout().serving(OLD).status.history
    promoted = (
        a_rollout(releaseRef={"name": OLD}).serving(OLD).having(history=(newest.copy_with(end_time=START),))
    )
    played(desk, (1.0, lambda: desk.note(promoted.build())), until=700)

    assert desk.times() == [float(1 + 60 * minute) for minute in range(10)]
    assert desk.kept == []


def test_numbers_are_news_only_at_the_next_minute() -> None:
    """Another message is not a change, so it causes no post; the next one has it."""
    desk = Desk()
    steps = [(float(second), lambda s=second: desk.note(rolled_back(f"{s}x"))) for second in range(1, 60, 2)]
    played(desk, *steps, until=62)

    assert desk.times() == [1, 61]
    assert [alert["annotations"]["description"] for alert in desk.newest()] == ["59x"]


def test_what_will_be_true_is_posted_when_it_is() -> None:
    """A rollout needs a person for a minute before anyone is notified."""
    desk = Desk()
    began = a_rollout().serving(OLD).trying(NEW).changing(start_time=START - timedelta(days=1))
    stalled = saying(began, STALLED, holds=True, reason=Reason.INVALID_GATE, message="x")
    played(desk, (10.0, lambda: desk.note(stalled)), until=90)

    assert desk.times() == [60]


def test_what_ended_soon_notifies_no_one() -> None:
    """The set is empty again before the alert was true."""
    desk = Desk()
    began = a_rollout().serving(OLD).trying(NEW).changing(start_time=START - timedelta(days=1))
    stalled = saying(began, STALLED, holds=True, reason=Reason.INVALID_GATE, message="x")
    played(desk, (10.0, lambda: desk.note(stalled)), (50.0, lambda: desk.board.forget(key(0))), until=200)

    assert desk.posts == []


def test_many_changes_are_few_posts_of_the_whole_set() -> None:
    """At most one a second, and the last one has all."""
    desk = Desk()
    steps = [(1 + number / 100, lambda n=number: desk.note(rolled_back(), n)) for number in range(300)]
    played(desk, *steps, until=10)

    assert desk.times() == [1, 2, 3, 4]
    assert len(desk.newest()) == 300


def test_an_alert_that_is_no_longer_true_is_no_longer_posted() -> None:
    """Alertmanager ends it, at the latest three minutes after the last post."""
    desk = Desk()
    played(
        desk,
        (1.0, lambda: desk.note(rolled_back())),
        (1.0, lambda: desk.note(rolled_back(), 1)),
        (30.0, lambda: desk.note(idle())),
        (100.0, lambda: desk.board.forget(key(1))),
        until=400,
    )

    assert [(time, len(entries)) for time, _, entries in desk.posts] == [(1, 1), (2, 2), (30, 1), (90, 1)]


def test_an_alertmanager_that_hangs_delays_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Each has a task of its own; the log has one line when it starts, and one when it ends."""
    desk = Desk({"alertmanagers": TWO}, hanging="one")
    caplog.set_level(logging.INFO)
    steps = ((1.0, lambda: desk.note(rolled_back())), (3.0, lambda: desk.note(rolled_back(), 1)))
    played(desk, *steps, (80.0, lambda: setattr(desk, "hanging", "")), until=140)

    assert desk.times("one") == [1, 7, 72, 137]
    assert desk.times("two") == [1, 3, 63, 123]
    assert [record.getMessage() for record in caplog.records] == [
        "Failed to post alerts to Alertmanager one: no response within 5 s",
        "Alertmanager one takes alerts again",
    ]


def test_each_problem_of_an_alertmanager_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A new one is said, though posts failed before; one that comes and goes makes no line each minute."""
    desk, given = Desk(), iter(["no connection", "expired", "no connection", "expired", "", "expired"])
    caplog.set_level(logging.INFO)

    def answer(_: str) -> Result:
        problem = next(given, "")
        return Result(Outcome.UNREACHABLE if problem else Outcome.ACCEPTED, problem)

    desk.answer = answer
    played(desk, (1.0, lambda: desk.note(rolled_back())), until=440)

    failed, again = "Failed to post alerts to Alertmanager one: ", "Alertmanager one takes alerts again"
    assert caplog.messages == [
        f"{failed}no connection",
        f"{failed}expired",
        again,
        f"{failed}expired",
        again,
    ]


def test_a_bug_is_logged_and_the_task_continues(caplog: pytest.LogCaptureFixture) -> None:
    """The operator rolls back whatever becomes of alerts."""
    desk = Desk()

    def fail(_: str) -> Result:
        raise KeyError("a bug")

    desk.answer = fail
    played(desk, (1.0, lambda: desk.note(rolled_back())), until=70)

    assert desk.times() == [1, 61]
    assert caplog.messages == ["Failed to post alerts to Alertmanager one"] * 2


def test_only_the_leader_posts() -> None:
    """A replica that has lost the Lease posts nothing, though it still knows what was true."""
    desk = Desk()
    played(
        desk,
        (1.0, lambda: desk.note(rolled_back())),
        (30.0, lambda: setattr(desk, "leads", False)),
        until=200,
    )

    assert desk.times() == [1]


def test_new_settings_count_at_once() -> None:
    """Another Alertmanager, other severities, and only the namespaces that it is for."""
    desk = Desk()
    others = Settings.model_validate(
        {
            "alertmanagers": [
                {"name": "two", "url": "http://two:9093"},
                {"name": "three", "url": "http://three:9093", "namespaces": ["billing"]},
            ],
            "alertSeverities": {"AgentReleaseRolledBack": "critical"},
        }
    )
    played(
        desk, (1.0, lambda: desk.note(rolled_back())), (30.0, lambda: desk.poster.replace(others)), until=91
    )

    assert {name: desk.times(name) for name in ("one", "two", "three")} == {
        "one": [1],
        "two": [30, 90],
        "three": [],
    }
    assert [entry["labels"]["severity"] for entry in desk.newest()] == ["critical"]


async def test_a_set_is_prepared_in_a_thread() -> None:
    """Writing a thousand alerts does not stop the event loop."""
    threads: list[int] = []
    posted, channel = asyncio.Event(), Client()

    def clock() -> datetime:
        threads.append(threading.get_ident())
        return START

    board = AlertBoard(clock)
    board.note(key(0), rolled_back())
    settings = Settings.model_validate({"alertmanagers": [{"name": "a", "url": "http://127.0.0.1:1"}]})
    poster = AlertPoster(board, settings, lambda *_: posted.set(), lambda: True, channel)
    task = asyncio.create_task(poster.work())
    async with asyncio.timeout(60):
        await posted.wait()
    task.cancel()
    channel.close()

    assert [thread == threading.get_ident() for thread in threads] == [True, True, False]


def test_a_rollback_in_progress_is_not_an_alert_of_its_own() -> None:
    """What is noted while it rolls back and afterward has the same labels, so it is one notification."""
    desk, back = Desk(), a_rollout().serving(OLD).trying(NEW).rolling_back().quarantining(NEW)
    played(
        desk,
        (1.0, lambda: desk.note(back.build())),
        (20.0, lambda: desk.note(back.changing(state=State.VERIFYING).build())),
        (40.0, lambda: desk.note(rolled_back())),
        until=70,
    )

    names = {entry["labels"]["alertname"] for _, _, entries in desk.posts for entry in entries}
    assert names - {AlertName.STARTED} == {AlertName.ROLLED_BACK}
