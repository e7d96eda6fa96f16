"""Inputs: requests of rollouts, settings, what endpoints do. Outputs: what is sent, known, and marked."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.recovery.hooks.response import Call, CallKey, Response
from agentrollouts.settings.hooks import Endpoint, HookSettings
from agentrollouts.shell.effects.calls import AT_A_TIME, OF_NAMESPACE, Calls
from testkit.builders.names import AGENT, NAMESPACE
from tests.shell.virtual import pass_time, run

KEY = Ref("AgentRollout", NAMESPACE, AGENT)
PATH = Path(__file__)
CRM = Endpoint(name="crm", url="http://crm/", secret_file=PATH, namespaces=(NAMESPACE, "billing"))
ERP = Endpoint(name="erp", url="http://erp/", secret_file=PATH)


def a_call(number: int = 1, endpoint: str = "crm") -> Call:
    """One try of a hook."""
    return Call(CallKey("support/support-agent/4f2a9/13/refund", number), endpoint, "{}", 30)


@dataclass
class Endpoints:
    """Each request takes a second; or it hangs, where that is said."""

    hanging: frozenset[str] = frozenset()
    error: Exception | None = None
    sent: list[tuple[str, CallKey]] = field(default_factory=list)
    now: int = 0
    most: int = 0
    is_closed: bool = False

    async def send(self, endpoint: Endpoint, call: Call) -> Response:
        """Respond 204."""
        self.sent.append((endpoint.name, call.key))
        self.now += 1
        self.most = max(self.most, self.now)
        if self.error is not None:
            raise self.error
        if endpoint.name in self.hanging:
            await asyncio.Event().wait()
        await asyncio.sleep(1)
        self.now -= 1
        return Response(204)

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


@dataclass
class Desk:
    """The requests of all rollouts, and for whom something is new."""

    channel: Endpoints = field(default_factory=Endpoints)
    marked: list[Ref] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.calls = Calls(HookSettings(endpoints=(CRM, ERP)), self.marked.append, self.channel)


def test_a_response_is_known_once_and_marks_its_rollout() -> None:
    """Until then the request is begun and has none; the next try replaces it."""

    async def work() -> None:
        desk, first, second = Desk(), a_call(1), a_call(2)
        desk.calls.make(KEY, first)
        await pass_time(0.5)
        assert (desk.calls.is_made(KEY, first), desk.calls.responses(KEY), desk.marked) == (True, {}, [])
        await pass_time(1.0)
        assert desk.calls.responses(KEY) == {first.key: Response(204)}
        assert desk.marked == [KEY]
        assert not desk.calls.is_made(KEY, second)
        desk.calls.make(KEY, second)
        assert desk.calls.responses(KEY) == {}
        await pass_time(2.0)
        assert desk.calls.responses(KEY) == {second.key: Response(204)}
        assert desk.channel.sent == [("crm", first.key), ("crm", second.key)]

    run(work())


def test_a_namespace_calls_only_what_the_settings_permit() -> None:
    """Also after a change of the settings while a request waits."""

    async def work() -> None:
        desk, other = Desk(), Ref("AgentRollout", "other", AGENT)
        assert desk.calls.endpoints(NAMESPACE) == {"crm", "erp"}
        assert desk.calls.endpoints("other") == {"erp"}
        desk.calls.make(other, a_call())
        await pass_time(0.1)
        desk.calls.replace(HookSettings(endpoints=(CRM,)))
        assert desk.calls.endpoints("other") == frozenset()
        desk.calls.make(KEY, a_call(1, "erp"))
        await pass_time(0.1)

        refused = Response(text="was removed from the operator's settings, or is not for this namespace")
        assert desk.calls.responses(other) == desk.calls.responses(KEY) == {a_call().key: refused}
        assert desk.channel.sent == []

    run(work())


def test_an_endpoint_that_hangs_keeps_only_its_own_callers_waiting() -> None:
    """Of one namespace, a few requests are in progress there; others, and other endpoints, have places."""

    async def work() -> None:
        desk = Desk(Endpoints(hanging=frozenset({"crm"})))
        many = [Ref("AgentRollout", NAMESPACE, f"agent-{index}") for index in range(100)]
        for key in many:
            desk.calls.make(key, a_call())
        await pass_time(10)
        assert len(desk.channel.sent) == OF_NAMESPACE
        desk.calls.make(Ref("AgentRollout", "billing", AGENT), a_call())
        desk.calls.make(KEY, a_call(1, "erp"))
        await pass_time(10)
        assert [name for name, _ in desk.channel.sent[OF_NAMESPACE:]] == ["crm", "erp"]
        assert desk.calls.responses(KEY) == {a_call().key: Response(204)}
        desk.calls.close()

    run(work())


def test_an_endpoint_has_few_requests_at_a_time() -> None:
    """However many rollouts and namespaces call it; all get their turn."""

    async def work() -> None:
        desk = Desk()
        keys = [Ref("AgentRollout", f"team-{index // 10}", f"agent-{index}") for index in range(200)]
        for key in keys:
            desk.calls.make(key, a_call(1, "erp"))
        await pass_time(60)
        assert (desk.channel.most, len(desk.channel.sent)) == (AT_A_TIME, 200)
        assert sorted(desk.marked) == sorted(keys)

    run(work())


def test_a_bug_is_a_response_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the exception, and the hook tries again."""

    async def work() -> None:
        desk = Desk(Endpoints(error=RuntimeError("s3cr3t")))
        desk.calls.make(KEY, a_call())
        await pass_time(0.1)
        response = desk.calls.responses(KEY)[a_call().key]
        assert response == Response(text="was not called: an error of the operator, which is in its log")
        assert desk.marked == [KEY]

    run(work())
    assert "Failed to call endpoint crm" in caplog.text


def test_the_request_of_a_rollout_that_is_gone_continues() -> None:
    """The endpoint gets it as a whole; only the end of the process ends it."""

    async def work() -> None:
        desk = Desk()
        desk.calls.make(KEY, a_call())
        await pass_time(0.5)
        desk.calls.forget(KEY)
        await pass_time(1.0)
        assert (desk.channel.now, desk.calls.responses(KEY)) == (0, {})
        desk.calls.make(KEY, a_call(2))
        await pass_time(0.5)
        desk.calls.close()
        await pass_time(1.0)
        assert (desk.channel.now, desk.channel.is_closed) == (1, True)

    run(work())
