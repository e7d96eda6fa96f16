"""Inputs: settings of an administrator, what tenants apply. Outputs: what is shipped, attached and said."""

from collections.abc import Mapping
from typing import Any

import pytest

from agentrollouts.adapters.cluster.errors import UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.permits.rollouts import Permitted
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_ROUTE
from tests.shell.test_reconcile import IN_CANARY, ROLLOUT, ROUTE, Shell, a_shell
from tests.shell.virtual import pass_time, run

PUBLIC_ONLY = Settings.model_validate({"gatewayClasses": ["public"]})
SERVED, BEYOND = ("True", "Healthy"), ("False", "LimitExceeded")
BAKED = {"bake": {"durationSeconds": 0}}
ELSEWHERE = {"httpRoute": {"parentRefs": [{"name": "inner", "namespace": "gateways"}]}}


def limits(**numbers: int) -> Settings:
    """Settings with these limits."""
    return Settings.model_validate({"limits": numbers})


def a_gateway(name: str, kind: str, namespace: str = NAMESPACE) -> Manifest:
    """A Gateway of a class."""
    return {
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": kind},
    }


def condition(shell: Shell, kind: str, ref: Ref = ROLLOUT) -> tuple[str, str, str]:
    """Status, reason and message of a condition."""
    [entry] = [each for each in shell.status(ref)["conditions"] if each["type"] == kind]
    return entry["status"], entry["reason"], entry["message"]


def attached(shell: Shell) -> list[str] | None:
    """The Gateways of the route; None if there is no route."""
    route = shell.api.objects.get(ROUTE)
    return [parent["name"] for parent in route["spec"]["parentRefs"]] if route else None


def test_a_pass_unpacks_no_object_twice_if_gateways_are_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is permitted then depends on no object, so it costs an attempt in progress nothing."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            unpacked: list[Ref] = []
            get = shell.cache.get

            def counted(ref: Ref) -> Manifest | None:
                unpacked.append(ref)
                return get(ref)

            monkeypatch.setattr(shell.cache, "get", counted)
            shell.queue.mark(ROLLOUT)
            await pass_time(1)
            assert ROUTE in unpacked
            assert len(unpacked) == len(set(unpacked))

    run(scenario())


def make_rollout(shell: Shell, name: str, time: str) -> Ref:
    """A rollout with an agent and a release of its own, made at this time of a day."""
    release = f"{AGENT}-1.0.{int(time[-2:])}"
    manifest = a_ready_release(release, agent=name).to_json()
    shell.api.put({"kind": "AgentRelease", **manifest, "status": {}})
    spec = {"agent": name, "releaseRef": {"name": release}, "traffic": {}}
    metadata = {"name": name, "namespace": NAMESPACE, "creationTimestamp": f"2026-11-20T{time}:00Z"}
    shell.api.put({**a_rollout(**BAKED, **spec).build().to_json(), "metadata": metadata})
    return Ref("AgentRollout", NAMESPACE, name)


def test_the_youngest_rollouts_beyond_the_limit_ship_nothing() -> None:
    """Two are served, whichever the watch reports first; the third one is, once an older one is gone."""

    async def scenario() -> None:
        async with a_shell(settings=limits(rolloutsPerNamespace=2)) as shell:
            keys = {
                name: make_rollout(shell, name, time)
                for name, time in (("young", "10:02"), ("older", "10:01"), ("oldest", "10:00"))
            }
            await pass_time(60)
            assert {name: shell.ready(key) for name, key in keys.items()} == {
                "oldest": ("True", "Healthy"),
                "older": ("True", "Healthy"),
                "young": ("False", "LimitExceeded"),
            }
            assert condition(shell, "Stalled", keys["young"])[0] == "True"
            assert condition(shell, "Ready", keys["young"])[2] == (
                "namespace support has more than 2 AgentRollouts, and 2 older ones are served "
                "(limits.rolloutsPerNamespace in the operator's settings); delete one of them, or ask the "
                "administrator for more"
            )

            shell.api.delete(keys["older"])
            await pass_time(60)
            assert shell.ready(keys["young"]) == ("True", "Healthy")

    run(scenario())


