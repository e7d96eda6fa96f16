"""Observations: the world of one rollout, whole, and changed in one place.

`an_observation(a_rollout().serving(OLD).trying(NEW).in_phase(1))` is a world in which all is as it should be:
the traffic shows what the status requests, the release is ready, its snapshot is owned. A test names what
differs.
"""

from collections.abc import Iterable
from typing import Any

from agentrollouts.api.names import API_VERSION
from agentrollouts.api.objects import ObjectMeta, OwnerReference
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import Outcome
from agentrollouts.core.effects import Manifest, Patch
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.snapshots.facts import fact_writes
from agentrollouts.core.traffic.manifests import ROUTES, key_of
from agentrollouts.core.traffic.state import Routing
from agentrollouts.simulation.cluster import accepted, after, applied, noted
from testkit.builders.names import (
    AGENT,
    NAMESPACE,
    NEW,
    NEXT,
    OLD,
    OLDEST,
    START,
    UID,
    service_of,
    snapshot_of,
)
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import THEIRS, a_shop


def shown(rollout: AgentRollout) -> dict[tuple[str, str], Manifest]:
    """The traffic objects as the status asks for them, confirmed by a gateway."""
    theirs = {THEIRS: a_shop(OLDEST, OLD, NEW, NEXT)} if rollout.spec.traffic.route_patch else {}
    obs = Observation(now=START, rollout=rollout, traffic=theirs)
    objects: dict[tuple[str, str], Manifest] = {}
    for change in Routing(obs).state(rollout.status).changes:
        key = key_of(change.manifest)
        objects[key] = after(change, theirs[key]) if isinstance(change, Patch) else applied(change.manifest)
    objects = theirs | objects
    return objects | {key: accepted(route) for key, route in objects.items() if key[0] in ROUTES}


def owned_snapshots(releases: Iterable[str], uid: str = UID) -> dict[str, ObjectMeta]:
    """Metadata of the releases' snapshots, each with the rollout as an owner."""
    owner = OwnerReference(api_version=API_VERSION, kind="AgentRollout", name=AGENT, uid=uid)
    return {
        snapshot_of(release): ObjectMeta(
            name=snapshot_of(release),
            namespace=NAMESPACE,
            uid=f"uid-of-{snapshot_of(release)}",
            owner_references=(owner,),
        )
        for release in releases
    }


def settled_snapshots(rollout: AgentRollout, releases: Iterable[str]) -> dict[str, ObjectMeta]:
    """Metadata of the releases' snapshots as they are once the operator has written what it has to."""
    status = rollout.status
    healthy = [entry for entry in status.history if entry.outcome is Outcome.HEALTHY]
    needed = {record.snapshot for record in (status.stable, status.canary, *healthy) if record}
    snapshots = owned_snapshots(releases, uid="uid-of-its-release")
    ours = owned_snapshots(releases)
    snapshots = {name: ours[name] if name in needed else metadata for name, metadata in snapshots.items()}
    for write in fact_writes(Observation(now=START, rollout=rollout, snapshots=snapshots)):
        name = write.manifest["metadata"]["name"]
        snapshots[name] = noted(snapshots[name], write.manifest, write.manager)
    return snapshots


def an_observation(builder: RolloutBuilder | None = None, **fields: Any) -> Observation:  # noqa: ANN401 any value of JSON, or any field
    """A world in which everything is as the rollout wants it, at `START`, with these fields instead."""
    builder = builder or a_rollout()
    rollout = builder.build()
    usual: dict[str, Any] = {
        "now": START,
        "rollout": rollout,
        "release": a_ready_release(rollout.spec.release_ref.name),
        "traffic": shown(rollout),
        "endpoints": {service_of(name): True for name in (OLDEST, OLD, NEW, NEXT)},
        "snapshots": settled_snapshots(rollout, (OLDEST, OLD, NEW, NEXT)),
        "actions": builder.actions,
        "identity_proved": True,
    }
    return Observation(**usual | fields)
