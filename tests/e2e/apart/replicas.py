"""Two replicas of the operator: which one holds the Lease."""

from sandbox.operator import OperatorProcess
from sandbox.programs import web
from tests.e2e.witness import eventually


def leads(replica: OperatorProcess) -> bool:
    """Whether a replica says that it holds the Lease."""
    return replica.process.running and "\nagentrollouts_leader 1.0" in web.get(replica.metrics_url)


def leader_and_other(*replicas: OperatorProcess) -> tuple[OperatorProcess, OperatorProcess]:
    """The one that holds the Lease, and the one that does not."""
    eventually("one replica leads", lambda: any(map(leads, replicas)))
    first, second = replicas
    return (first, second) if leads(first) else (second, first)