def test_rollouts_beyond_the_limit_cost_nothing_while_they_wait() -> None:
    """No pass examines them until a place is free; then a pass examines only the oldest of them."""

    async def scenario() -> None:
        async with a_shell(settings=limits(rolloutsPerNamespace=2)) as shell:
            keys = [make_rollout(shell, f"agent-{number}", f"10:0{number}") for number in range(6)]
            await pass_time(60)
            looks: list[str] = []
            examine = shell.permits.examine

            def counted(rollout: AgentRollout) -> Permitted:
                looks.append(rollout.metadata.name)
                return examine(rollout)

            shell.permits.examine = counted  # type: ignore[method-assign] # the one that counts
            await pass_time(3600)
            assert looks == []

            shell.api.delete(keys[1])
            await pass_time(60)
            assert set(looks) == {"agent-2"}
            assert [shell.ready(key) for key in (keys[0], *keys[2:])] == [SERVED, SERVED, *3 * [BEYOND]]

    run(scenario())


def test_a_rollout_that_is_made_again_loses_its_place() -> None:
    """Also if no pass ran between its deletion and its re-creation."""

    async def scenario() -> None:
        async with a_shell(settings=limits(rolloutsPerNamespace=1)) as shell:
            first, second = make_rollout(shell, "a", "10:00"), make_rollout(shell, "b", "10:01")
            await pass_time(60)
            assert (shell.ready(first), shell.ready(second)) == (SERVED, BEYOND)

            shell.api.delete(first)
            make_rollout(shell, "a", "10:02")
            await pass_time(60)

            assert (shell.ready(first), shell.ready(second)) == (BEYOND, SERVED)

    run(scenario())


def test_too_many_gates_are_refused_by_number() -> None:
    """With the field, what is permitted and what to do; fewer gates ship at once."""

    async def scenario() -> None:
        async with a_shell(settings=limits(gatesPerRollout=1)) as shell:
            shell.release(NEW)
            gates = [{"name": "a", "template": "error-rate"}, {"name": "b", "template": "latency"}]
            shell.make(a_rollout(**BAKED, gates=gates))
            await pass_time(30)
            status, reason, message = condition(shell, "Ready")
            assert (status, reason) == ("False", "LimitExceeded")
            assert message == (
                "spec.gates: has 2 gates, and the operator's settings permit 1 for a rollout "
                "(limits.gatesPerRollout); remove some, or ask the administrator for more"
            )
            assert attached(shell) is None

            shell.api.edit(ROLLOUT, gates=gates[:1])
            await pass_time(30)
            assert shell.ready() == ("True", "Healthy")

    run(scenario())


def test_a_limit_that_is_lowered_takes_nothing_away() -> None:
    """What serves goes on and is reported; a canary stops, and can still be rolled back."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.release(OLD)
            shell.release(NEW)
            shell.make(
                a_rollout(gates=[{"name": n, "template": "error-rate"} for n in "ab"])
                .serving(OLD)
                .trying(NEW)
            )
            await pass_time(5)
            before = shell.weights()
            shell.permits.replace(limits(gatesPerRollout=1))
            assert shell.api.intake is not None
            shell.api.intake.look_at_all()
            await pass_time(5)
            assert (shell.ready(), shell.weights()) == (("False", "Held"), before)
            assert shell.status()["attempt"]["hold"]["reason"] == "LimitExceeded"

            shell.ask_for(OLD)
            await pass_time(5)
            assert shell.weights() == [100, 0]
            await pass_time(3600)
            assert shell.status()["attempt"]["state"] == "RolledBack"
            assert condition(shell, "Ready")[1] == "LimitExceeded"

    run(scenario())


@pytest.mark.parametrize("kind", ["inner", "public"])
def test_the_class_of_the_gateway_decides_whether_anything_is_shipped(kind: str) -> None:
    """A route is attached to a Gateway of a permitted class and to no other."""

    async def scenario() -> None:
        async with a_shell(settings=PUBLIC_ONLY) as shell:
            shell.api.put(a_gateway("public", kind))
            shell.release(NEW)
            shell.make(a_rollout(**BAKED, traffic=BY_ROUTE))
            await pass_time(30)
            if kind == "public":
                assert (shell.ready(), attached(shell)) == (("True", "Healthy"), ["public"])
                return
            assert attached(shell) is None
            status, reason, message = condition(shell, "Ready")
            assert (status, reason) == ("False", "GatewayNotPermitted")
            assert message == (
                "spec.traffic.httpRoute.parentRefs[0]: Gateway public in namespace support is of class "
                "inner, which the operator's settings do not permit (gatewayClasses); name a Gateway of "
                "class public"
            )

    run(scenario())


def test_without_the_setting_no_gateway_is_read() -> None:
    """The operator needs no permission for Gateways then."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.release(NEW)
            shell.make(a_rollout(**BAKED, traffic=BY_ROUTE))
            await pass_time(30)
            assert shell.ready() == ("True", "Healthy")
            assert not [read for read in shell.api.reads if isinstance(read, Ref) and read.kind == "Gateway"]

    run(scenario())


