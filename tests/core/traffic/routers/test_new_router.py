"""Inputs: one more router and its row in the table. Outputs: whole rollouts that it carries.

Nothing else of the operator is replaced. The world gives requests as the router's object says.
"""

import inspect
import json

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.traffic.manifests import Objects, latch, metadata_of
from agentrollouts.core.traffic.routers import table
from agentrollouts.core.traffic.routers.owned import OwnedRouter
from agentrollouts.core.traffic.weights import Split
from testkit.builders.names import AGENT, NEW, OLD, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world

MESH = ("TrafficSplit", AGENT)
AT_REST = a_rollout(traffic={}).serving(OLD)


class MeshRouter(OwnedRouter):
    """The TrafficSplit of a service mesh."""

    kind = "TrafficSplit"
    managed = ("f:spec", "f:backends")

    @classmethod
    def render(cls, rollout: AgentRollout, split: Split, seen: Objects) -> Manifest:  # noqa: ARG003 as declared
        """A backend for each release."""
        return {
            "apiVersion": "split.smi-spec.io/v1alpha2",
            "kind": cls.kind,
            "metadata": metadata_of(rollout, split.status, cls.name(rollout)),
            "spec": {
                "service": rollout.spec.agent,
                "backends": [
                    {"service": record.service.name, "weight": weight}
                    for record, weight in split.sides
                    if record and record.service
                ],
            },
        }


def shares(world: World) -> dict[str, int]:
    """Percent of the requests by release: they go where the TrafficSplit sends them, and nowhere else."""
    backends = world.traffic[MESH]["spec"]["backends"] if MESH in world.traffic else ()
    return {world.services[backend["service"]]: backend["weight"] for backend in backends}


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row in the table, in a world with that mesh."""
    monkeypatch.setattr(table, "ROUTERS", (MeshRouter, *table.ROUTERS))
    monkeypatch.setattr(World, "shares", shares)


def a_mesh(failed: float = 0.02) -> World:
    """A rollout without any route, whose new release fails that share of its runs."""
    world = a_world(AT_REST, OLD, NEW)
    world.agents[NEW] = Behavior(failed=failed)
    return world


def test_a_router_has_at_most_25_lines() -> None:
    """A router with an object of its own only has to say what the object looks like."""
    assert len(inspect.getsource(MeshRouter).splitlines()) <= 25


def test_a_good_release_is_promoted_by_a_new_router() -> None:
    """Every phase is written to the object, and the release ends with all traffic and Healthy."""
    world = a_mesh()
    world.run_until(State.HEALTHY)
    world.settle()

    assert world.route_weights[:3] == [5, 25, 32]
    assert (world.shares(), world.ready_reason()) == ({NEW: 100}, "Healthy")


def test_a_bad_release_is_rolled_back_by_a_new_router() -> None:
    """One write gives stable all traffic and carries the latch; the release is quarantined."""
    world = a_mesh(failed=0.5)
    world.run_until(State.ROLLED_BACK)
    world.settle()
    mark = latch(world.traffic[MESH])

    assert (world.route_weights, world.shares(), world.ready_reason()) == ([5, 0], {OLD: 100}, "Quarantined")
    assert (mark and mark.number, mark and mark.trigger) == (2, Trigger.BREACH)


def test_the_latch_on_its_object_finishes_a_rollback() -> None:
    """The operator ended after the first write of a rollback; the next one reads the mark and goes on."""
    trying = AT_REST.trying(NEW)
    seen = shown(trying.build()) | {MESH: shown(trying.rolling_back().build())[MESH]}

    status = decide(an_observation(trying, traffic=seen)).status

    assert status is not None
    assert status.attempt is not None
    assert (status.attempt.state, status.attempt.trigger) == (State.ROLLING_BACK, Trigger.BREACH)


def test_a_foreign_write_of_its_object_is_put_back_and_reported() -> None:
    """The writer is found in the managed fields that the router names."""
    world = a_mesh()
    world.run_until(State.CANARY)
    world.settle()
    changed = json.loads(json.dumps(world.traffic[MESH]))
    changed["spec"]["backends"] = [{"service": service_of(NEW), "weight": 100}]
    changed["metadata"]["managedFields"] = [
        {"manager": "argocd", "time": "2026-11-21T10:08:00Z", "fieldsV1": {"f:spec": {"f:backends": {}}}}
    ]
    world.traffic[MESH] = changed
    world.settle()

    assert world.shares() == {OLD: 95, NEW: 5}
    assert [text for text in world.told(Reason.ROUTE_RESTORED) if "argocd" in text] != []
