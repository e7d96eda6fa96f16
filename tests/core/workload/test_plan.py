"""Input: any status, and Deployments as they were read. Output: what is scaled down or deleted."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import Outcome
from agentrollouts.api.workload import StampedWorkload
from agentrollouts.core.effects import Patch, Problem, Write
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.states import is_progressing
from agentrollouts.core.workload.plan import SOON, Workloads
from testkit.builders.names import AGENT, NAMESPACE, NEW, NEXT, OLD, OLDEST, START, UID, digest_of, service_of
from testkit.builders.observations import an_observation
from testkit.builders.releases import a_ready_release, a_record
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.invariants import check_workloads
from testkit.workloads import TEMPLATE, WORKLOAD

RELEASES: Final = (OLDEST, OLD, NEW, NEXT)


def made(kind: str, release: str, replicas: int = 2, uid: str = UID) -> dict[str, Any]:
    """A Deployment or a Service of a release."""
    metadata = {
        "name": service_of(release),
        "namespace": NAMESPACE,
        "uid": release,
        "resourceVersion": "7",
        "ownerReferences": [{"uid": uid, "controller": True}],
    }
    labels = {"agentrollouts.dev/release": release}
    container = {"name": "agent", "env": [{"name": "AGENT_DIGEST", "value": digest_of(release)}]}
    spec: dict[str, Any] = {"selector": labels}
    if kind == "Deployment":
        pod = {"spec": {"containers": [container]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def entry(release: str, *, is_cold: bool = False) -> StampedWorkload:
    """What the status says of the workload of a release."""
    time = START - timedelta(hours=1) if is_cold else None
    return StampedWorkload(
        name=service_of(release), release=release, digest=digest_of(release), scaled_down_time=time
    )


@st.composite
def builders(draw: st.DrawFn) -> RolloutBuilder:
    """A rollout in any state, with any history and any workloads."""
    plan = {
        **WORKLOAD,
        "keepWarm": draw(st.integers(0, 2)),
        "scaleDownDelaySeconds": draw(st.sampled_from([0, 600, 200_000])),
    }
    builder = a_rollout(workload=plan)
    for release in draw(st.lists(st.sampled_from(RELEASES), max_size=4)):
        healthy = draw(st.booleans())
        builder = (
            builder.remembering(release)
            if healthy
            else builder.remembering(release, Outcome.ROLLED_BACK, Reason.GATE_FAILED)
        )
    is_serving = draw(st.booleans())
    if is_serving:
        builder = builder.serving(draw(st.sampled_from(RELEASES[:2])))
    builder = builder.quarantining(*draw(st.sets(st.sampled_from(RELEASES[2:]))))
    if draw(st.booleans()):
        builder = builder.in_state(
            draw(st.sampled_from([*{*State} - ({State.INITIAL} if is_serving else set())]))
        )
    listed = draw(st.lists(st.sampled_from(RELEASES), unique=True))
    return builder.having(workloads=tuple(entry(r, is_cold=draw(st.booleans())) for r in listed)).asking_for(
        draw(st.sampled_from(RELEASES))
    )


@settings(max_examples=300, deadline=None)
@given(
    builder=builders(),
    replicas=st.integers(0, 3),
    weighted=st.sets(st.sampled_from(RELEASES)),
    age=st.sampled_from([0, 700, 900_000]),
    ready=st.booleans(),
)
def test_nothing_that_has_or_needs_requests_loses_its_pods(
    builder: RolloutBuilder, replicas: int, weighted: set[str], age: int, *, ready: bool
) -> None:
    """In any state: no stable, canary or warm target, and nothing with a weight on any route as seen."""
    obs = an_observation(
        builder,
        now=START + timedelta(seconds=age),
        release=a_ready_release(builder.plan.release_ref.name, service=None),
        endpoints_ready=ready,
        workloads={
            (kind, service_of(release)): made(kind, release, replicas)
            for kind in ("Deployment", "Service")
            for release in RELEASES
        }
        | {("Deployment", AGENT): TEMPLATE},
        weighted=frozenset(map(service_of, weighted)),
    )
    decision = decide(obs)
    if decision.status:  # a status that is news is written first
        obs = replace(obs, rollout=obs.rollout.replace(status=decision.status))
        decision = decide(obs)

    check_workloads(obs, decision)

    listed = {workload.name for workload in obs.status.workloads}
    assert {chore.manifest["metadata"]["name"] for chore in decision.chores} <= listed


@settings(max_examples=200, deadline=None)
@given(builder=builders())
def test_an_attempt_in_progress_reads_nothing_unless_a_release_that_serves_is_cold(
    builder: RolloutBuilder,
) -> None:
    """A rollback waits for no Deployment."""
    obs = an_observation(builder, release=a_ready_release(builder.plan.release_ref.name, service=None))
    serving = {record.release for record in (obs.status.stable, obs.status.canary) if record}
    is_cold = any(
        workload.scaled_down_time for workload in obs.status.workloads if workload.release in serving
    )

    decision = decide(obs)

    assert not (is_progressing(obs.status) and decision.unread and not is_cold)
    assert not (decision.writes and decision.unread)


def the_workloads(builder: RolloutBuilder, **fields: Any) -> Workloads:  # noqa: ANN401 any field
    """The workloads of a rollout that is about to start `NEW`."""
    rollout = builder.build()
    usual: dict[str, Any] = {
        "rollout": rollout,
        "status": rollout.status,
        "release": a_ready_release(NEW, service=None),
        "now": START,
        "starting": a_record(NEW),
        "seen": {
            ("Deployment", service_of(NEW)): None,
            ("Service", service_of(NEW)): None,
            ("Deployment", AGENT): TEMPLATE,
        },
    }
    return Workloads(**usual | fields)


def test_objects_are_made_only_once_the_status_lists_them() -> None:
    """Else a process that ends at the wrong time would leave objects that no one knows of."""
    unlisted = the_workloads(a_rollout(workload=WORKLOAD).serving(OLD))
    listed = the_workloads(a_rollout(workload=WORKLOAD).serving(OLD).having(workloads=(entry(NEW),)))

    assert (list(unlisted.changes()), unlisted.noted()) == ([], (entry(NEW),))
    kinds = [(type(change), change.manifest["kind"]) for change in listed.changes()]
    assert kinds == [(Write, "Deployment"), (Write, "Service")]


def test_a_missing_right_is_told_with_the_command_that_grants_it() -> None:
    """With the operator's own account, as the API server names it."""
    refusal = (
        'Failed to get Deployment support/x: deployments.apps "x" is forbidden: User '
        '"system:serviceaccount:ops:rollouts" cannot get resource "deployments" in API group "apps"'
    )
    seen = dict.fromkeys(the_workloads(a_rollout()).seen, Problem(Reason.FORBIDDEN, refusal))

    obstacle = the_workloads(a_rollout(workload=WORKLOAD), seen=seen).obstacle()

    assert obstacle is not None
    assert obstacle.reason is Reason.FORBIDDEN
    command = (
        "kubectl create rolebinding agentrollouts-workloads --namespace=support "
        "--clusterrole=rollouts-workloads --serviceaccount=ops:rollouts"
    )
    assert obstacle.message == f"{refusal}; to permit it: {command}"


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
def test_an_object_of_someone_else_is_never_written(kind: str) -> None:
    """The release waits, and both stay as they are."""
    plan = a_rollout(workload=WORKLOAD).having(workloads=(entry(NEW),))
    theirs = made(kind, NEW, uid="another")
    workloads = the_workloads(plan, seen={**the_workloads(plan).seen, (kind, service_of(NEW)): theirs})

    obstacle = workloads.obstacle()
    assert obstacle is not None
    assert (obstacle.reason, list(workloads.changes())) == (Reason.NAME_TAKEN, [])


