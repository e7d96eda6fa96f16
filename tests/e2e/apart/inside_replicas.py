"""Two replicas under one Lease. Run by `test_replicas.py` inside a sandbox of its own.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/apart/inside_replicas.py`.
"""

from collections.abc import Iterator
from functools import partial

import pytest

from sandbox.operator import OperatorProcess
from sandbox.programs import web
from sandbox.stack import Stack
from tests.e2e.apart.replicas import Replicas, both, leader_and_other, leads
from tests.e2e.scene import HALF, Scene, now
from tests.e2e.witness import eventually

LEASE_LOST = "Lost the Lease; this process ends"


@pytest.fixture(scope="session")
def replicas(stack: Stack) -> Iterator[Replicas]:
    """Both replicas, ready; neither may have made a mistake in the end."""
    with both(stack) as replicas:
        yield replicas
    for replica in replicas:
        assert "is forbidden: User" not in replica.log_text()


@pytest.fixture(scope="session")
def operator(replicas: Replicas) -> OperatorProcess:
    """The first of them."""
    return replicas[0]


def test_one_leads_and_the_other_is_warm(given: Scene, replicas: Replicas) -> None:
    """Both are ready, one holds the Lease, and a rollout is served."""
    leader, other = leader_and_other(*replicas)
    given.serving("calm")
    assert (leads(leader), leads(other)) == (True, False)
    for probe in ("readyz", "healthz"):
        eventually(f"{probe} of the other one", partial(web.answers, f"{other.url}/{probe}"))


def transitions(stack: Stack) -> int:
    """How often the Lease got another holder, or none."""
    lease = stack.kubectl.get(f"lease/{OperatorProcess.name}", f"--namespace={OperatorProcess.name}")
    return int(lease["spec"]["leaseTransitions"])


def test_a_planned_handover_is_short(stack: Stack, replicas: Replicas) -> None:
    """The leader that ends as asked releases the Lease, another one takes it; the first comes back warm.

    So the other one did not wait until the Lease was over; `tests/shell/test_lease.py` has the seconds.
    """
    leader, other = leader_and_other(*replicas)
    before = transitions(stack)
    assert leader.stop() == 0
    eventually("the other one leads", partial(leads, other))
    assert transitions(stack) == before + 2  # released, and taken
    leader.start()
    assert (leads(leader), leads(other)) == (False, True)


def test_a_killed_leader_is_replaced(given: Scene, replicas: Replicas) -> None:
    """A breach after the leader's death is rolled back by the other one."""
    leader, other = leader_and_other(*replicas)
    (shop,) = given.serving("orphan")
    shop.ships("2.0.0", phases=HALF)
    shop.is_counting(phase="half")

    leader.kill()
    given.agents.fail(given.namespace, "orphan-2.0.0", 0.9)
    shop.is_back()
    leader.start()
    assert (leads(leader), leads(other)) == (False, True)


def test_a_leader_that_was_stopped_never_writes_again(given: Scene, replicas: Replicas) -> None:
    """It continues only to end: the other one has the Lease, and the weights that it wrote stay.

    As the kubelet would, the sandbox starts it again.
    """
    leader, other = leader_and_other(*replicas)
    (shop,) = given.serving("frozen")
    shop.ships("2.0.0", phases=HALF)
    shop.is_counting(phase="half")

    stopped, lost = leader.process.pid, leader.log_text().count(LEASE_LOST)
    leader.process.pause()
    eventually("the other one leads", partial(leads, other))
    taken = now()
    leader.process.resume()
    eventually("another process runs", lambda: leader.process.pid not in {stopped, None})

    assert leader.log_text().count(LEASE_LOST) == lost + 1
    shop.keeps_its_weights(since=taken)
    leader.start()
