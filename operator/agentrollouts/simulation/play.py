"""A script becomes a world: everything in the script is in the future of the world.

Between `script`, which is what a person wrote, and `world`, which plays it.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease, ReleaseRef, ServiceRef
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, ReleaseRecord, WeightsStatus
from agentrollouts.api.workload import StampedWorkload
from agentrollouts.core.containment.fallback import Lead, named_by
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.traffic.gateways import route_of
from agentrollouts.core.workload.template import service_of
from agentrollouts.simulation.agents import Agent, Drawn
from agentrollouts.simulation.cluster import DEPLOYMENT, materialise, template_for
from agentrollouts.simulation.script import Behavior, Edit, Script, at
from agentrollouts.simulation.world import Change, Metrics, World

SERVED: Final = timedelta(days=1)
"""How long stable has served when a simulation begins."""
REMEMBERED: Final = timedelta(hours=4)
"""How much of that is queried; the runs before are not simulated."""
USUAL: Final = Behavior()
METRICS: Final[Mapping[str, Metrics]] = {
    "Away": "away",
    "Unreachable": "down",
    "Refusing": "refused",
    "Garbled": "garbled",
}


HAPPENED: Final = "Happened"
"""Kind of the entries besides objects: an event of the script."""


class Misfit(Exception):  # noqa: N818 it is an answer for a person
    """The script and the objects do not fit together; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What a user would apply."""

    rollout: AgentRollout
    releases: tuple[AgentRelease, ...]
    config_maps: Mapping[str, ConfigMapData]


def world_of(script: Script, objects: Objects) -> World:
    """The world at its first second, with everything that will happen ahead. Raises `Misfit`."""
    rollout = objects.rollout
    metadata = _settled(rollout.metadata, rollout.metadata.name)
    world = World(
        rollout=AgentRollout(metadata=metadata, spec=rollout.spec),
        now=script.start,
        chance=Drawn(random.Random(script.seed)),
        fallback=_fallback(rollout),
    )
    if workload := rollout.spec.workload:
        template = template_for(workload.deployment_ref.name, metadata.namespace, objects.releases)
        world.workloads[DEPLOYMENT, workload.deployment_ref.name] = template
    for release in objects.releases:
        _make(world, release, script, objects.config_maps)
    _check_names(script, world)
    _turn(world, script, 0)
    if script.stable is not None:
        _serve_already(world, script.stable)
    turns: list[tuple[int, Change]] = [(s, _turning(script, s)) for s in script.turns if s]
    turns += [(edit.at, _editing(edit)) for edit in script.edits]
    turns += [(e.at + e.restart, _set(operator_runs=True)) for e in script.edits if e.restart is not None]
    world.ahead = [(script.start + timedelta(seconds=s), change) for s, change in sorted(turns, key=_first)]
    return world


def _fallback(rollout: AgentRollout) -> Lead | None:
    """What another agent serves, which is not in the files: it answers."""
    return Lead(service=ServiceRef(name="fallback", port=80)) if named_by(rollout.spec) else None


def _first(turn: tuple[int, Change]) -> int:
    return turn[0]


def _settled(metadata: ObjectMeta, name: str) -> ObjectMeta:
    """As the API server would complete it."""
    return metadata.replace(uid=f"uid-of-{name}", generation=1, namespace=metadata.namespace or "default")


def _make(
    world: World, release: AgentRelease, script: Script, config_maps: Mapping[str, ConfigMapData]
) -> None:
    metadata = release.metadata.replace(
        uid=f"uid-of-{release.metadata.name}",
        generation=1,
        namespace=world.rollout.metadata.namespace,
    )
    applied = AgentRelease(metadata=metadata, spec=release.spec)
    world.make(*materialise(applied, config_maps, script.start), Agent())


def _check_names(script: Script, world: World) -> None:
    named = {"stable": script.stable} if script.stable else {}
    named |= {f"releases.{name}": name for name in script.releases}
    named |= {
        f"edits[{index}].releaseRef": edit.release_ref
        for index, edit in enumerate(script.edits)
        if edit.release_ref
    }
    for field, name in named.items():
        if name not in world.releases:
            raise Misfit(f"{field}: no AgentRelease {name} in the files; add it or name another")
    for index, edit in enumerate(script.edits):
        if edit.approve and edit.approve not in {phase.name for phase in world.rollout.spec.phases}:
            raise Misfit(f"edits[{index}].approve: the rollout has no phase {edit.approve}")


def _serve_already(world: World, name: str) -> None:
    """That release was found healthy a day ago and has had all traffic since."""
    release, since = world.releases[name], world.now - SERVED
    if release.status.digest is None or release.status.snapshot is None:
        raise Misfit(f"stable: {name} is not ready: {release.status.conditions[0].message}")
    record = ReleaseRecord(
        release=name,
        version=release.spec.version,
        digest=release.status.digest,
        service=service_of(world.rollout.spec, release),
        snapshot=release.status.snapshot.name,
        healthy_time=since,
    )
    entry = HistoryEntry.model_validate(
        record.model_dump(exclude={"healthy_time"})
        | {
            "number": 1,
            "outcome": Outcome.HEALTHY,
            "reason": Reason.HEALTHY,
            "start_time": since,
            "end_time": since,
        }
    )
    status = AgentRolloutStatus(stable=record, weights=WeightsStatus(stable=100, canary=0), history=(entry,))
    if world.rollout.spec.workload and record.service_name and release.spec.serving is None:
        made = StampedWorkload(name=record.service_name, release=name, digest=record.digest)
        status = status.replace(workloads=(made,))
        world.stamp(record, release)
    world.rollout = world.rollout.replace(status=status)
    world.serve({name: 100}, REMEMBERED.total_seconds())


def _turning(script: Script, seconds: int) -> Change:
    return lambda world: _turn(world, script, seconds)


def _turn(world: World, script: Script, seconds: int) -> None:
    """Traffic, behavior and Prometheus are as the script has them at that second."""
    world.runs_per_second = at(script.runs_per_hour, seconds) / 3600
    for name in world.releases:
        world.agents[name] = _agent(script, script.releases.get(name, USUAL), seconds)
    outages = (outage for outage in script.outages if outage.holds(seconds))
    world.metrics = next((METRICS[outage.kind] for outage in outages), "up")
    for sentence in _news(script, seconds):
        world.tell({"kind": HAPPENED, "message": sentence})


def _news(script: Script, seconds: int) -> Iterator[str]:
    """A description of that second for people."""
    for outage in script.outages:
        if seconds == outage.start:
            yield f"Prometheus is {outage.kind.lower()}"
        if seconds == outage.start + outage.lasts:
            yield "Prometheus is back"
    for blip in script.blips:
        if seconds == blip.start:
            yield "All releases are worse for some time"
        if seconds == blip.start + blip.lasts:
            yield "All releases are as usual again"


def _agent(script: Script, usual: Behavior, seconds: int) -> Agent:
    blips = [blip for blip in script.blips if blip.holds(seconds)]
    failed = max([at(usual.failed, seconds), *(blip.failed or 0.0 for blip in blips)])
    others = {"escalated": at(usual.escalated, seconds), "refused": at(usual.refused, seconds)}
    room = min(1.0, (1 - failed) / (sum(others.values()) or 1.0))
    return Agent(
        {"failed": failed, **{outcome: share * room for outcome, share in others.items()}},
        seconds=at(usual.duration_seconds, seconds) * max([1.0, *(blip.slower for blip in blips)]),
        cost=at(usual.cost_usd, seconds),
        per_run={
            (series.metric, frozenset((m.label, m.value) for m in series.matchers)): at(course, seconds)
            for (text, series), course in zip(usual.counters.items(), usual.per_run.values(), strict=True)
        },
    )


def _set(**fields: object) -> Change:
    def change(world: World) -> None:
        for name, value in fields.items():
            setattr(world, name, value)

    return change


def _editing(edit: Edit) -> Change:
    """The one thing that the edit says."""

    def change(world: World) -> None:
        world.tell({"kind": HAPPENED, "message": _carry_out(edit, world)})

    return change


def _carry_out(edit: Edit, world: World) -> str:
    """Change the world, and say what was done."""
    rollout = world.rollout
    if edit.restart is not None:
        world.restart()
        world.operator_runs = False
        return f"The operator stops; another one starts {edit.restart} s later"
    if edit.route_weight is not None:
        _meddle(world, edit.route_weight)
        return f"Someone else sets the canary's weight in the route to {edit.route_weight}%"
    if edit.approve is not None:
        if rollout.status.attempt is None:
            return f"A user approves {edit.approve}, but there is no attempt"
        world.act(ActionType.APPROVE, phase=edit.approve, reason="Approved by the script")
        return f"A user approves {rollout.status.attempt.number}/{edit.approve}"
    if edit.paused is not None:
        world.respecify(rollout.spec.replace(paused=edit.paused))
        return f"A user sets spec.paused to {str(edit.paused).lower()}"
    world.respecify(rollout.spec.replace(release_ref=ReleaseRef(name=edit.release_ref or "")))
    return f"A user sets spec.releaseRef to {edit.release_ref}"


def _meddle(world: World, weight: int) -> None:
    """Someone else sets the weights of our route."""
    route = route_of(world.rollout, world.traffic)
    if route is None:
        return
    *others, main = route["spec"]["rules"]
    stable, *canary = main["backendRefs"]
    shares = [{**stable, "weight": 100 - weight}, *({**ref, "weight": weight} for ref in canary)]
    rules = [*others, {**main, "backendRefs": shares}]
    world.put({**route, "spec": {**route["spec"], "rules": rules}})
