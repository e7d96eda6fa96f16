"""Two replicas of the operator: that they run, and which one holds the Lease."""

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.operator import OperatorProcess
from sandbox.programs import web
from sandbox.stack import Stack
from tests.e2e.witness import eventually

Replicas = tuple[OperatorProcess, OperatorProcess]


@contextmanager
def both(stack: Stack, **settings: object) -> Iterator[Replicas]:
    """Two replicas with these settings, ready; neither may have made a mistake in the end."""
    values = {"settings": settings}
    replicas = OperatorProcess(stack, values=values), OperatorProcess(stack, values=values, replica=1)
    for replica in replicas:
        replica.start()
    yield replicas
    for replica in replicas:
        replica.stop()
        assert "Traceback" not in replica.log_text()


def leads(replica: OperatorProcess) -> bool:
    """Whether a replica says that it holds the Lease."""
    return replica.process.running and "\nagentrollouts_leader 1.0" in web.get(replica.metrics_url)


def leader_and_other(*replicas: OperatorProcess) -> tuple[OperatorProcess, OperatorProcess]:
    """The one that holds the Lease, and the one that does not."""
    eventually("one replica leads", lambda: any(map(leads, replicas)))
    first, second = replicas
    return (first, second) if leads(first) else (second, first)
