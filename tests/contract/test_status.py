from datetime import UTC, datetime
from typing import Any

import pytest

from agentrollouts.api.attempt import Attempt, AttemptKind, Fuse, Hold, RequiredApproval, State, Trigger
from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.people.action import (
    Acknowledged,
    ActionType,
    GivenApproval,
    PersonalAct,
    Promotion,
    Retried,
    TakenAction,
)
from agentrollouts.api.reasons import Reason
from agentrollouts.api.record.course import Look
from agentrollouts.api.record.progress import EvidenceState, RecordPart, RecordStatus
from agentrollouts.api.recovery.detour import Detour, DetourCause, LastDetour
from agentrollouts.api.recovery.drill import DrillOutcome, LastDrill
from agentrollouts.api.recovery.fallback import FallbackStatus
from agentrollouts.api.recovery.hooks import HookState, HookStatus, Moment, WebhookStatus
from agentrollouts.api.recovery.standby import StandbyRelease
from agentrollouts.api.release import (
    AgentReleaseStatus,
    Change,
    ComponentDiff,
    Requirement,
    ServiceRef,
    SnapshotRef,
)
from agentrollouts.api.rollback import AffectedWindow, LastRollback, LastRuns, VerifyOutcome, WeightChange
from agentrollouts.api.status import (
    AgentRolloutStatus,
    GroupStatus,
    HistoryEntry,
    Outcome,
    Quarantined,
    ReleaseRecord,
    WeightsStatus,
)
from agentrollouts.api.verdict import (
    Baseline,
    BoundCounts,
    CapStatus,
    Counts,
    GateStatus,
    MixCounts,
    Numerator,
    QueryStatus,
    RecentCounts,
    SegmentStatus,
    Severity,
    Side,
    StartedRuns,
    Verdict,
)
from agentrollouts.api.workload import StampedWorkload
from tests.contract.server import ApiServer

NOW = datetime(2026, 11, 21, 10, 53, 0, 123456, UTC)
DIGEST = "sha256:" + "ab" * 32
READY = Condition(
    type="Ready",
    status=ConditionStatus.FALSE,
    reason=Reason.HELD,
    message="x" * 40_000,
    last_transition_time=NOW,
    observed_generation=7,
)

RELEASE: dict[str, Any] = {
    "apiVersion": "agentrollouts.dev/v1alpha1",
    "kind": "AgentRelease",
    "metadata": {"name": "status-1.0.0"},
    "spec": {
        "agent": "status",
        "version": "1.0.0",
        "components": {
            "prompt": {"version": "1.0.0", "inline": {}},
            "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
        },
    },
}
ROLLOUT: dict[str, Any] = {
    "apiVersion": "agentrollouts.dev/v1alpha1",
    "kind": "AgentRollout",
    "metadata": {"name": "status"},
    "spec": {"agent": "status", "releaseRef": {"name": "status-1.0.0"}},
}

RELEASE_STATUS = AgentReleaseStatus(
    observed_generation=1,
    digest=DIGEST,
    component_digests={"prompt": DIGEST, "model": DIGEST},
    snapshot=SnapshotRef(name="status-abababababababab"),
    diff=(
        ComponentDiff(component="prompt", from_="1.0.0", to="2.0.0", change=Change.MAJOR),
        ComponentDiff(component="tools", to="1.0.0", change=Change.ADDED),
    ),
    external_actions=("issue_refund",),
    conditions=(READY,),
)