def test_a_scale_down_names_the_version_that_was_seen() -> None:
    """If anything has changed the Deployment since, the API server refuses it."""
    plan = a_rollout(workload={**WORKLOAD, "keepWarm": 0}).remembering(OLDEST).serving(OLD)
    cold = the_workloads(
        plan.having(workloads=(entry(OLDEST),)),
        starting=None,
        may_shrink=True,
        seen={("Deployment", service_of(OLDEST)): made("Deployment", OLDEST)},
    )

    [patch] = cold.changes()

    assert isinstance(patch, Patch)
    assert patch.operations == (
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/spec/replicas", "value": 0},
    )
    assert cold.until() == START + SOON


@pytest.mark.parametrize("is_cold", [True, False])
def test_what_a_rollback_waits_for_gets_pods(*, is_cold: bool) -> None:
    """Also if the process that took them away ended before it noted that in the status."""
    plan = a_rollout(workload={**WORKLOAD, "keepWarm": 0}).remembering(OLDEST).serving(OLD)
    there = {("Service", service_of(OLDEST)): made("Service", OLDEST), ("Deployment", AGENT): TEMPLATE}
    awaited = the_workloads(
        plan.having(workloads=(entry(OLDEST, is_cold=is_cold),)),
        starting=None,
        target=a_record(OLDEST),
        may_shrink=True,
        seen=there | {("Deployment", service_of(OLDEST)): made("Deployment", OLDEST, replicas=0)},
    )

    [patch] = awaited.changes()

    assert isinstance(patch, Patch)
    assert patch.operations[-1] == {"op": "add", "path": "/spec/replicas", "value": WORKLOAD["replicas"]}
    assert awaited.until() == START + SOON


