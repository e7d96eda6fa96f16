"""Input: what the settings grant, and the route of a rollout. Output: why it may not be made."""

import pytest

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.rollout.grants import Grant, grant_refusal
from testkit.builders.names import NAMESPACE
from testkit.builders.rollouts import a_rollout

GRANTS = (
    Grant((NAMESPACE, "billing-*"), ("infra/public",), ("*.support.example.com", "help.example.com")),
    Grant((NAMESPACE,), ("infra/inner-*",), ()),
    Grant(("other",), ("*/*",), ()),
)


def routed(*hostnames: str, gateway: str = "public", where: str | None = "infra") -> AgentRollout:
    """A rollout with a route."""
    parent = {"name": gateway, **({"namespace": where} if where else {})}
    return a_rollout(traffic={"httpRoute": {"parentRefs": [parent], "hostnames": list(hostnames)}}).build()


def reason(rollout: AgentRollout, *grants: Grant) -> str | None:
    """Why it is refused, in one word."""
    problem = grant_refusal(rollout, grants or GRANTS)
    return problem.reason if problem else None


@pytest.mark.parametrize(
    ("hostname", "is_permitted"),
    [
        ("a.support.example.com", True),
        ("a.b.support.example.com", True),
        ("*.support.example.com", True),
        ("*.a.support.example.com", True),
        ("help.example.com", True),
        ("support.example.com", False),
        ("evilsupport.example.com", False),
        ("a.support.example.com.evil.com", False),
        ("*.example.com", False),
        ("*.com", False),
        ("*.help.example.com", False),
        ("a.help.example.com", False),
        ("example.com", False),
        ("login.bank.example.com", False),
        ("com", False),
    ],
)
def test_a_hostname_is_permitted_by_whole_labels(hostname: str, is_permitted: bool) -> None:  # noqa: FBT001
    """A pattern permits the names below it and no wildcard that is wider."""
    assert reason(routed(hostname)) == (None if is_permitted else "HostNotPermitted")


def test_case_and_a_trailing_dot_do_not_matter() -> None:
    """DNS does not distinguish them."""
    grant = Grant((), ("infra/public",), ("*.Support.Example.COM.",))

    assert reason(routed("a.support.example.com"), grant) is None
    assert reason(routed("support.example.com"), grant) == "HostNotPermitted"


def test_each_hostname_has_to_be_permitted() -> None:
    """The message names the field, the hostname and what is permitted."""
    problem = grant_refusal(routed("a.support.example.com", "login.bank.example.com"), GRANTS)

    assert problem is not None
    assert problem.message == (
        "spec.traffic.httpRoute.hostnames[1]: the operator's settings do not permit login.bank.example.com "
        "to namespace support at Gateway public in namespace infra (gateways.hosts); name hostnames of "
        "*.support.example.com, help.example.com"
    )


def test_no_hostname_is_every_hostname() -> None:
    """Refused where hostnames are granted, permitted where all are."""
    assert reason(routed()) == "HostNotPermitted"
    assert reason(routed(gateway="inner-1")) is None


@pytest.mark.parametrize(
    ("gateway", "where"), [("private", "infra"), ("public", "billing"), ("public", None), ("inner", "infra")]
)
def test_another_gateway_is_refused(gateway: str, where: str | None) -> None:
    """By its namespace too, which is the rollout's own where it names none."""
    problem = grant_refusal(routed("a.support.example.com", gateway=gateway, where=where), GRANTS)

    assert problem is not None
    assert problem.reason == "GatewayNotPermitted"
    assert problem.message == (
        "spec.traffic.httpRoute.parentRefs[0]: the operator's settings do not permit namespace support to "
        f"attach routes to Gateway {gateway} in namespace {where or NAMESPACE} (gateways); name one of "
        "infra/public, infra/inner-*, or ask the administrator"
    )


def test_all_parents_have_to_permit_all_hostnames() -> None:
    """A second parent with fewer hostnames is not a way around."""
    both = [{"name": "inner-1", "namespace": "infra"}, {"name": "public", "namespace": "infra"}]
    traffic = {"httpRoute": {"parentRefs": both, "hostnames": ["login.bank.example.com"]}}

    assert reason(a_rollout(traffic=traffic).build()) == "HostNotPermitted"


def test_a_namespace_that_is_granted_nothing_attaches_nothing() -> None:
    """Patterns match whole names, and a rollout without a route of its own is not concerned."""
    grant = Grant(("support-*", "sup"), ("*/*",), ())

    assert reason(routed("a.support.example.com"), grant) == "GatewayNotPermitted"
    assert reason(a_rollout(traffic={}).build(), grant) is None
    assert reason(a_rollout(traffic={"routePatch": {"name": "shop", "rule": "agent"}}).build(), grant) is None