STANDBY = StandbyRelease(
    release="support-agent-4.2.0-no-refunds",
    version="4.2.0-no-refunds",
    digest=DIGEST,
    service=ServiceRef(name="support-agent-no-refunds", port=8080),
    snapshot="support-agent-abababababababab",
)
RECORD = ReleaseRecord(
    release="status-1.0.0",
    version="1.0.0",
    digest=DIGEST,
    service=ServiceRef(name="status-1-0-0", port=8080, kind="TraefikService", group="traefik.io"),
    snapshot="status-abababababababab",
    healthy_time=NOW,
    requires=(Requirement(agent="billing", versions=">=2.0.0,<3.0.0"),),
)
ACT: dict[str, Any] = {
    "by": "lee@example.com",
    "action": "support-agent-rx8m4",
    "reason": "I read 40 conversations",
    "time": NOW,
}
PART: dict[str, Any] = {
    "name": "status-3f2a91c0-000013",
    "attempt": 13,
    "part": 2,
    "release": "status-1.0.0",
    "version": "1.0.0",
    "digest": DIGEST,
    "previous": DIGEST,
    "sequence": 7,
}
SEGMENT = SegmentStatus(
    phase_index=0,
    weight=5,
    started=StartedRuns(canary=50.2, stable=954.8),
    underway=0.1,
    canary=Counts(bad=1.7375, total=94.7),
    stable=Counts(bad=0.1 + 0.2, total=1e17),
    bounds=tuple(BoundCounts(le=0.1 * 2**i, canary=1 / 3, stable=2 / 3) for i in range(14)),
)
GATE = GateStatus(
    name="errors",
    verdict=Verdict.FAIL,
    reason=Reason.GATE_FAILED,
    message="errors: canary served 5.0% of 1,000 runs but had 8 of 19 failures (42%)",
    severity=Severity.HIGH,
    canary=Counts(bad=8, total=50),
    stable=Counts(bad=11, total=950),
    evidence=2.4e16,
    ratio=13.8,
    burst_factor=1.0,
    recent=RecentCounts(canary=Counts(bad=3, total=9), stable=Counts(bad=1, total=171)),
    mix=(MixCounts(value="approve", canary=26.5, stable=430.0),),
    baseline=Baseline(bad=48, total=4000, bound=0.8),
    source='agent_runs_total{outcome="failed"} of agent_runs_total',
    numerator=Numerator.SEEN,
    first_values_ignored=(Side.CANARY, Side.STABLE),
    failing_start_time=NOW,
    holding_start_time=NOW,
    beyond_start_time=NOW,
    stray_start_time=NOW,
    looks=3,
    last_sample_time=NOW,
    segments=(SEGMENT,) * 13,
    present=SEGMENT,
)
ROLLOUT_STATUS = AgentRolloutStatus(
    observed_generation=7,
    stable=RECORD,
    canary=RECORD,
    weights=WeightsStatus(stable=95, canary=5),
    requested_weight=5,
    workloads=(
        StampedWorkload(name="status-1-0-0", release="status-1.0.0", digest=DIGEST, scaled_down_time=NOW),
    ),
    attempt=Attempt(
        number=12,
        state=State.HELD,
        digest=DIGEST,
        plan_hash="sha256:" + "cd" * 32,
        phase_index=2,
        phase_name="ramp",
        step=3,
        weight=46,
        start_time=NOW,
        phase_start_time=NOW,
        clock_start_time=NOW,
        endpoints_lost_time=NOW,
        counting_start_time=NOW,
        elapsed_seconds=3600,
        extensions=1,
        traffic_start_time=NOW,
        outlook="about 50 canary runs: can catch total failure and not much else",
        trigger=Trigger.BREACH,
        approvals=(RequiredApproval(phase_name="canary-25", weight=25, count=2),),
        approved_by=tuple(GivenApproval(**ACT, phase_name="canary-25") for _ in range(100)),
        promoted=Promotion(**ACT, phase_name="ramp"),
        promoted_by=("ali@example.com",) * 20,
        held_by=PersonalAct(**ACT),
        hold=Hold(
            reason=Reason.PAUSED,
            message=Reason.PAUSED.sentence,
            since=NOW,
            until=NOW,
            resumes=State.CANARY,
        ),
        fuse=Fuse(gate="gate-0", since=NOW, until=NOW, warned=2),
        acknowledged=Acknowledged(**ACT, until=NOW, gates=tuple(f"gate-{i}" for i in range(16))),
    ),
    gates=tuple(GATE.replace(name=f"gate-{i}") for i in range(16)),
    caps=(CapStatus(name="spend", value=41.5, exceeded=False, time=NOW, message="canary added 41.5"),),
    query=QueryStatus(gate="gate-0", time=NOW, text="sum by (release) (increase(agent_runs_total[400s]))"),
    last_rollback=LastRollback(
        from_="status-1.0.0",
        to="status-0.9.0",
        trigger=Trigger.BREACH,
        reason=Reason.GATE_FAILED,
        message=GATE.message,
        decided_time=NOW,
        routed_time=NOW,
        observed_time=NOW,
        verified_time=NOW,
        last_runs=LastRuns(runs=12, time=NOW, scrapes=4),
        outcome=VerifyOutcome.RECOVERED,
    ),
    last_drill=LastDrill(
        time=NOW,
        target="status-0.9.0",
        digest=DIGEST,
        attempt=8,
        weight=1,
        runs=41,
        decided_to_routed_seconds="0.014",
        decided_to_last_run_seconds="12.5",
        outcome=DrillOutcome.FAILED,
        message=GATE.message,
        requested_by="dana@example.com",
        rollback=LastRollback(
            from_="status-0.9.0",
            to="status-1.0.0",
            trigger=Trigger.DRILL,
            reason=Reason.DRILL,
            decided_time=NOW,
        ),
    ),
    next_drill_time=NOW,
    affected_window=AffectedWindow(
        release="status-1.0.0",
        start_time=NOW,
        end_time=NOW,
        attempt=7,
        digest="sha256:" + "0" * 64,
        last_run_time=NOW,
        is_final=True,
        runs=41,
        weights=(WeightChange(time=NOW, canary=5), WeightChange(time=NOW, canary=0)),
    ),
    record=RecordStatus(
        **PART,
        head=DIGEST,
        bytes_=4096,
        refusals=1,
        evidence=EvidenceState.PENDING,
        unwritten=({"sequence": 7, "event": "Held", "previous": DIGEST, "hash": DIGEST, "later": [1]},),
        earlier=(RecordPart(**PART),),
    ),
    course=(Look(seconds=180, weight=5, evidence=(0, -2, 60, -99)),),
    quarantined=tuple(
        Quarantined(
            digest=f"sha256:{i:064x}",
            release="status-1.0.0",
            reason=Reason.GATE_FAILED,
            message=GATE.message,
            time=NOW,
        )
        for i in range(20)
    ),
    history=tuple(
        HistoryEntry(
            number=i,
            release="status-1.0.0",
            version="1.0.0",
            digest=DIGEST,
            service=RECORD.service,
            snapshot=RECORD.snapshot,
            outcome=Outcome.ROLLED_BACK,
            reason=Reason.GATE_FAILED,
            message=GATE.message,
            start_time=NOW,
            end_time=NOW,
            kind=AttemptKind.GO_BACK,
            trigger=Trigger.GROUP,
            decided_time=NOW,
            requires=RECORD.requires,
            traffic_start_time=NOW,
            traffic_end_time=NOW,
            runs=41,
        )
        for i in range(50, 0, -1)
    ),
    watched=(GATE,),
    group=GroupStatus(name="checkout", since=NOW, is_stuck=True),
    detour=Detour(
        id="4f2a91c0",
        cause=DetourCause.GATE,
        percent=100,
        gate="data-leak",
        message=GATE.message,
        by="dana@example.com",
        action="support-agent-q4v7m",
        since=NOW,
        standby=STANDBY,
        until=NOW,
        trips=2,
    ),
    last_detour=LastDetour(
        id="4f2a91c0",
        cause=DetourCause.SWITCH_OFF,
        percent=30,
        gate="data-leak",
        start_time=NOW,
        end_time=NOW,
        by="dana@example.com",
        standby=STANDBY,
        trips=2,
    ),
    fallback=FallbackStatus(
        rollout="faq-agent",
        release="faq-agent-1.2.0",
        service=ServiceRef(name="faq-agent-1-2-0", port=8080),
        message="AgentRollout faq-agent is switched off itself",
    ),
    hooks=(
        HookStatus(
            attempt=13,
            name="reverse-refunds",
            at=Moment.AFTER_ROLLBACK,
            state=HookState.WAIVED,
            tries=2,
            job="reverse-refunds-13-2-0badcafe",
            job_uid="4f2a91c0-0000-4000-8000-000000000000",
            start_time=NOW,
            end_time=NOW,
            message="Job reverse-refunds-13-2-0badcafe failed: BackoffLimitExceeded",
            waived=PersonalAct(**ACT),
        ),
        HookStatus(
            attempt=13,
            name="notify-crm",
            at=Moment.AFTER_ROLLBACK,
            tries=2,
            webhook=WebhookStatus(endpoint="crm", requests=2, next_time=NOW),
            start_time=NOW,
            message='Endpoint crm responded 503: "busy"',
        ),
    ),
    retried=Retried(**ACT, digest=DIGEST, attempt=11),
    actions=tuple(
        TakenAction(
            uid=f"uid-{i}",
            name="support-agent-rx8m4",
            type=ActionType.ROLL_BACK,
            attempt=13,
            by="dana@example.com",
            time=NOW,
            result=Reason.DONE,
            message="status-1.0.0 was rolled back to status-0.9.0",
            routed_seconds="0.014",
        )
        for i in range(60)
    ),
    conditions=(READY,),
)


