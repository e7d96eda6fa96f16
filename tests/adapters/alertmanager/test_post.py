"""Inputs: what a server on loopback does. Outputs: what it received, and what is said of it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agentrollouts.adapters.alertmanager.client import Client, Outcome, Result
from agentrollouts.insight.alerts.alert import Alert, AlertName, AlertSeverity
from agentrollouts.insight.alerts.wire import written
from agentrollouts.settings.alerts import Alertmanager, Links
from testkit.builders.names import START
from tests.adapters.server import answer, hang, serving

SECRET = "s3cr3t-value"  # noqa: S105 - it protects nothing
BODY = b'[{"labels":{"alertname":"a"}}]'


def server(url: str, **fields: Any) -> Alertmanager:  # noqa: ANN401 - any field of the settings
    """The settings of an Alertmanager."""
    return Alertmanager(**{"name": "default", "url": url, "timeout_seconds": 30, **fields})


async def post(target: Alertmanager, body: bytes) -> Result:
    """One post by a client of its own."""
    client = Client()
    try:
        return await client.post(target, body)
    finally:
        client.close()


async def test_a_name_is_looked_up() -> None:
    """A server is reached by its name, and one without an address is not."""
    async with serving(answer()) as receiver:
        found = await post(server(f"http://localhost:{receiver.port}"), BODY)
        lost = await post(server(f"http://no-such-host.invalid:{receiver.port}"), BODY)

    assert found == Result(Outcome.ACCEPTED)
    assert lost.outcome in {Outcome.UNREACHABLE, Outcome.TIMEOUT}


async def test_a_post_is_json_with_the_headers_of_the_settings(tmp_path: Path) -> None:
    """Files are read for each post, so a rotated token counts at once."""
    token, key = tmp_path / "token", tmp_path / "key"
    key.write_text("k\n")
    async with serving(answer()) as receiver:
        target = server(
            f"{receiver.url}/prefix",
            bearer_token_file=token if token.write_text("first\n") else None,
            headers={"X-Scope-OrgID": SecretStr("team-a")},
            header_files={"X-Key": key},
        )
        results = [await post(target, BODY)]
        token.write_text("second")
        results.append(await post(target, BODY))

    names = ("authorization", "x-scope-orgid", "x-key", "content-type")
    assert results == [Result(Outcome.ACCEPTED)] * 2
    assert [(request.line, request.body) for request in receiver.requests] == [
        ("POST /prefix/api/v2/alerts HTTP/1.1", BODY)
    ] * 2
    assert [[request.headers[name] for name in names] for request in receiver.requests] == [
        ["Bearer first", "team-a", "k", "application/json"],
        ["Bearer second", "team-a", "k", "application/json"],
    ]


@pytest.mark.parametrize(
    ("behavior", "fields", "expected"),
    [
        (answer(400, SECRET.encode()), {}, Result(Outcome.REFUSED, "it answered 400")),
        (answer(302, b"", "Location: http://elsewhere/"), {}, Result(Outcome.REFUSED, "it answered 302")),
        (hang, {"timeout_seconds": 0.05}, Result(Outcome.TIMEOUT, "no response within 0.05 s")),
    ],
    ids=["an error", "a redirect", "no answer"],
)
async def test_what_a_server_does_is_an_outcome(behavior: Any, fields: Any, expected: Result) -> None:  # noqa: ANN401
    """Nothing raises, redirects are not followed, and no text of the server is repeated."""
    async with serving(behavior) as receiver:
        target = server(receiver.url, **fields)
        assert await post(target, BODY) == expected
        assert len(receiver.requests) <= 1


async def test_an_unreachable_server_and_a_missing_file_are_named(tmp_path: Path) -> None:
    """The sentence says what to look at, and has no address and no secret."""
    token = tmp_path / "token"
    token.write_text(SECRET)
    async with serving(answer()) as receiver:
        gone = server(receiver.url, bearer_token_file=token)
    unreachable = await post(gone, BODY)
    token.unlink()
    missing = await post(gone, BODY)

    assert unreachable.outcome is missing.outcome is Outcome.UNREACHABLE
    assert missing.problem == f"cannot read {token}: No such file or directory"
    assert unreachable.problem.startswith("no connection: ")
    assert SECRET not in unreachable.problem


def test_an_alert_has_only_the_links_that_are_set() -> None:
    """Without settings there is neither a page nor a runbook; severities of the settings win."""
    alert = Alert(
        name=AlertName.NEEDS_YOU,
        severity=AlertSeverity.WARNING,
        namespace="support",
        rollout="agent",
        agent="support-agent",
        release="",
        starts_at=START,
        summary="support/agent needs a person: InvalidGate",
        description='a "quoted" sentence, ünicode',
    )
    severities = {AlertName.NEEDS_YOU: AlertSeverity.CRITICAL}

    assert json.loads(written([alert], Links(), severities, START + timedelta(minutes=3))) == [
        {
            "labels": {
                "alertname": "AgentRolloutNeedsYou",
                "severity": "critical",
                "namespace": "support",
                "rollout": "agent",
                "agent": "support-agent",
                "release": "",
            },
            "annotations": {
                "summary": "support/agent needs a person: InvalidGate",
                "description": 'a "quoted" sentence, ünicode',
                "command": "kubectl agentrollout status agent --namespace=support",
            },
            "startsAt": "2026-11-21T10:00:00Z",
            "endsAt": "2026-11-21T10:03:00Z",
        }
    ]
