"""Rollouts, releases and observations as tests of the decision need them: whole, and changed in one place.

`an_observation(a_rollout().serving(OLD).trying(NEW).in_phase(1))` is a world in which all is as it should be:
the traffic shows what the status asks for, the release is ready, its snapshot is owned. A test says what
differs.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from agentrollouts.api.attempt import Attempt, Hold, State
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.objects import Condition, ConditionStatus, ObjectMeta, OwnerReference
from agentrollouts.api.reasons import Reason, Trigger
from agentrollouts.api.release import AgentRelease, ServiceRef
from agentrollouts.api.rollback import LastRollback
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import (
    AgentRolloutStatus,
    HistoryEntry,
    Outcome,
    Quarantined,
    ReleaseRecord,
    WeightsStatus,
)
from agentrollouts.core.attempt.schedule import plan_hash, steps_of
from agentrollouts.core.effects import Manifest, Patch
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.snapshot_facts import fact_writes
from agentrollouts.core.states import LATCHED
from agentrollouts.core.traffic.manifests import key_of
from agentrollouts.core.traffic.state import Routing
from agentrollouts.simulation.cluster import accepted, after, applied, noted

START: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
AGENT: Final = "support-agent"
NAMESPACE: Final = "support"
UID: Final = "uid-of-rollout"

OLDEST, OLD, NEW, NEXT = (f"{AGENT}-4.{minor}.0" for minor in range(4))
"""Names of releases; a test mostly has `OLD` as stable and `NEW` as canary."""

ROUTE: Final = ("HTTPRoute", AGENT)
CONFIG: Final = ("ConfigMap", f"{AGENT}-traffic")

BY_ROUTE: Final[Mapping[str, Any]] = {"httpRoute": {"parentRefs": [{"name": "public"}]}}

THEIRS: Final = ("HTTPRoute", "shop")
"""A route of somebody else."""
BY_PATCH: Final[Mapping[str, Any]] = {"routePatch": {"name": "shop", "rule": "agent"}}

PLAN: Final[Mapping[str, Any]] = {
    "agent": AGENT,
    "releaseRef": {"name": NEW},
    "phases": [
        {"name": "canary-5", "weight": 5, "durationSeconds": 600},
        {"name": "canary-25", "weight": 25, "durationSeconds": 600},
        {"name": "ramp", "weight": 95, "rampSeconds": 600, "durationSeconds": 600},
    ],
    "gates": [{"name": "errors", "template": "error-rate"}],
    "analysis": {"warmupSeconds": 0},
    "bake": {"durationSeconds": 300},
    "traffic": BY_ROUTE,
}
"""The plan of playbook A in a fraction of its time, with one gate."""


def digest_of(release: str) -> str:
    """The digest of a release that holds nothing but its name."""
    return f"sha256:{hashlib.sha256(release.encode()).hexdigest()}"


def snapshot_of(release: str) -> str:
    """The name of its snapshot."""
    return f"{AGENT}-{digest_of(release).removeprefix('sha256:')[:16]}"


def service_of(release: str) -> str:
    """The name of its service."""
    return release.replace(".", "-")


def a_record(release: str, **fields: object) -> ReleaseRecord:
    """A release as the status remembers it."""
    return ReleaseRecord.model_validate(
        {
            "release": release,
            "version": release.removeprefix(f"{AGENT}-"),
            "digest": digest_of(release),
            "service": ServiceRef(name=service_of(release), port=8080),
            "snapshot": snapshot_of(release),
        }
        | fields
    )


def a_ready_release(name: str = NEW, *, agent: str = AGENT, service: str | None = "") -> AgentRelease:
    """A release that is materialized; its service is named after it unless another one is given, or None."""
    serving = {"service": {"name": service or service_of(name), "port": 8080}}
    ready = {"type": "Ready", "status": "True", "reason": "Materialized", "message": ""}
    return AgentRelease.model_validate(
        {
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}", "generation": 1},
            "spec": {
                "agent": agent,
                "version": name.removeprefix(f"{AGENT}-"),
                "components": {
                    "prompt": {"version": "1.0.0", "inline": {"system": name}},
                    "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
                },
                "serving": None if service is None else serving,
            },
            "status": {
                "digest": digest_of(name),
                "snapshot": {"name": snapshot_of(name)},
                "conditions": [ready | {"lastTransitionTime": START, "observedGeneration": 1}],
            },
        }
    )


def not_ready(
    release: AgentRelease, message: str = "ConfigMap support-guardrails does not exist"
) -> AgentRelease:
    """The same release before it is materialized."""
    ready = Condition(
        type="Ready",
        status=ConditionStatus.FALSE,
        reason=Reason.REFERENCE_MISSING,
        message=message,
        last_transition_time=START,
    )
    return release.replace(status=release.status.replace(conditions=(ready,), digest=None, snapshot=None))


@dataclass(frozen=True)
class RolloutBuilder:
    """A rollout, one sentence after the other; every method gives a new one."""

    spec: Mapping[str, Any] = field(default_factory=lambda: PLAN)
    status: AgentRolloutStatus = field(default_factory=AgentRolloutStatus)
    annotations: Mapping[str, str] = field(default_factory=dict)
    generation: int = 1
    finalizers: tuple[str, ...] = ()
    """Those that keep it; with one, it is being deleted."""

    @cached_property
    def plan(self) -> AgentRolloutSpec:
        """The spec as a value."""
        return AgentRolloutSpec.model_validate(self.spec)

    def build(self) -> AgentRollout:
        """The object as returned by the API server."""
        metadata = ObjectMeta(
            name=AGENT,
            namespace=NAMESPACE,
            uid=UID,
            generation=self.generation,
            resource_version="1",
            annotations=self.annotations,
            finalizers=self.finalizers,
            deletion_timestamp=START if self.finalizers else None,
        )
        return AgentRollout(metadata=metadata, spec=self.plan, status=self.status)

    def planning(self, **spec: object) -> "RolloutBuilder":
        """With these fields of the spec (camelCase) instead; a new generation, as the API server counts."""
        return replace(self, spec={**self.spec, **spec}, generation=self.generation + 1)

    def asking_for(self, release: str) -> "RolloutBuilder":
        """With `releaseRef` set to that release."""
        return self.planning(releaseRef={"name": release})

    def in_deletion(self, finalizer: str = "example.com/audit") -> "RolloutBuilder":
        """Deleted at `START`, and kept by that finalizer."""
        return replace(self, finalizers=(finalizer,))

    def annotated(self, **annotations: str) -> "RolloutBuilder":
        """With annotations under our prefix."""
        ours = {f"agentrollouts.dev/{key.replace('_', '-')}": text for key, text in annotations.items()}
        return replace(self, annotations={**self.annotations, **ours})

    def having(self, **status: Any) -> "RolloutBuilder":  # noqa: ANN401 any field
        """With these fields of the status instead."""
        return replace(self, status=self.status.replace(**status))

    def serving(self, release: str) -> "RolloutBuilder":
        """That release is stable and has all traffic."""
        stable = a_record(release, healthy_time=START - timedelta(days=1))
        return self.having(stable=stable, weights=WeightsStatus(stable=100, canary=0)).remembering(release)

    def remembering(
        self, release: str, outcome: Outcome = Outcome.HEALTHY, reason: Reason = Reason.HEALTHY
    ) -> "RolloutBuilder":
        """One more attempt in the history."""
        entry = HistoryEntry.model_validate(
            a_record(release).model_dump(exclude={"healthy_time"})
            | {
                "number": len(self.status.history) + 1,
                "outcome": outcome,
                "reason": reason,
                "start_time": START - timedelta(days=2),
                "end_time": START - timedelta(days=1),
            }
        )
        return self.having(history=(entry, *self.status.history))

    def quarantining(self, *releases: str) -> "RolloutBuilder":
        """These were rolled back for a breach."""
        entries = tuple(
            Quarantined(
                digest=digest_of(release),
                release=release,
                reason=Reason.GATE_FAILED,
                message="It failed.",
                time=START,
            )
            for release in releases
        )
        return self.having(quarantined=entries)

    def trying(self, release: str, **attempt: object) -> "RolloutBuilder":
        """An attempt with that release, in the first phase since `START`, its weight in effect."""
        fields: dict[str, object] = {
            "number": len(self.status.history) + 1,
            "state": State.CANARY,
            "digest": digest_of(release),
            "plan_hash": plan_hash(self.plan),
            "start_time": START,
        }
        begun = self.having(canary=a_record(release), attempt=Attempt.model_validate(fields | attempt))
        return begun.in_phase(0)

    def in_phase(self, index: int, step: int = 0) -> "RolloutBuilder":
        """The attempt has entered that phase, or step of its ramp, at `START`."""
        weight = steps_of(self.plan, index)[step].weight
        return self.changing(
            phase_index=index,
            phase_name=self.plan.phases[index].name,
            step=step,
            weight=weight,
            phase_start_time=START,
            clock_start_time=START,
            counting_start_time=START,
        ).having(weights=WeightsStatus(stable=100 - weight, canary=weight))

    def changing(self, **attempt: Any) -> "RolloutBuilder":  # noqa: ANN401 any field
        """With these fields of the attempt instead."""
        assert self.status.attempt is not None, "first say which release is tried"
        return self.having(attempt=self.status.attempt.replace(**attempt))

    def baking(self) -> "RolloutBuilder":
        """All phases are passed, at `START`."""
        last = len(self.plan.phases) - 1
        return self.in_phase(last, len(steps_of(self.plan, last)) - 1).changing(state=State.BAKING)

    def awaiting_approval(self) -> "RolloutBuilder":
        """The current phase passed and a person is asked."""
        seconds = self.plan.phases[0].duration_seconds
        return self.changing(state=State.AWAITING_APPROVAL, clock_start_time=None, elapsed_seconds=seconds)

    def held_for(self, reason: Reason, seconds: int = 0) -> "RolloutBuilder":
        """Its clocks stand, `seconds` after they began; whatever it did before, it will go on with."""
        assert self.status.attempt is not None, "first say which release is tried"
        hold = Hold(reason=reason, message=reason.sentence, since=START, resumes=self.status.attempt.state)
        return self.changing(state=State.HELD, hold=hold, clock_start_time=None, elapsed_seconds=seconds)

    def rolling_back(
        self, state: State = State.ROLLING_BACK, trigger: Trigger = Trigger.BREACH
    ) -> "RolloutBuilder":
        """It failed at `START`."""
        canary, stable = self.status.canary, self.status.stable
        assert canary is not None, "first say which release is tried"
        assert stable is not None, "first say which release serves"
        record = LastRollback(
            from_=canary.release,
            to=stable.release,
            trigger=trigger,
            reason=Reason.GATE_FAILED,
            message="It failed.",
            decided_time=START,
            routed_time=None if state is State.ROLLING_BACK else START,
        )
        return self.changing(state=state, weight=0, trigger=trigger, hold=None).having(last_rollback=record)

    def in_state(self, state: State) -> "RolloutBuilder":  # noqa: PLR0911 one line for each state
        """An attempt to replace `OLD` with `NEW` in any state under way; in Initial there is no `OLD`."""
        tried = self.serving(OLD).trying(NEW)
        match state:
            case State.PENDING:
                return tried.changing(
                    state=state,
                    weight=0,
                    phase_start_time=None,
                    counting_start_time=None,
                    clock_start_time=None,
                ).having(canary=None)
            case State.INITIAL:
                return self.trying(NEW).changing(state=state, weight=100)
            case State.AWAITING_APPROVAL:
                return tried.awaiting_approval()
            case State.HELD:
                return tried.held_for(Reason.PAUSED)
            case State.BAKING:
                return tried.baking()
            case _ if state in LATCHED:
                return tried.rolling_back(state)
            case _:
                return tried


def a_rollout(**spec: object) -> RolloutBuilder:
    """A rollout of `PLAN` with these fields of the spec (camelCase) instead, before its first visit."""
    return RolloutBuilder(spec={**PLAN, **spec})


def a_backend(service: str, weight: int | None = 0, **fields: object) -> dict[str, Any]:
    """A backend of a route."""
    ref = {"group": "", "kind": "Service", "name": service, "port": 8080} | fields
    return ref | ({} if weight is None else {"weight": weight})


def their_route(*backends: Mapping[str, Any], **metadata: object) -> Manifest:
    """A route of somebody else: two rules, filters, a label, and these backends for the agent."""
    web: dict[str, Any] = {"name": "web", "backendRefs": [a_backend("web", 7)]}
    rewrite = {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}},
    }
    rule = {"name": "agent", "filters": [rewrite], "backendRefs": list(backends)}
    identity = {"name": "shop", "namespace": NAMESPACE, "uid": "uid-of-shop", "generation": 1}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": identity | {"labels": {"app": "shop"}} | metadata,
        "spec": {"parentRefs": [{"name": "public"}], "rules": [web, rule]},
    }


def a_shop(*releases: str, **metadata: object) -> Manifest:
    """A route of somebody else whose rule has the releases as backends, none with a share."""
    return their_route(*(a_backend(service_of(release)) for release in releases), **metadata)


def shown(rollout: AgentRollout) -> dict[tuple[str, str], Manifest]:
    """The traffic objects as the status asks for them, confirmed by a gateway."""
    theirs = {THEIRS: a_shop(OLDEST, OLD, NEW, NEXT)} if rollout.spec.traffic.route_patch else {}
    obs = Observation(now=START, rollout=rollout, traffic=theirs)
    found: dict[tuple[str, str], Manifest] = {}
    for change in Routing(obs).state(rollout.status).changes:
        key = key_of(change.manifest)
        found[key] = after(change, theirs[key]) if isinstance(change, Patch) else applied(change.manifest)
    found = theirs | found
    return found | {key: accepted(route) for key, route in found.items() if key in {ROUTE, THEIRS}}


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
    needed = {found.snapshot for found in (status.stable, status.canary, *healthy) if found}
    snapshots = owned_snapshots(releases, uid="uid-of-its-release")
    ours = owned_snapshots(releases)
    snapshots = {name: ours[name] if name in needed else found for name, found in snapshots.items()}
    for write in fact_writes(Observation(now=START, rollout=rollout, snapshots=snapshots)):
        name = write.manifest["metadata"]["name"]
        snapshots[name] = noted(snapshots[name], write.manifest, write.manager)
    return snapshots


def an_observation(builder: RolloutBuilder | None = None, **fields: Any) -> Observation:  # noqa: ANN401 any value of JSON, or any field
    """A world in which everything is as the rollout wants it, at `START`, with these fields instead."""
    rollout = (builder or a_rollout()).build()
    usual: dict[str, Any] = {
        "now": START,
        "rollout": rollout,
        "release": a_ready_release(rollout.spec.release_ref.name),
        "traffic": shown(rollout),
        "endpoints": {service_of(name): True for name in (OLDEST, OLD, NEW, NEXT)},
        "snapshots": settled_snapshots(rollout, (OLDEST, OLD, NEW, NEXT)),
    }
    return Observation(**usual | fields)