def fields_of(value: object) -> set[str]:
    """The dotted names of all fields that have a value somewhere."""
    match value:
        case ApiModel():
            own = {name for name in type(value).model_fields if getattr(value, name) not in (None, ())}
            return {f"{type(value).__name__}.{name}" for name in own}.union(
                *(fields_of(getattr(value, name)) for name in own)
            )
        case tuple():
            return set().union(*map(fields_of, value))
        case _:
            return set()


def test_the_samples_leave_nothing_out() -> None:
    """Every field of every part of a status is tried, so that a new one cannot be forgotten."""
    fields = fields_of(ROLLOUT_STATUS) | fields_of(RELEASE_STATUS)
    types = {name.partition(".")[0] for name in fields}

    bases = (ApiModel, Counts, PersonalAct, RecordPart)
    classes = [cls for base in bases for cls in base.__subclasses__()]
    assert {
        f"{cls.__name__}.{field}" for cls in classes if cls.__name__ in types for field in cls.model_fields
    } == fields


@pytest.mark.parametrize(
    ("manifest", "status"), [(RELEASE, RELEASE_STATUS), (ROLLOUT, ROLLOUT_STATUS)], ids=["release", "rollout"]
)
def test_the_api_server_keeps_a_status_as_it_was_written(
    manifest: dict[str, Any], status: ApiModel, api_server: ApiServer
) -> None:
    """The fullest status that the operator can write is accepted, and comes back without a loss."""
    stored = api_server.create(manifest, dry_run=False)
    assert stored.code == 201, stored.message

    answer = api_server.update(stored.body | {"status": status.to_json()}, "/status")
    api_server.delete(manifest)

    assert answer.code == 200, answer.message
    assert answer.body["status"] == status.to_json()
    assert type(status).model_validate(answer.body["status"]) == status
