"""The table of alerts: which are true of a rollout, by its status alone. One row for each.

The leader's task posts the set to every Alertmanager (`shell.effects.alerts`), which has the receivers, the
silences and the repeats.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from agentrollouts.api.attempt import AttemptKind, State
from agentrollouts.api.model.text import within_bytes
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import DetourCause
from agentrollouts.api.recovery.drill import DrillOutcome
from agentrollouts.api.recovery.hooks import HookState, Moment
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, Outcome
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.conditions import (
    DATA_RECOVERED,
    GROUP_CONSISTENT,
    METRICS_CONDITION,
    READY,
    STALLED,
    SWITCHED_OFF,
    TRAFFIC_APPLIED,
    find_condition,
)
from agentrollouts.core.history import is_drill, rollback_of
from agentrollouts.core.states import is_progressing, is_under_way
from agentrollouts.insight.alerts.alert import Alert, AlertName, AlertSeverity, Span

PATIENCE: Final = timedelta(seconds=60)
"""How long a rollout can need a person before anyone is notified; many such states end sooner."""
BLIND_AFTER: Final = timedelta(minutes=10)
NEWS_FOR: Final = timedelta(minutes=10)
"""How long an alert is true that only says what happened."""
FULL: Final = 100
OFF: Final = frozenset({DetourCause.SWITCH_OFF, DetourCause.GATE, DetourCause.CAP, DetourCause.LAST_RESORT})
"""Causes of a detour by which someone or something switched the agent off."""
SHIPS: Final = frozenset({AttemptKind.RELEASE, AttemptKind.RETURN})
"""Kinds of an attempt that someone began by `spec.releaseRef`."""
MOST_BYTES: Final = 2048
"""Length of a description; receivers cut longer ones, each at another place."""


class _Found(NamedTuple):
    """What a row says."""

    since: datetime
    release: str
    what: str
    """What is wrong, as a clause whose subject is the rollout."""
    description: str
    until: datetime | None = None
    severity: AlertSeverity | None = None
    """Another severity than that of the table."""


def alerts(rollout: AgentRollout, now: datetime) -> frozenset[Alert]:
    """The alerts that are true now."""
    return frozenset(span.alert for span in spans(rollout) if span.is_true(now))


def spans(rollout: AgentRollout) -> tuple[Span, ...]:
    """The alerts that are true, or will be if the status stays as it is."""
    return tuple(_spans(rollout))


def _spans(rollout: AgentRollout) -> Iterator[Span]:
    metadata = rollout.metadata
    for name, (severity, row) in TABLE.items():
        if (found := row(rollout)) is not None:
            alert = Alert(
                name=name,
                severity=found.severity or severity,
                namespace=metadata.namespace,
                rollout=metadata.name,
                agent=rollout.spec.agent,
                release=found.release,
                starts_at=found.since,
                summary=f"{metadata.namespace}/{metadata.name} {found.what}",
                description=within_bytes(found.description, MOST_BYTES),
            )
            yield Span(alert, found.until)


def _needs_you(rollout: AgentRollout) -> _Found | None:
    status, attempt = rollout.status, rollout.status.attempt
    release, what = _subject(rollout), "needs a person"
    if stalled := _said(status, STALLED, ConditionStatus.TRUE):
        since = stalled.last_transition_time + PATIENCE
        return _Found(since, release, f"{what}: {stalled.reason}", stalled.message)
    if attempt is None or attempt.state is not State.AWAITING_APPROVAL:
        return None
    # The status does not say since when. It cannot be longer than since the phase had run for so long.
    passed = (attempt.phase_start_time or attempt.start_time) + timedelta(seconds=attempt.elapsed_seconds)
    return _Found(passed + PATIENCE, release, f"{what}: {attempt.state}", _summary(status))


def _rolled_back(rollout: AgentRollout) -> _Found | None:
    status, release = rollout.status, rollout.spec.release_ref.name
    times = [entry.time for entry in status.quarantined if entry.release == release]
    ready = find_condition(status.conditions, READY)
    if ready and ready.reason == Reason.QUARANTINED:  # perhaps by another name of the same digest
        times.append(ready.last_transition_time)
    if not times:
        return None
    return _Found(times[0], release, f"rolled back {release}, which Git still requests", _summary(status))


def _rollback_late(rollout: AgentRollout) -> _Found | None:
    applied = find_condition(rollout.status.conditions, TRAFFIC_APPLIED)
    rollback = rollback_of(rollout.status)
    if applied is None or applied.reason != Reason.ROLLBACK_LATE or rollback is None:
        return None
    since = rollback.decided_time + timedelta(seconds=rollout.spec.rollback.budget_seconds)
    return _Found(since, rollback.from_, f"rolls back {rollback.from_} too slowly", applied.message)


def _not_recovered(rollout: AgentRollout) -> _Found | None:
    status, rollback = rollout.status, rollout.status.last_rollback
    attempt = status.attempt
    is_last = attempt is not None and attempt.state in {State.VERIFYING, State.ROLLED_BACK}
    if not is_last or is_drill(status) or rollback is None:
        return None
    if rollback.outcome is not VerifyOutcome.NOT_RECOVERED:
        return None
    what = f"did not recover after the rollback of {rollback.from_}"
    return _Found(
        rollback.verified_time or rollback.decided_time, rollback.from_, what, rollback.verification
    )


def _degraded(rollout: AgentRollout) -> _Found | None:
    status = rollout.status
    if rollout.spec.watch is None or status.stable is None or is_progressing(status):
        return None
    failing = [gate for gate in status.watched if gate.verdict is Verdict.FAIL]
    if not failing:
        return None
    began = (gate.beyond_start_time or gate.failing_start_time or gate.last_sample_time for gate in failing)
    since = min(filter(None, began), default=rollout.metadata.creation_timestamp)
    if since is None:
        return None
    description = "; ".join(f"{gate.name}: {gate.message}" for gate in failing)
    what = f"serves {status.stable.release}, which fails at rest"
    return _Found(since, status.stable.release, what, description)


def _blind(rollout: AgentRollout) -> _Found | None:
    status = rollout.status
    metrics = _said(status, METRICS_CONDITION, ConditionStatus.FALSE)
    if metrics is None or not is_progressing(status):
        return None
    what = "has no metrics of a release that is being rolled out"
    return _Found(metrics.last_transition_time + BLIND_AFTER, _subject(rollout), what, metrics.message)


def _switched_off(rollout: AgentRollout) -> _Found | None:
    status, detour = rollout.status, rollout.status.detour
    if detour is None or detour.cause not in OFF:
        return None
    is_whole = detour.percent == FULL
    said = find_condition(status.conditions, SWITCHED_OFF)
    return _Found(
        detour.since,
        _serving(status),
        "is switched off" if is_whole else "is switched off for a share of its traffic",
        said.message if said else detour.message,
        severity=AlertSeverity.CRITICAL if is_whole else None,
    )


def _on_standby(rollout: AgentRollout) -> _Found | None:
    detour = rollout.status.detour
    if detour is None or detour.standby is None:
        return None
    what = f"is served by a standby because {detour.gate or 'a gate'} failed"
    return _Found(detour.since, detour.standby.release, what, detour.message)


def _hook_failed(rollout: AgentRollout) -> _Found | None:
    repaired = _said(rollout.status, DATA_RECOVERED, ConditionStatus.FALSE)
    if repaired is None:
        return None
    hooks = rollout.status.hooks
    failed = [e for e in hooks if e.at is Moment.AFTER_ROLLBACK and e.state is HookState.FAILED]
    release = _release_of(rollout, failed[-1].attempt) if failed else ""
    what = "has a failed hook, so what a bad release wrote may still be there"
    return _Found(repaired.last_transition_time, release, what, repaired.message)


def _group_inconsistent(rollout: AgentRollout) -> _Found | None:
    group = _said(rollout.status, GROUP_CONSISTENT, ConditionStatus.FALSE)
    if group is None:
        return None
    what = "is in a group of which a member cannot roll back"
    return _Found(group.last_transition_time, _serving(rollout.status), what, group.message)


def _drill_failed(rollout: AgentRollout) -> _Found | None:
    drill = rollout.status.last_drill
    if drill is None or drill.outcome is not DrillOutcome.FAILED:
        return None
    what = f"cannot roll back to {drill.target}, whose newest drill failed"
    return _Found(drill.time, drill.target, what, drill.message)


def _started(rollout: AgentRollout) -> _Found | None:
    attempt = rollout.status.attempt
    if attempt is None or attempt.kind not in SHIPS:
        return None
    release = _release_of(rollout, attempt.number)
    since = attempt.start_time
    return _Found(
        since, release, f"started to roll out {release}", _summary(rollout.status), since + NEWS_FOR
    )


def _promoted(rollout: AgentRollout) -> _Found | None:
    history = rollout.status.history
    newest = next((entry for entry in history if entry.kind in SHIPS), None)
    if newest is None or newest.outcome is not Outcome.HEALTHY:
        return None
    what = f"promoted {newest.release}"
    return _Found(newest.end_time, newest.release, what, newest.message, newest.end_time + NEWS_FOR)


def _said(status: AgentRolloutStatus, kind: str, wanted: ConditionStatus) -> Condition | None:
    """The condition of that type, if it has this status."""
    found = find_condition(status.conditions, kind)
    return found if found and found.status is wanted else None


def _summary(status: AgentRolloutStatus) -> str:
    """The message of the summary condition."""
    ready = find_condition(status.conditions, READY)
    return ready.message if ready else ""


def _serving(status: AgentRolloutStatus) -> str:
    """The stable release; empty if there is none, and then the alert has no such label."""
    return status.stable.release if status.stable else ""


def _subject(rollout: AgentRollout) -> str:
    """The release that is being rolled out; at rest the one that Git requests."""
    status = rollout.status
    if status.canary and is_under_way(status):
        return status.canary.release
    return rollout.spec.release_ref.name


def _release_of(rollout: AgentRollout, attempt: int) -> str:
    """The release of an attempt; the one that Git requests if the status no longer knows it."""
    status = rollout.status
    if status.attempt and status.attempt.number == attempt and status.canary:
        return status.canary.release
    known = (entry.release for entry in status.history if entry.number == attempt)
    return next(known, rollout.spec.release_ref.name)


Row = Callable[[AgentRollout], _Found | None]

TABLE: Final[Mapping[AlertName, tuple[AlertSeverity, Row]]] = {
    AlertName.NEEDS_YOU: (AlertSeverity.WARNING, _needs_you),
    AlertName.ROLLED_BACK: (AlertSeverity.WARNING, _rolled_back),
    AlertName.ROLLBACK_LATE: (AlertSeverity.CRITICAL, _rollback_late),
    AlertName.NOT_RECOVERED: (AlertSeverity.CRITICAL, _not_recovered),
    AlertName.DEGRADED: (AlertSeverity.WARNING, _degraded),
    AlertName.BLIND: (AlertSeverity.WARNING, _blind),
    AlertName.SWITCHED_OFF: (AlertSeverity.WARNING, _switched_off),
    AlertName.ON_STANDBY: (AlertSeverity.WARNING, _on_standby),
    AlertName.HOOK_FAILED: (AlertSeverity.WARNING, _hook_failed),
    AlertName.GROUP_INCONSISTENT: (AlertSeverity.WARNING, _group_inconsistent),
    AlertName.DRILL_FAILED: (AlertSeverity.WARNING, _drill_failed),
    AlertName.STARTED: (AlertSeverity.INFO, _started),
    AlertName.PROMOTED: (AlertSeverity.INFO, _promoted),
}
"""Each alert, its severity unless the settings say otherwise, and when it is true."""