def test_a_gateway_that_is_not_there_is_awaited() -> None:
    """Nothing is attached to a name whose class nobody knows; once the Gateway is there, it ships."""

    async def scenario() -> None:
        async with a_shell(settings=PUBLIC_ONLY) as shell:
            shell.release(NEW)
            shell.make(a_rollout(**BAKED, traffic=BY_ROUTE))
            await pass_time(30)
            assert attached(shell) is None
            assert condition(shell, "Ready")[1] == "GatewayUnreadable"
            assert "public in namespace support does not exist" in condition(shell, "Ready")[2]

            shell.api.put(a_gateway("public", "public"))
            await pass_time(30)
            assert (shell.ready(), attached(shell)) == (("True", "Healthy"), ["public"])

    run(scenario())


@pytest.mark.parametrize("elsewhere", [ELSEWHERE, {"grpcRoute": ELSEWHERE["httpRoute"]}])
def test_an_edit_cannot_move_the_route_to_another_class(elsewhere: Mapping[str, Any]) -> None:
    """Of a rollout that serves: the route stays where it is, requests go on, and the condition says why."""

    async def scenario() -> None:
        async with a_shell(settings=PUBLIC_ONLY) as shell:
            shell.api.put(a_gateway("public", "public"))
            shell.api.put(a_gateway("inner", "private", "gateways"))
            shell.release(OLD)
            shell.make(a_rollout(traffic=BY_ROUTE).asking_for(OLD).serving(OLD))
            await pass_time(30)
            assert shell.ready() == ("True", "Healthy")

            shell.api.edit(ROLLOUT, traffic=elsewhere)
            await pass_time(120)
            assert (shell.ready(), attached(shell)) == (("False", "GatewayNotPermitted"), ["public"])
            assert not [key for key in shell.api.objects if key.kind == "GRPCRoute"]

            shell.api.edit(ROLLOUT, traffic=BY_ROUTE)
            await pass_time(30)
            assert shell.ready() == ("True", "Healthy")

    run(scenario())


def test_a_deleted_route_is_not_made_again_at_a_gateway_that_is_not_permitted() -> None:
    """And neither condition says that all is well."""

    async def scenario() -> None:
        async with a_shell(settings=PUBLIC_ONLY) as shell:
            shell.release(OLD)
            shell.make(a_rollout(traffic=BY_ROUTE).asking_for(OLD).serving(OLD))
            await pass_time(30)
            shell.api.delete(ROUTE)
            await pass_time(30)
            assert attached(shell) is None
            assert [condition(shell, kind)[:2] for kind in ("Ready", "TrafficApplied")] == [
                ("False", "GatewayUnreadable")
            ] * 2

    run(scenario())


def gateways_away(shell: Shell) -> None:
    """Gateways cannot be read, and the question hangs for as long as it may."""
    get = shell.api.get

    async def refuse(ref: Ref) -> Manifest | None:
        if ref.kind == "Gateway":
            await pass_time(10)
            raise UnavailableError("the API server did not respond within 10 s")
        return await get(ref)

    shell.api.get = refuse  # type: ignore[method-assign] # as if it were down


def test_a_rollback_does_not_wait_for_a_gateway() -> None:
    """After a restart, with an API server that answers nothing about Gateways, 100/0 is written at once."""

    async def scenario() -> None:
        async with a_shell(settings=PUBLIC_ONLY) as shell:
            gateways_away(shell)
            shell.release(OLD)
            shell.release(NEW)
            shell.make(a_rollout(traffic=BY_ROUTE).serving(OLD).trying(NEW))
            await pass_time(1)
            assert shell.status()["attempt"]["state"] == "Canary"  # nothing is held for what was just started
            await pass_time(14)
            assert shell.status()["attempt"]["hold"]["reason"] == "GatewayUnreadable"

            shell.ask_for(OLD)
            await pass_time(0.1)
            assert shell.weights() == [100, 0]

    run(scenario())


def test_an_api_server_that_is_away_changes_no_class() -> None:
    """The class that was read before still counts."""

    async def scenario() -> None:
        async with a_shell(settings=PUBLIC_ONLY) as shell:
            shell.api.put(a_gateway("public", "public"))
            shell.release(OLD)
            shell.make(a_rollout(traffic=BY_ROUTE).asking_for(OLD).serving(OLD))
            await pass_time(10)
            gateways_away(shell)
            await pass_time(120)
            for number in range(3):
                shell.api.edit(ROLLOUT, historyLimit=number + 1)
                await pass_time(60)
                assert shell.ready() == ("True", "Healthy")

    run(scenario())


