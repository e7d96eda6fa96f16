"""The simulated API server: what it has of one rollout, and what becomes of that by writes of any hand.

The static half of `world`, which adds time, agents and the operator. Watchers get every object as from the
API server: as a manifest, at a time.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import OF_NO_ATTEMPT, ActionType, AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.action.ledger import is_answered
from agentrollouts.core.action.retention import AnsweredAction
from agentrollouts.core.effects import Deletion, Effect, Event, Manifest, Patch, Problem, Write
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.requests.answering import Answer
from agentrollouts.core.traffic.gateways import route_of
from agentrollouts.core.traffic.manifests import FEATURE_FLAG, ROUTES, key_of
from agentrollouts.core.workload.template import service_of, stamped, stamped_service
from agentrollouts.simulation import cluster

Watcher = Callable[[datetime, Manifest], None]


@dataclass(kw_only=True)
class ApiServer:
    """All objects that a rollout can see."""

    rollout: AgentRollout
    now: datetime
    """True time."""
    releases: dict[str, AgentRelease] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    """The release behind each Service."""
    traffic: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    snapshots: dict[str, ObjectMeta] = field(default_factory=dict)
    workloads: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    """Deployments and Services; every pod of them is ready at once."""
    actions: dict[str, AgentRolloutAction] = field(default_factory=dict)
    """What people have requested, by name."""
    has_gateway_api: bool = True
    gateway_follows: bool = True
    watchers: list[Watcher] = field(default_factory=list)
    problem: Problem | None = None
    """Why the last write of a traffic object failed."""

    @property
    def status(self) -> AgentRolloutStatus:
        """The persisted status."""
        return self.rollout.status

    def shares(self) -> dict[str, int]:
        """Percent of the requests by release, as the route or the flag says; without them, the ConfigMap."""
        name, patched = self.rollout.metadata.name, self.rollout.spec.traffic.route_patch
        owned = (self.traffic[kind, name] for kind in ROUTES if (kind, name) in self.traffic)
        if patched and (route := self.traffic.get((cluster.ROUTE, patched.name))):
            weights = cluster.weights_of_route(route, patched.rule)
        elif route := (None if patched else route_of(self.rollout, self.traffic)) or next(owned, None):
            weights = cluster.weights_of_route(route)
        elif flag := self.traffic.get((FEATURE_FLAG, name)):
            return cluster.weights_of_flag(flag, self.rollout.spec.agent)
        else:
            config = self.traffic.get((cluster.CONFIG_MAP, f"{name}-traffic"))
            return cluster.weights_of_config(config) if config else {}
        return {self.services.get(service, service): weight for service, weight in weights.items()}

    def publish(self, release: AgentRelease, snapshot: ObjectMeta | None) -> None:
        """A release is there, with its snapshot if it is ready."""
        name = release.metadata.name
        self.releases[name] = release
        if snapshot:
            self.snapshots[snapshot.name] = snapshot
        if service := service_of(self.rollout.spec, release):
            self.services[service.name] = name

    def stamp(self, record: ReleaseRecord, release: AgentRelease) -> None:
        """The Deployment and the Service of a release are there."""
        workload = self.rollout.spec.workload
        template = self.workloads[cluster.DEPLOYMENT, workload.deployment_ref.name] if workload else {}
        for made in (
            stamped(self.rollout, record, release, template),
            stamped_service(self.rollout, record),
        ):
            self.workloads[key_of(made)] = cluster.versioned(cluster.applied(made))

    def respecify(self, spec: AgentRolloutSpec) -> None:
        """A user changes the plan, or the desired release."""
        metadata = self.rollout.metadata
        changed = metadata.replace(generation=metadata.generation + 1)
        self.rollout = AgentRollout(metadata=changed, spec=spec, status=self.status)

    def act(self, kind: ActionType, by: str = "lee@example.com", **fields: str | int | bool) -> str:
        """A person creates an action for the current attempt; its name, which `fields` may give."""
        attempt = self.status.attempt
        name = str(fields.pop("name", f"{self.rollout.metadata.name}-{len(self.actions)}"))
        number = {"attempt": attempt.number} if attempt and kind not in OF_NO_ATTEMPT else {}
        spec = {"rollout": self.rollout.metadata.name, "type": kind, "requested_by": by, **number, **fields}
        metadata = {"name": name, "uid": f"uid-of-{name}", "generation": 1, "creation_timestamp": self.now}
        request = {"reason": "as a test", **spec}
        self.actions[name] = AgentRolloutAction.model_validate({"metadata": metadata, "spec": request})
        return name

    def reply(self, answer: Answer) -> bool:
        """The status of an action is written; False if a person has deleted it."""
        name = answer.action.metadata.name
        if name not in self.actions:
            return False
        self.actions[name] = self.actions[name].replace(status=answer.status)
        return True

    def answered(self) -> tuple[AnsweredAction, ...]:
        """The actions that have their last answer."""
        return tuple(
            AnsweredAction(name, action.metadata.uid, "1", action.spec.attempt or 0, made)
            for name, action in self.actions.items()
            if is_answered(action) and (made := action.metadata.creation_timestamp)
        )

    def put(self, manifest: Manifest) -> None:
        """A traffic object is as in this manifest from now on, regardless of the writer."""
        self.traffic[key_of(manifest)] = manifest
        self.tell(manifest)

    def tell(self, manifest: Manifest) -> None:
        """Tell those who watch."""
        for watcher in self.watchers:
            watcher(self.now, manifest)

    def apply(self, write: Effect) -> bool:
        """Carry out one effect; whether anything changed that the next decision sees."""
        key = kind, name = key_of(write.manifest)
        if kind in {cluster.DEPLOYMENT, cluster.SERVICE}:
            return self._change_workload(write, key)
        if kind == AgentRolloutAction.resource.kind:
            return self.actions.pop(name, None) is not None
        before = self.traffic.get(key)
        match write:
            case Deletion():
                return self.traffic.pop(key, None) is not None
            case Patch():
                if before is None:
                    return False
                self.patched(before, changed := cluster.after(write, before))
                self.put(self._followed(changed))
                return True
            case Write(manifest, manager):
                return self._write(manifest, manager, kind, name)

    def _change_workload(self, write: Effect, key: tuple[str, str]) -> bool:
        before = self.workloads.get(key)
        match write:
            case Deletion():
                return self.workloads.pop(key, None) is not None
            case Patch():
                if before is None:
                    return False
                self.workloads[key] = cluster.versioned(cluster.after(write, before))
            case Write(manifest):
                self.workloads[key] = cluster.versioned(cluster.applied(manifest, before))
        return self.workloads[key] != before

    def patched(self, before: Manifest, changed: Manifest) -> None:
        """Called for every patch of an object that someone else owns."""

    def _write(self, manifest: Manifest, manager: str, kind: str, name: str) -> bool:
        if kind == cluster.CONFIG_MAP and name in self.snapshots:
            stored = self.snapshots[name]
            self.snapshots[name] = cluster.noted(stored, manifest, manager)
            return self.snapshots[name] != stored
        if kind in ROUTES and not self.has_gateway_api:
            missing = Problem(Reason.GATEWAY_API_MISSING, f"the cluster has no {kind} kind")
            self.problem = self.problem or missing
            return False
        before = self.traffic.get((kind, name))
        done = cluster.applied(manifest, before)
        self.put(self._followed(done) if kind in ROUTES else done)
        return self.traffic[kind, name] != before

    def catch_up(self) -> None:
        """The gateway takes over what it has not seen yet, if it follows at all."""
        if not self.gateway_follows:
            return
        for (kind, _), manifest in tuple(self.traffic.items()):
            if kind in ROUTES and not cluster.is_accepted(manifest):
                self.put(cluster.accepted(manifest))

    def _followed(self, route: Manifest) -> Manifest:
        """The gateway takes the route over, if it follows at all."""
        return cluster.accepted(route) if self.gateway_follows else route

    def store(self, decision: Decision) -> bool:
        """The result is what the API server has: JSON, read again."""
        if decision.status is None:
            return False
        stored = decision.status.to_json()
        status = AgentRolloutStatus.model_validate_json(json.dumps(stored))
        self.rollout = self.rollout.copy_with(status=status)
        if self.watchers:
            self.tell(cluster.rollout_of(self.rollout, stored))
        for event in decision.events:
            self.happened(event)
        return True

    def happened(self, event: Event) -> None:
        """An Event was sent."""
        self.tell(cluster.event_object(event, self.rollout.metadata))
