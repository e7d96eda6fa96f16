"""Inputs: a rollout with its status. Outputs: the alerts that are true, and what identifies each."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import AttemptKind, State
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import Detour, DetourCause
from agentrollouts.api.recovery.drill import DrillOutcome, LastDrill
from agentrollouts.api.recovery.hooks import HookState, HookStatus, Moment
from agentrollouts.api.recovery.standby import StandbyRelease
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.verdict import GateStatus, Severity, Verdict
from agentrollouts.core.conditions import (
    DATA_RECOVERED,
    GROUP_CONSISTENT,
    METRICS_CONDITION,
    READY,
    STALLED,
    SWITCHED_OFF,
    TRAFFIC_APPLIED,
)
from agentrollouts.insight.alerts.alert import Alert, AlertName, AlertSeverity
from agentrollouts.insight.alerts.table import BLIND_AFTER, MOST_BYTES, NEWS_FOR, PATIENCE, TABLE, alerts
from testkit.builders.names import AGENT, NAMESPACE, NEW, NEXT, OLD, OLDEST, START, digest_of
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.world import Behavior, a_world_at_rest

LATER: Final = START + timedelta(days=3)
SAID: Final = "canary had 39 failures in 4,856 runs = 12.8x, limit 1.1x"
SECOND: Final = timedelta(seconds=1)


def saying(
    builder: RolloutBuilder, kind: str, status: ConditionStatus, reason: Reason, message: str = SAID
) -> RolloutBuilder:
    """With this condition, true since `START`."""
    new = Condition(type=kind, status=status, reason=reason, message=message, last_transition_time=START)
    others = tuple(each for each in builder.status.conditions if each.type != kind)
    return builder.having(conditions=(*others, new))


def at_rest(**spec: object) -> RolloutBuilder:
    """Two releases were healthy, and the second one serves."""
    return a_rollout(**{"releaseRef": {"name": OLD}, **spec}).serving(OLDEST).serving(OLD)


def on_trial() -> RolloutBuilder:
    """A canary in its first phase."""
    return at_rest(releaseRef={"name": NEW}).trying(NEW)


def quarantined() -> RolloutBuilder:
    """Git requests a release that was rolled back."""
    return at_rest(releaseRef={"name": NEW}).quarantining(NEW)


def late() -> RolloutBuilder:
    """A rollback that is not on the route yet."""
    return saying(
        on_trial().rolling_back(), TRAFFIC_APPLIED, ConditionStatus.FALSE, Reason.ROLLBACK_LATE
    ).asking_for(OLD)


def unhelped() -> RolloutBuilder:
    """A rollback after which stable is as bad as before."""
    done = on_trial().rolling_back(State.ROLLED_BACK)
    assert done.status.last_rollback is not None
    rollback = done.status.last_rollback.copy_with(
        outcome=VerifyOutcome.NOT_RECOVERED, verified_time=START, verification=SAID
    )
    return done.having(last_rollback=rollback, canary=None).asking_for(OLD)


def degraded() -> RolloutBuilder:
    """Stable fails while it serves alone."""
    gate = GateStatus(
        name="errors",
        verdict=Verdict.FAIL,
        reason="GateFailed",
        severity=Severity.HIGH,
        message=SAID,
        beyond_start_time=START,
    )
    return at_rest(watch={}).having(watched=(gate,))


def on_standby() -> RolloutBuilder:
    """A standby serves in the place of stable."""
    standby = StandbyRelease(release=NEW, version="2.0.0", digest=f"sha256:{'b' * 64}", snapshot="snapshot")
    detour = Detour(
        id="4f2a91c1",
        cause=DetourCause.STANDBY,
        percent=100,
        gate="errors",
        message=SAID,
        since=START,
        standby=standby,
    )
    return at_rest().having(detour=detour)


def detoured(percent: int) -> RolloutBuilder:
    """Switched off, for a share or for all."""
    detour = Detour(id="4f2a91c0", cause=DetourCause.GATE, percent=percent, message="x", since=START)
    off = at_rest().having(detour=detour)
    return saying(off, SWITCHED_OFF, ConditionStatus.TRUE, Reason.SWITCHED_OFF)


def unrepaired() -> RolloutBuilder:
    """A hook of the attempt before has failed."""
    failed = HookStatus(attempt=1, name="repair", at=Moment.AFTER_ROLLBACK, state=HookState.FAILED)
    return saying(
        at_rest().having(hooks=(failed,)), DATA_RECOVERED, ConditionStatus.FALSE, Reason.HOOK_FAILED
    )


def drilled() -> RolloutBuilder:
    """The newest drill failed."""
    drill = LastDrill(
        time=START, target=OLDEST, digest=digest_of(OLDEST), outcome=DrillOutcome.FAILED, message=SAID
    )
    return at_rest().having(last_drill=drill)


def promoted() -> RolloutBuilder:
    """The newest attempt became healthy at `START`."""
    (newest, *others) = at_rest().status.history
    return at_rest().having(history=(newest.copy_with(end_time=START, message=SAID), *others))


def approving() -> RolloutBuilder:
    """A phase passed and waits for approval."""
    return saying(on_trial().awaiting_approval(), READY, ConditionStatus.FALSE, Reason.AWAITING_APPROVAL)


def an_alert(
    name: AlertName, severity: AlertSeverity, release: str, after: timedelta, what: str, said: str = SAID
) -> Alert:
    """An alert about the rollout of the builders."""
    return Alert(
        name=name,
        severity=severity,
        namespace=NAMESPACE,
        rollout=AGENT,
        agent=AGENT,
        release=release,
        starts_at=START + after,
        summary=f"{NAMESPACE}/{AGENT} {what}",
        description=said,
    )


CASES: Final[dict[str, tuple[RolloutBuilder, Alert]]] = {
    "stalled": (
        saying(on_trial(), STALLED, ConditionStatus.TRUE, Reason.INVALID_GATE),
        an_alert(AlertName.NEEDS_YOU, AlertSeverity.WARNING, NEW, PATIENCE, "needs a person: InvalidGate"),
    ),
    "approval": (
        approving(),
        an_alert(
            AlertName.NEEDS_YOU,
            AlertSeverity.WARNING,
            NEW,
            PATIENCE + timedelta(seconds=600),
            "needs a person: AwaitingApproval",
        ),
    ),
    "quarantine": (
        saying(quarantined(), READY, ConditionStatus.FALSE, Reason.QUARANTINED),
        an_alert(
            AlertName.ROLLED_BACK,
            AlertSeverity.WARNING,
            NEW,
            timedelta(),
            f"rolled back {NEW}, which Git still requests",
        ),
    ),
    "late": (
        late(),
        an_alert(
            AlertName.ROLLBACK_LATE,
            AlertSeverity.CRITICAL,
            NEW,
            timedelta(seconds=60),
            f"rolls back {NEW} too slowly",
        ),
    ),
    "not recovered": (
        unhelped(),
        an_alert(
            AlertName.NOT_RECOVERED,
            AlertSeverity.CRITICAL,
            NEW,
            timedelta(),
            f"did not recover after the rollback of {NEW}",
        ),
    ),
    "degraded": (
        degraded(),
        an_alert(
            AlertName.DEGRADED,
            AlertSeverity.WARNING,
            OLD,
            timedelta(),
            f"serves {OLD}, which fails at rest",
            f"errors: {SAID}",
        ),
    ),
    "blind": (
        saying(on_trial(), METRICS_CONDITION, ConditionStatus.FALSE, Reason.METRICS_STALE),
        an_alert(
            AlertName.BLIND,
            AlertSeverity.WARNING,
            NEW,
            BLIND_AFTER,
            "has no metrics of a release that is being rolled out",
        ),
    ),
    "off": (
        detoured(100),
        an_alert(AlertName.SWITCHED_OFF, AlertSeverity.CRITICAL, OLD, timedelta(), "is switched off"),
    ),
    "on standby": (
        on_standby(),
        an_alert(
            AlertName.ON_STANDBY,
            AlertSeverity.WARNING,
            NEW,
            timedelta(),
            "is served by a standby because errors failed",
            SAID,
        ),
    ),
    "partly off": (
        detoured(40),
        an_alert(
            AlertName.SWITCHED_OFF,
            AlertSeverity.WARNING,
            OLD,
            timedelta(),
            "is switched off for a share of its traffic",
        ),
    ),
    "hook": (
        unrepaired(),
        an_alert(
            AlertName.HOOK_FAILED,
            AlertSeverity.WARNING,
            OLDEST,
            timedelta(),
            "has a failed hook, so what a bad release wrote may still be there",
        ),
    ),
    "group": (
        saying(at_rest(), GROUP_CONSISTENT, ConditionStatus.FALSE, Reason.GROUP_INCONSISTENT),
        an_alert(
            AlertName.GROUP_INCONSISTENT,
            AlertSeverity.WARNING,
            OLD,
            timedelta(),
            "is in a group of which a member cannot roll back",
        ),
    ),
    "drill": (
        drilled(),
        an_alert(
            AlertName.DRILL_FAILED,
            AlertSeverity.WARNING,
            OLDEST,
            timedelta(),
            f"cannot roll back to {OLDEST}, whose newest drill failed",
        ),
    ),
}
"""A rollout, and the one alert that is true of it."""


@pytest.mark.parametrize("case", CASES)
def test_each_alert_is_true_from_its_start_on(case: str) -> None:
    """It has its severity, its release and the message of the condition, and is not true a second before."""
    builder, expected = CASES[case]
    rollout = builder.build()

    lasting = {alert for alert in alerts(rollout, LATER) if alert.severity is not AlertSeverity.INFO}
    before = alerts(rollout, expected.starts_at - SECOND)

    assert lasting == {expected}
    assert expected.name not in {alert.name for alert in before}


NEWS: Final = {
    "started": (
        saying(on_trial(), READY, ConditionStatus.FALSE, Reason.CANARY),
        an_alert(AlertName.STARTED, AlertSeverity.INFO, NEW, timedelta(), f"started to roll out {NEW}"),
    ),
    "promoted": (
        promoted(),
        an_alert(AlertName.PROMOTED, AlertSeverity.INFO, OLD, timedelta(), f"promoted {OLD}"),
    ),
}


@pytest.mark.parametrize("case", NEWS)
def test_news_is_true_for_ten_minutes(case: str) -> None:
    """From the time at which it happened, whatever happens next."""
    builder, expected = NEWS[case]
    rollout = builder.build()
    times = (START - SECOND, START, START + NEWS_FOR - SECOND, START + NEWS_FOR)

    assert [expected in alerts(rollout, time) for time in times] == [False, True, True, False]


def test_every_alert_has_a_case_and_a_row() -> None:
    """No row is missing in the table, and none is left out here."""
    named = {alert.name for _, alert in (*CASES.values(), *NEWS.values())}
    assert named == set(TABLE) == set(AlertName)


QUIET: Final[dict[str, RolloutBuilder]] = {
    "healthy and idle": saying(at_rest(), READY, ConditionStatus.TRUE, Reason.HEALTHY),
    "new": a_rollout(),
    "held on request": on_trial().held_for(Reason.PAUSED),
    "held for what ends by itself": on_trial().held_for(Reason.METRICS_STALE),
    "another release is in quarantine": quarantined().asking_for(NEXT),
    "helped": unhelped().having(last_rollback=None),
    "rolls back in time": on_trial().rolling_back().asking_for(OLD),
    "fails, and nothing is watched": degraded().planning(watch=None),
    "blind at rest": saying(at_rest(), METRICS_CONDITION, ConditionStatus.FALSE, Reason.METRICS_STALE),
    "drill in progress": drilled().having(last_drill=None),
    "a drill came after a rollback that did not help": unhelped().changing(kind=AttemptKind.DRILL),
    "a drill began": on_trial().changing(kind=AttemptKind.DRILL),
}


@pytest.mark.parametrize("case", QUIET)
def test_nothing_is_true_where_no_one_has_to_know(case: str) -> None:
    """Neither at rest, nor while the rollout does what it should."""
    rollout = QUIET[case].build()
    assert {alert.name for alert in alerts(rollout, LATER)} == set()


def test_another_attempt_ends_not_recovered() -> None:
    """Whatever it is: the rollback is no longer the last that happened."""
    again = unhelped().trying(NEXT)
    assert {alert.name for alert in alerts(again.build(), LATER)} == set()


MESSAGES: Final = st.text(max_size=4000)
BUILDERS: Final = [builder for builder, _ in (*CASES.values(), *NEWS.values())]


def with_numbers(builder: RolloutBuilder, message: str, evidence: float) -> AgentRollout:
    """The same, with another message in everything that has one."""
    status = builder.status
    gates = tuple(gate.replace(message=message, evidence=evidence) for gate in status.watched)
    conditions = tuple(each.replace(message=message) for each in status.conditions)
    rollback = status.last_rollback and status.last_rollback.replace(verification=message, message=message)
    drill = status.last_drill and status.last_drill.replace(message=message)
    detour = status.detour and status.detour.replace(message=message)
    history = tuple(entry.replace(message=message) for entry in status.history)
    return builder.having(
        watched=gates,
        conditions=conditions,
        last_rollback=rollback,
        last_drill=drill,
        detour=detour,
        history=history,
    ).build()


@given(st.sampled_from(BUILDERS), MESSAGES, MESSAGES, st.integers(0, 10**6), st.integers(0, 900))
def test_labels_never_change_with_numbers(
    builder: RolloutBuilder, one: str, other: str, evidence: int, minutes: int
) -> None:
    """Two statuses that differ in messages and figures have the same alerts, of bounded length."""
    now = START + timedelta(minutes=minutes)
    first = alerts(with_numbers(builder, one, 1.5), now)
    second = alerts(with_numbers(builder, other, evidence), now)

    assert {alert.labels for alert in first} == {alert.labels for alert in second}
    assert len(first) == len({alert.labels for alert in first})
    assert all(len(alert.description.encode()) <= MOST_BYTES for alert in first | second)


def seen(failed: float) -> Iterator[tuple[datetime, set[Alert]]]:
    """The alerts of a release with these failures, every 10 s of virtual time."""
    world = a_world_at_rest(OLD, phases=[{"name": "half", "weight": 50, "durationSeconds": 300}])
    world.settle()
    world.ship(NEW, Behavior(failed=failed))
    for _ in range(130):
        world.run(10)
        yield world.now, set(alerts(world.rollout.copy_with(status=world.status), world.now))


def test_a_bad_release_is_two_alerts_however_its_numbers_change() -> None:
    """That it started, and, for as long as Git requests it, that it was rolled back; with its sentence."""
    timeline = list(seen(failed=0.4))
    labels = {alert.labels for _, true in timeline for alert in true}
    last = timeline[-1][1]

    assert {label[0] for label in labels} == {
        AlertName.STARTED,
        AlertName.ROLLED_BACK,
        AlertName.NEEDS_YOU,
    }
    assert len(labels) == 3
    (rolled_back,) = [alert for alert in last if alert.name is AlertName.ROLLED_BACK]
    assert "errors" in rolled_back.description


def test_a_good_release_is_only_news() -> None:
    """It started, it was promoted, and then nothing is true."""
    timeline = list(seen(failed=0.02))
    names = {alert.name for _, true in timeline for alert in true}

    assert names == {AlertName.STARTED, AlertName.PROMOTED}
    assert timeline[-1][1] == set()
