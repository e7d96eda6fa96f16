"""Two replicas, an Alertmanager, another one that never answers, and someone who is notified.

Run by `test_alerts.py` inside a sandbox of its own. By hand:
`python -m sandbox run -- python -m pytest tests/e2e/apart/inside_alerts.py`.
"""

import asyncio
import json
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.adapters.alertmanager.client import Client, Outcome
from agentrollouts.insight.alerts.alert import Alert, AlertName, AlertSeverity
from agentrollouts.insight.alerts.wire import written
from agentrollouts.settings.alerts import Alertmanager, Links
from sandbox.operator import OperatorProcess
from sandbox.parts import parts
from sandbox.programs import alerting, web
from sandbox.programs.alerting import Sink
from sandbox.programs.process import Process
from sandbox.stack import Stack
from tests.docs.pages import blocks, page
from tests.e2e.apart.replicas import Replicas, both, leader_and_other, leads
from tests.e2e.scene import HALF, SECOND, Scene, Shop
from tests.e2e.witness import eventually

BOTH = 2
OVER_SECONDS = 20
"""After which an alert is over that is not posted again: longer than a machine stalls between two posts."""
AGAIN_SECONDS = 120
"""Longer than a post takes to be repeated, and what a loaded machine adds."""


@pytest.fixture(scope="session")
def sink() -> Iterator[Sink]:
    """Who is notified."""
    with Sink() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def alertmanager(stack: Stack, sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Process:
    """The real one."""
    folder: Path = tmp_path_factory.mktemp("alertmanager")
    command = alerting.command(parts.alertmanager(), folder, sink.url)
    process = stack.add_process(alerting.NAME, command, healthy=alerting.healthy)
    process.start()
    return process


@pytest.fixture(scope="session")
def hanging() -> Iterator[str]:
    """One that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="session")
def replicas(stack: Stack, alertmanager: Process, hanging: str) -> Iterator[Replicas]:
    """Both replicas with both Alertmanagers; neither may have made a mistake in the end."""
    assert alertmanager.running
    servers = [
        {"name": "default", "url": alerting.URL},
        {"name": "hanging", "url": hanging, "timeoutSeconds": 60},
    ]
    with both(stack, alertmanagers=servers) as replicas:
        yield replicas


@pytest.fixture(scope="session")
def operator(replicas: Replicas) -> OperatorProcess:
    """The first of them."""
    return replicas[0]


def fails(given: Scene, agent: str) -> Shop:
    """A rollout whose second release is rolled back."""
    (shop,) = given.serving(agent)
    shop.ships(SECOND, phases=HALF)
    shop.is_counting(phase="half")
    given.agents.fail(given.namespace, f"{agent}-{SECOND}", 0.9)
    shop.is_back()
    return shop


def notified(sink: Sink, shop: Shop, name: str) -> dict[str, Any] | None:
    """The first notification of an alert about a rollout."""
    place = {"namespace": shop.scene.namespace, "rollout": shop.agent, "alertname": name}
    found = (each for each in sink.notifications() if place.items() <= each["labels"].items())
    return next(found, None)


def known(shop: Shop, name: str) -> dict[str, Any] | None:
    """The alert as Alertmanager has it now."""
    place = {"namespace": shop.scene.namespace, "rollout": shop.agent, "alertname": name}
    alerts = json.loads(web.get(f"{alerting.URL}/api/v2/alerts"))
    return next((each for each in alerts if place.items() <= each["labels"].items()), None)


def said(shop: Shop, name: str) -> str:
    """The description of an alert as Alertmanager has it now."""
    alert = known(shop, name)
    return str(alert["annotations"]["description"]) if alert else ""


def repeated(sink: Sink) -> list[tuple[str, ...]]:
    """What was notified more than once."""
    names = ("alertname", "namespace", "rollout", "release")
    keys = Counter(
        (each["status"], *(each["labels"].get(name, "") for name in names)) for each in sink.notifications()
    )
    return [key for key, times in keys.items() if times > 1]


def test_one_notification_whatever_happens_to_the_operator(
    given: Scene, replicas: Replicas, sink: Sink
) -> None:
    """Kills, a handover and new numbers in the message repeat nothing; the sentence is in the body.

    Meanwhile another Alertmanager hangs, and delays neither the rollback nor the post.
    """
    name = AlertName.ROLLED_BACK
    shop = fails(given, "alarming")
    first = eventually("a notification", partial(notified, sink, shop, name))

    leader, other = leader_and_other(*replicas)
    leader.kill()
    eventually("the other one leads", partial(leads, other))
    leader.start()
    other.stop()
    eventually("the first one leads again", partial(leads, leader))
    other.start()
    shop.comes_to("RolledBack")
    shop.until("it is at rest", lambda: shop.ready.get("reason") == "Quarantined")
    eventually(
        "the alert has the newest sentence", lambda: said(shop, name) == shop.ready["message"], AGAIN_SECONDS
    )

    assert first["labels"] == {
        "alertname": name,
        "severity": "warning",
        "namespace": given.namespace,
        "rollout": "alarming",
        "agent": "alarming",
        "release": f"alarming-{SECOND}",
    }
    assert "errors" in first["annotations"]["description"]
    assert first["annotations"]["description"] != shop.ready["message"]
    assert repeated(sink) == []


def test_an_alertmanager_that_was_away_is_posted_everything(
    given: Scene, alertmanager: Process, sink: Sink
) -> None:
    """The alerts of the meantime come once it is back, and those of before are not repeated."""
    before = fails(given, "before")
    eventually("a notification", partial(notified, sink, before, AlertName.ROLLED_BACK))
    alertmanager.stop(signal.SIGTERM)

    meanwhile = fails(given, "meanwhile")
    alertmanager.start()

    eventually("a notification", partial(notified, sink, meanwhile, AlertName.ROLLED_BACK), AGAIN_SECONDS)
    eventually("the alert of before", partial(known, before, AlertName.ROLLED_BACK), AGAIN_SECONDS)
    assert repeated(sink) == []


def test_alertmanager_takes_the_example_of_the_docs(stack: Stack, tmp_path: Path) -> None:
    """The configuration with Slack, PagerDuty and an inhibition is valid."""
    [example] = (text for text in blocks(page("alerts.md"), "yaml") if "inhibit_rules" in text)
    config, address = tmp_path / "alertmanager.yaml", "127.0.0.1:9094"
    config.write_text(example)
    command: list[str | Path] = [
        parts.alertmanager(),
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    ready = partial(web.answers, f"http://{address}/-/ready")
    process = stack.add_process("alertmanager-of-the-docs", command, healthy=ready)
    process.start()
    process.stop()


@pytest.mark.usefixtures("alertmanager")
def test_two_leaders_for_a_moment_notify_once_and_what_ends_is_resolved_once(sink: Sink) -> None:
    """Each posts the same alert, with other numbers each time; then neither does, and it is over in time."""
    server = Alertmanager(name="default", url=alerting.URL, timeout_seconds=60)

    def body(number: int) -> bytes:
        now = datetime.now(UTC)
        alert = Alert(
            name=AlertName.NOT_RECOVERED,
            severity=AlertSeverity.CRITICAL,
            namespace="posted",
            rollout="twice",
            agent="twice",
            release="twice-2.0.0",
            starts_at=now - timedelta(seconds=5),
            summary="posted/twice did not recover",
            description=f"{number}.5x, limit 1.1x",
        )
        return written([alert], Links(), {}, now + timedelta(seconds=OVER_SECONDS))

    async def both() -> list[Outcome]:
        results, client = [], Client()
        for number in range(12):
            posts = (client.post(server, body(BOTH * number + replica)) for replica in range(BOTH))
            results += await asyncio.gather(*posts)
        client.close()
        return [result.outcome for result in results]

    assert asyncio.run(both()) == [Outcome.ACCEPTED] * 24

    def about_it() -> list[str]:
        return [each["status"] for each in sink.notifications() if each["labels"]["rollout"] == "twice"]

    eventually("it is resolved", lambda: "resolved" in about_it())
    assert about_it() == ["firing", "resolved"]