def test_nobody_reads_for_a_rollout_that_is_gone() -> None:
    """A tenant who makes and deletes rollouts leaves no questions behind."""

    async def scenario() -> None:
        async with a_shell(settings=PUBLIC_ONLY) as shell:
            shell.release(NEW)
            shell.make(a_rollout(traffic=BY_ROUTE))
            await pass_time(60)
            shell.api.delete(ROLLOUT)
            await pass_time(60)
            before = reads(shell)
            await pass_time(3600)
            assert before > 3
            assert reads(shell) == before

    run(scenario())


GRANTED = Settings.model_validate(
    {
        "gateways": [
            {"namespaces": [NAMESPACE], "gateways": [f"{NAMESPACE}/public"], "hosts": ["*.example.com"]}
        ]
    }
)
HOSTED = {"httpRoute": {**BY_ROUTE["httpRoute"], "hostnames": ["shop.example.com"]}}
STOLEN = {"httpRoute": {**BY_ROUTE["httpRoute"], "hostnames": ["login.example.net"]}}


def hostnames(shell: Shell) -> list[str] | None:
    """The hostnames of the route; None if there is no route."""
    route = shell.api.objects.get(ROUTE)
    return route["spec"].get("hostnames") if route else None


@pytest.mark.parametrize(
    ("traffic", "reason"),
    [(HOSTED, "Healthy"), (STOLEN, "HostNotPermitted"), (ELSEWHERE, "GatewayNotPermitted")],
)
def test_the_grants_of_a_namespace_decide_whether_anything_is_shipped(
    traffic: dict[str, object], reason: str
) -> None:
    """No route is made for a hostname or at a Gateway that is not granted; a person has to act."""

    async def scenario() -> None:
        async with a_shell(settings=GRANTED) as shell:
            shell.release(NEW)
            shell.make(a_rollout(**BAKED, traffic=traffic))
            await pass_time(30)
            assert shell.ready() == (str(reason == "Healthy"), reason)
            if reason == "Healthy":
                assert hostnames(shell) == ["shop.example.com"]
            else:
                assert (hostnames(shell), condition(shell, "Stalled")[:2]) == (None, ("True", reason))

    run(scenario())


def test_an_edit_cannot_move_the_route_to_another_hostname() -> None:
    """The route keeps its hostnames and its weights; the permitted ones again, and all is well."""

    async def scenario() -> None:
        async with a_shell(settings=GRANTED) as shell:
            shell.release(OLD)
            shell.make(a_rollout(traffic=HOSTED).asking_for(OLD).serving(OLD))
            await pass_time(30)
            assert (shell.ready(), hostnames(shell)) == (("True", "Healthy"), ["shop.example.com"])

            for traffic in (STOLEN, ELSEWHERE):
                shell.api.edit(ROLLOUT, traffic=traffic)
                await pass_time(120)
                assert condition(shell, "Ready")[0] == "False"
                assert (attached(shell), hostnames(shell)) == (["public"], ["shop.example.com"])

            shell.api.edit(ROLLOUT, traffic=HOSTED)
            await pass_time(30)
            assert shell.ready() == ("True", "Healthy")

    run(scenario())


def test_a_grant_that_is_taken_away_stops_no_rollback() -> None:
    """A canary at a hostname that is no longer granted stops, stays on its route, and is rolled back."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.release(OLD)
            shell.release(NEW)
            shell.make(a_rollout(traffic=STOLEN).serving(OLD).trying(NEW))
            await pass_time(5)
            before = shell.weights()
            shell.permits.replace(GRANTED)
            assert shell.api.intake is not None
            shell.api.intake.look_at_all()
            await pass_time(5)
            assert (shell.weights(), hostnames(shell)) == (before, ["login.example.net"])
            assert shell.status()["attempt"]["hold"]["reason"] == "HostNotPermitted"

            shell.ask_for(OLD)
            await pass_time(1)
            assert (shell.weights(), hostnames(shell)) == ([100, 0], ["login.example.net"])

    run(scenario())


def reads(shell: Shell) -> int:
    """How often a Gateway was read."""
    return sum(isinstance(read, Ref) and read.kind == "Gateway" for read in shell.api.reads)
