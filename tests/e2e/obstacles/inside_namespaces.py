"""An operator with a role in each of two namespaces. Run by `test_namespaces.py` inside a sandbox of its own.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/obstacles/inside_namespaces.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial

import pytest

from agentrollouts.adapters.cluster.resources import Ref
from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from tests.e2e.apart.replicas import leads
from tests.e2e.api import Manifest
from tests.e2e.scene import Scene, Shop
from tests.e2e.witness import eventually

KEPT, CLOSED = "scene-1", "scene-2"
"""The first two namespaces that tests make."""
BACKOFFS_SECONDS = 20
"""More than kopf tries a request again before it gives up."""


@pytest.fixture(scope="session")
def operator(stack: Stack) -> Iterator[OperatorProcess]:
    """The operator with the rights of the chart in two namespaces, and nowhere else."""
    for name in (KEPT, CLOSED):
        stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    process = OperatorProcess(stack, values={"namespaces": [KEPT, CLOSED]})
    process.start()
    yield process
    process.stop()
    assert "Traceback" not in process.log_text()


def is_leading(operator: OperatorProcess) -> bool:
    """Whether it says so; not while it starts."""
    with suppress(OSError):
        return leads(operator)
    return False


def rolls_back(shop: Shop) -> None:
    """A person requests it, and it is done."""
    shop.act("RollBack", release=shop.asked)
    shop.is_back()
    shop.comes_to("RolledBack")


def role_without_freezes(scene: Scene) -> list[Manifest]:
    """The rules of the operator's role, without those about freezes."""
    rules: list[Manifest] = scene.api.get(Ref("Role", KEPT, OperatorProcess.name))["rules"]
    fewer = [
        {**rule, "resources": [each for each in rule["resources"] if not each.startswith("agentfreezes")]}
        for rule in rules
    ]
    assert fewer != rules
    return [rule for rule in fewer if rule["resources"]]


def test_a_namespace_that_closes_stops_no_other(
    open_scene: Callable[[], AbstractContextManager[Scene]], operator: OperatorProcess
) -> None:
    """Its RoleBinding is deleted in mid-canary, and comes back; also across a restart of the operator.

    The role of the other namespace lacks a kind then, as that of an older version does.
    """
    with open_scene() as kept, open_scene() as closed:
        first, second = kept.in_canary("first", "second")
        [theirs] = closed.in_canary("theirs")
        binding = closed.api.get(Ref("RoleBinding", CLOSED, OperatorProcess.name))
        closed.api.delete(Ref.of(binding))
        apiserver = kept.stack.processes["apiserver"]
        apiserver.stop()  # a watch outlives the right to it
        apiserver.start()

        eventually("the operator leads", partial(is_leading, operator))  # the outage may cost it the Lease
        pid = operator.process.pid
        kept.witness.holds("the operator runs", lambda: operator.process.pid == pid, BACKOFFS_SECONDS)
        rolls_back(first)
        operator.kill()
        kept.api.patch(Ref("Role", KEPT, OperatorProcess.name), {"rules": role_without_freezes(kept)})
        operator.start()
        pid = operator.process.pid
        kept.witness.holds("the operator runs", lambda: operator.process.pid == pid, BACKOFFS_SECONDS)
        rolls_back(second)
        assert theirs.weights() == (50, 50)

        metadata = {key: binding["metadata"][key] for key in ("name", "namespace", "labels")}
        closed.api.create({**binding, "metadata": metadata})
        rolls_back(theirs)