@pytest.mark.parametrize(
    ("release", "digest"), [(NEW, "sha256:" + "0" * 64), (NEW.replace(".", "-"), digest_of(NEW))]
)
def test_the_pods_of_another_content_are_never_taken_for_those_of_a_release(
    release: str, digest: str
) -> None:
    """A name that is used again, and one that differs by dots alone, wait until the old object is deleted."""
    record = a_record(release, version="4.2.0", digest=digest)
    plan = a_rollout(workload=WORKLOAD).serving(OLD).having(workloads=(entry(NEW),))
    there = {(kind, service_of(NEW)): made(kind, NEW) for kind in ("Deployment", "Service")}
    workloads = the_workloads(plan, starting=record, seen={("Deployment", AGENT): TEMPLATE} | there)

    obstacle = workloads.obstacle()

    assert obstacle is not None
    assert (obstacle.reason, list(workloads.changes())) == (Reason.NAME_TAKEN, [])
    assert [(listed.release, listed.digest) for listed in workloads.noted()] == [(release, digest)]


@pytest.mark.parametrize(
    ("ready", "is_proved", "is_said"), [(0, False, True), (1, False, False), (0, True, False)]
)
def test_pods_that_a_quota_refuses_are_the_reason_of_the_wait(
    ready: int, *, is_proved: bool, is_said: bool
) -> None:
    """The Deployment says why it gets none; with one that is ready, the release can start."""
    refusal = 'pods "x" is forbidden: exceeded quota: full, requested: pods=1, used: pods=4, limited: pods=4'
    conditions = [
        {"type": "Available", "status": "False", "message": "no"},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refusal},
    ]
    there = {(kind, service_of(NEW)): made(kind, NEW) for kind in ("Deployment", "Service")}
    deployment = there["Deployment", service_of(NEW)]
    deployment["status"] = {"readyReplicas": ready, "conditions": conditions}
    workloads = the_workloads(
        a_rollout(workload=WORKLOAD).serving(OLD).having(workloads=(entry(NEW),)),
        seen={("Deployment", AGENT): TEMPLATE} | there,
    )
    said = Problem(Reason.NO_READY_ENDPOINTS, f"Deployment {service_of(NEW)} gets no pods: {refusal}")

    assert workloads.obstacle(is_proved=is_proved) == (said if is_said else None)
    assert workloads.until() == START + SOON
