"""Inputs: Events to be told. Outputs: what the API server is sent, in which order, what is only logged."""

import asyncio
import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Event
from agentrollouts.shell.effects.events import EventSender
from tests.shell.fakes import FakeApiServer, failing
from tests.shell.virtual import now, pass_time, run

ROLLOUT: Manifest = {
    "apiVersion": "agentrollouts.dev/v1alpha1",
    "kind": "AgentRollout",
    "metadata": {"name": "agent", "namespace": "support", "uid": "7", "resourceVersion": "1"},
}


def tell(
    api: FakeApiServer, events: Iterable[Event], *, line: int = 10, about: Manifest = ROLLOUT
) -> list[Manifest]:
    """What is sent of these."""

    async def scenario() -> list[Manifest]:
        sender = EventSender(api, line=line)
        sender.send(about, events)
        assert not api.events, "nobody waits for an Event"
        task = asyncio.create_task(sender.work())
        await pass_time(1)
        assert not task.done()
        task.cancel()
        return api.events

    return run(scenario())


def test_an_event_is_about_the_very_object_and_says_how_grave_it_is() -> None:
    """`kubectl describe` finds it by the uid."""
    (event,) = tell(FakeApiServer(), [Event(Reason.GATE_FAILED, "x" * 2000, is_warning=True)])
    assert event["involvedObject"] == {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "name": "agent",
        "namespace": "support",
        "uid": "7",
        "resourceVersion": "1",
    }
    fields = (event["reason"], event["message"], event["type"], event["metadata"]["namespace"])
    assert fields == ("GateFailed", "x" * 1024, "Warning", "support")


def test_the_name_of_an_event_is_one_that_the_api_server_accepts() -> None:
    """Also about a freeze with the longest name that there is."""
    freeze = {**ROLLOUT, "kind": "AgentFreeze", "metadata": {**ROLLOUT["metadata"], "name": "a-" * 126 + "b"}}
    (event,) = tell(FakeApiServer(), [Event(Reason.INVALID_SPEC, "x", is_warning=True)], about=freeze)

    name = event["metadata"]["name"]
    assert (len(name) <= 253, event["involvedObject"]["name"]) == (True, freeze["metadata"]["name"])
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name)


def test_events_carry_their_time_in_microseconds_and_who_reports() -> None:
    """Events of one second have an order; with `eventTime` the API server wants a reporter and an action."""
    (event,) = tell(FakeApiServer(), [Event(Reason.GATE_FAILED, "x", is_warning=True)])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["eventTime"])
    assert abs(datetime.now(UTC) - datetime.fromisoformat(event["eventTime"])) < timedelta(seconds=60)
    fields = (event["reportingComponent"], event["action"], 0 < len(event["reportingInstance"]) <= 128)
    assert fields == ("agentrollouts.dev/operator", "GateFailed", True)


@pytest.mark.parametrize("error", [ForbiddenError("no"), UnavailableError("no"), ConflictError("no")])
def test_an_event_that_cannot_be_sent_is_only_logged(
    error: ClusterError, caplog: pytest.LogCaptureFixture
) -> None:
    """It repeats what the status says, so nothing is lost; the next one is sent anyway."""
    caplog.set_level(logging.INFO)
    api = FakeApiServer()
    api.on_write = failing(error, "create", "Event", times=1)
    sent = tell(api, [Event(Reason.GATE_FAILED, "one"), Event(Reason.HEALTHY, "two")])
    assert [event["message"] for event in sent] == ["two"]
    assert [record.getMessage() for record in caplog.records] == [
        "AgentRollout support/agent GateFailed: one",
        "AgentRollout support/agent Healthy: two",
        "Failed to send an Event: no",
    ]


