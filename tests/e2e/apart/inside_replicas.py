"""Two replicas under one Lease. Run by `test_replicas.py` inside a sandbox of its own.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/apart/inside_replicas.py`.
"""

from collections.abc import Iterator
from functools import partial

import pytest

from sandbox.operator import OperatorProcess
from sandbox.programs import web
from sandbox.stack import Stack
from tests.e2e.apart.replicas import leader_and_other, leads
from tests.e2e.manifests import phase
from tests.e2e.scene import Scene, now
from tests.e2e.witness import eventually

LONG = 300
LEASE_SECONDS = 12
"""How long a Lease stays valid if its holder does not release it."""
LEASE_LOST = 3


@pytest.fixture(scope="session")
def replicas(stack: Stack) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """Both replicas, ready; neither may have made a mistake in the end."""
    first, second = OperatorProcess(stack), OperatorProcess(stack, replica=1)
    for replica in (first, second):
        replica.start()
    yield first, second
    for replica in (first, second):
        replica.stop()
        assert "Traceback" not in replica.log_text()
        assert "is forbidden: User" not in replica.log_text()


@pytest.fixture(scope="session")
def operator(replicas: tuple[OperatorProcess, OperatorProcess]) -> OperatorProcess:
    """The first of them."""
    return replicas[0]


def test_one_leads_and_the_other_is_warm(
    given: Scene, replicas: tuple[OperatorProcess, OperatorProcess]
) -> None:
    """Both are ready, one holds the Lease, and a rollout is served."""
    leader, other = leader_and_other(*replicas)
    given.serving("calm")
    assert (leads(leader), leads(other)) == (True, False)
    assert web.answers(f"{other.url}/readyz")
    assert web.answers(f"{other.url}/healthz")


def test_a_planned_handover_is_short(replicas: tuple[OperatorProcess, OperatorProcess]) -> None:
    """When the leader ends as asked, the other one leads soon after, and the one that comes back is warm."""
    leader, other = leader_and_other(*replicas)
    assert leader.stop() == 0
    ended = now()
    eventually("the other one leads", partial(leads, other))
    assert now() - ended < LEASE_SECONDS, "the leader released the Lease"
    leader.start()
    assert (leads(leader), leads(other)) == (False, True)


def test_a_killed_leader_is_replaced(given: Scene, replicas: tuple[OperatorProcess, OperatorProcess]) -> None:
    """A breach after the leader's death is rolled back by the other one."""
    leader, other = leader_and_other(*replicas)
    (shop,) = given.serving("orphan")
    shop.ships("2.0.0", phases=[phase("half", 50, LONG)])
    shop.is_counting(phase="half")

    leader.kill()
    given.agents.fail(given.namespace, "orphan-2.0.0", 0.9)
    shop.is_back()
    leader.start()
    assert (leads(leader), leads(other)) == (False, True)


def test_a_leader_that_was_stopped_never_writes_again(
    given: Scene, replicas: tuple[OperatorProcess, OperatorProcess]
) -> None:
    """It continues only to end: the other one has the Lease, and the weights that it wrote stay."""
    leader, other = leader_and_other(*replicas)
    (shop,) = given.serving("frozen")
    shop.ships("2.0.0", phases=[phase("half", 50, LONG)])
    shop.is_counting(phase="half")

    leader.process.pause()
    eventually("the other one leads", partial(leads, other))
    taken = now()
    leader.process.resume()
    eventually("the stopped one has ended", lambda: not leader.process.running)

    assert leader.process.stop() == LEASE_LOST
    shop.keeps_its_weights(since=taken)
    leader.start()
