"""What the operator's pods asked of the API server in the tests of this folder that come before by name."""

import re
from typing import Final

import pytest

from sandbox.node.cluster import Cluster
from sandbox.programs.controlplane import AUDIT_LOG
from tests.node.audit import Request, forbidden, requests, strangers, unused
from tests.node.pods import OperatorPods

MISTAKES: Final = re.compile(r"Traceback|is forbidden: User|'agentrollouts-own-")
RARE: Final = {
    "create agentrollouts.dev/agentrolloutactions",  # a probe, before something that lets a canary have more
    "delete agentrollouts.dev/agentrolloutrecords",  # more attempts than are kept
    "delete agentrollouts.dev/agentrolloutactions",  # one that was answered long ago
    "delete configmaps",  # a traffic ConfigMap that someone made immutable
    "delete gateway.networking.k8s.io/httproutes",  # a rollout that no longer wants its route
    "create gateway.networking.k8s.io/grpcroutes",  # a rollout of an agent that serves gRPC
    "delete gateway.networking.k8s.io/grpcroutes",  # the same
    "get gateway.networking.k8s.io/grpcroutes",  # the same
    "patch gateway.networking.k8s.io/grpcroutes",  # the same
    "create core.openfeature.dev/featureflags",  # a rollout of an agent that reads flags
    "delete core.openfeature.dev/featureflags",  # the same
    "get core.openfeature.dev/featureflags",  # the same
    "patch core.openfeature.dev/featureflags",  # the same
    "get agentrollouts.dev/agentfreezes",  # after a conflict
    "get agentrollouts.dev/agentreleases",  # the same
    "get agentrollouts.dev/agentrolloutactions",  # the same
    "get agentrollouts.dev/agentrollouts",  # the same
    "update agentrollouts.dev/agentfreezes/status",  # a freeze
    "watch core.openfeature.dev/featureflags",  # a cluster with the OpenFeature operator
}
"""What no test of this folder needs; those in tests/e2e play the moments that do."""


@pytest.fixture(scope="module")
def operator_requests(stack: Cluster, operator: OperatorPods) -> list[Request]:
    """All requests of the operator's account."""
    received = requests(stack.logs / AUDIT_LOG)
    assert {request.pod for request in received} >= operator.pods().keys()
    return received


def test_only_the_holder_of_the_lease_wrote(operator_requests: list[Request]) -> None:
    """At each moment at most one pod wrote: the one that had written the Lease last."""
    assert len({request.pod for request in operator_requests if request.is_write}) > 1
    assert strangers(operator_requests) == []


def test_it_asked_for_nothing_that_it_may_not(
    operator_requests: list[Request], operator: OperatorPods
) -> None:
    """The chart's roles and policies suffice, and no log has a mistake."""
    operator.read_logs()
    lines = [line for text in operator.logs.values() for line in text.splitlines()]
    assert [line for line in lines if MISTAKES.search(line)] == []
    assert forbidden(operator_requests) == []


def test_it_needs_what_it_may(operator_requests: list[Request], operator: OperatorPods) -> None:
    """No right of the chart is without use, except those for rare moments."""
    assert unused(operator_requests, operator.roles()) - RARE == set()