def test_what_finds_no_place_in_the_line_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An API server that takes no Events costs no more memory than the line; what waits keeps its order."""
    events = [Event(Reason.PHASE_STARTED, str(number)) for number in range(4)]
    sent = tell(FakeApiServer(), events, line=3)
    assert [event["message"] for event in sent] == ["0", "1", "2"]
    assert [record.getMessage() for record in caplog.records] == [
        "Failed to send an Event: the queue is full"
    ]


def test_the_same_sentence_is_not_said_again_and_again() -> None:
    """A fight over the weights is told once a minute; another sentence, or another object, at once."""

    async def scenario() -> None:
        api = FakeApiServer()
        sender = EventSender(api)
        other = {**ROLLOUT, "metadata": {**ROLLOUT["metadata"], "name": "other"}}
        task = asyncio.create_task(sender.work())
        for manifest, message in ((ROLLOUT, "a"), (ROLLOUT, "a"), (ROLLOUT, "b"), (other, "a")):
            sender.send(manifest, [Event(Reason.ROUTE_RESTORED, message)])
        await pass_time(59)
        sender.send(ROLLOUT, [Event(Reason.ROUTE_RESTORED, "a")])
        await pass_time(1)
        sender.send(ROLLOUT, [Event(Reason.ROUTE_RESTORED, "a")])
        await pass_time(1)
        assert [event["message"] for event in api.events] == ["a", "b", "a", "a"]
        task.cancel()

    run(scenario())


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("failed 🙂\nagain", "failed 🙂 again"),
        ("half \ud83d", "half \ufffd"),
        ("🙂" * 300_000, "🙂" * 256),
    ],
)
def test_an_event_has_bounded_text_that_can_be_sent(message: str, sent: str) -> None:
    """The API server counts bytes, not characters, and accepts UTF-8 only."""
    (event,) = tell(FakeApiServer(), [Event(Reason.GATE_FAILED, message)])

    assert event["message"] == sent
    assert len(event["message"].encode()) <= 1024


def test_a_namespace_with_a_long_line_delays_another_ones_event_by_one() -> None:
    """What one tenant's rollouts report neither delays nor displaces what another's do."""

    async def scenario() -> list[str]:
        api = FakeApiServer()
        sender = EventSender(api, line=100)
        sender.send(ROLLOUT, [Event(Reason.HEALTHY, f"attacker {number}") for number in range(1_000)])
        other = {**ROLLOUT, "metadata": {**ROLLOUT["metadata"], "namespace": "victim"}}
        sender.send(other, [Event(Reason.HEALTHY, "victim")])
        task = asyncio.create_task(sender.work())
        await pass_time(1)
        task.cancel()
        return [event["message"] for event in api.events]

    sent = run(scenario())

    assert sent[:3] == ["attacker 0", "victim", "attacker 1"]
    assert len(sent) == 101


def test_an_event_that_hangs_delays_none_of_another_namespace() -> None:
    """Behind a webhook that is down, each takes nine seconds; those of one namespace keep their order."""

    class Slow(FakeApiServer):
        async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
            if manifest["metadata"]["namespace"] != "victim":
                await pass_time(9.3)
            return await super().create(manifest, dry_run=dry_run)

    async def scenario() -> list[tuple[float, str]]:
        api = Slow()
        sender = EventSender(api, line=100)
        task = asyncio.create_task(sender.work())
        sent: list[tuple[float, str]] = []
        for namespace in ("a", "a", "a", "b", "victim"):
            about = {**ROLLOUT, "metadata": {**ROLLOUT["metadata"], "namespace": namespace}}
            sender.send(about, [Event(Reason.HEALTHY, f"{namespace} {len(sent)}")])
            sent.append((now(), namespace))
        times: list[tuple[float, str]] = []
        for _ in range(31):
            await pass_time(1)
            times += [(now(), event["message"]) for event in api.events[len(times) :]]
        task.cancel()
        return times

    assert run(scenario()) == [(1, "victim 4"), (10, "a 0"), (10, "b 3"), (19, "a 1"), (28, "a 2")]
