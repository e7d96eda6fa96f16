"""The series of rollouts: which have their own, for how long, and that nothing stays behind."""

from datetime import timedelta

from prometheus_client import CollectorRegistry

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.attempt import State
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.drill import DrillOutcome, LastDrill
from agentrollouts.api.status import AgentRolloutStatus, GroupStatus
from agentrollouts.api.verdict import GateStatus, Severity, Verdict
from agentrollouts.core.conditions import DATA_RECOVERED, GROUP_CONSISTENT, condition
from agentrollouts.shell.rollout_metrics import RolloutMetrics
from testkit.builders.names import NEW, OLD, OLDEST, START, digest_of
from testkit.builders.rollouts import RolloutBuilder, a_rollout

KEY = Ref("AgentRollout", "support", "agent")


class Desk:
    """The metrics, and a clock that the test sets."""

    def __init__(self) -> None:
        self.now, self.per_rollout = START, True
        self.metrics = RolloutMetrics(lambda: self.per_rollout, lambda: self.now)

    def scraped(self) -> dict[str, float]:
        """All samples, by name and label values."""
        registry = CollectorRegistry()
        registry.register(self.metrics)
        return {
            f"{sample.name.removeprefix('agentrollouts_')}{list(sample.labels.values())}": sample.value
            for family in registry.collect()
            for sample in family.samples
        }


def judged(builder: RolloutBuilder) -> AgentRolloutStatus:
    """The status, with one gate that fails."""
    gate = GateStatus(
        name="errors",
        verdict=Verdict.FAIL,
        reason="GateFailed",
        severity=Severity.CRITICAL,
        evidence="5991.4",
    )
    return builder.having(gates=(gate,)).build().status


def test_an_attempt_has_weights_verdict_and_evidence() -> None:
    """While the canary has traffic, its weight, the verdict and the evidence of each gate are shown."""
    desk = Desk()
    desk.metrics.note(KEY, judged(a_rollout().serving(OLD).trying(NEW)))
    weight = a_rollout().serving(OLD).trying(NEW).status.weights
    assert weight is not None
    assert desk.scraped() == {
        "rollouts['Canary']": 1,
        "rollout_weight_percent['support', 'agent', 'stable']": weight.stable,
        "rollout_weight_percent['support', 'agent', 'canary']": weight.canary,
        "gate_evidence['support', 'agent', 'errors']": 5991.4,
        "gate_verdict['support', 'agent', 'errors', 'Fail']": 1,
    }


def test_a_hold_shows_its_reason_and_how_long_it_has_lasted() -> None:
    """The seconds count from the beginning of the hold to the moment of the scrape."""
    desk = Desk()
    desk.metrics.note(
        KEY, a_rollout().serving(OLD).trying(NEW).held_for(Reason.METRICS_UNAVAILABLE).build().status
    )
    desk.now += timedelta(seconds=90)
    assert desk.scraped()["rollout_held_seconds['support', 'agent', 'MetricsUnavailable']"] == 90


def test_a_failed_drill_is_shown_until_another_one_passes() -> None:
    """The newest drill counts, and a rollout that is gone shows nothing."""
    desk, at_rest = Desk(), a_rollout().serving(OLDEST).serving(OLD)
    drill = LastDrill(time=START, target=OLDEST, digest=digest_of(OLDEST))
    shown: dict[int, float | None] = {}
    for outcome in (DrillOutcome.FAILED, None, DrillOutcome.FAILED, DrillOutcome.PASSED):
        status = at_rest.having(last_drill=drill.copy_with(outcome=outcome)).build().status
        desk.metrics.note(KEY, status)
        shown[len(shown)] = desk.scraped().get("rollout_drill_failed['support', 'agent']")
    desk.metrics.note(
        KEY, at_rest.having(last_drill=drill.copy_with(outcome=DrillOutcome.FAILED)).build().status
    )
    desk.metrics.forget(KEY)

    assert [*shown.values()] == [1, None, 1, None]
    assert "rollout_drill_failed['support', 'agent']" not in desk.scraped()


def test_a_hook_that_failed_is_shown_until_the_data_is_recovered() -> None:
    """As the condition says; neither a hook that runs nor a rollout that is gone shows anything."""
    desk, at_rest = Desk(), a_rollout().serving(OLD)
    shown = []
    for word in (ConditionStatus.FALSE, ConditionStatus.UNKNOWN, ConditionStatus.FALSE, ConditionStatus.TRUE):
        said = condition(DATA_RECOVERED, word, Reason.HOOK_FAILED, "", generation=1, now=START)
        desk.metrics.note(KEY, at_rest.having(conditions=(said,)).build().status)
        shown.append(desk.scraped().get("rollout_hook_failed['support', 'agent']"))
    failed = condition(DATA_RECOVERED, ConditionStatus.FALSE, Reason.HOOK_FAILED, "", generation=1, now=START)
    desk.metrics.note(KEY, at_rest.having(conditions=(failed,)).build().status)
    desk.metrics.forget(KEY)

    assert shown == [1, None, 1, None]
    assert "rollout_hook_failed['support', 'agent']" not in desk.scraped()


def test_a_rollback_is_shown_for_an_hour() -> None:
    """After that, the rollout is only counted, although nothing has happened to it meanwhile."""
    desk = Desk()
    ended = a_rollout().serving(OLD).trying(NEW).rolling_back(State.ROLLED_BACK)
    desk.metrics.note(KEY, judged(ended))
    assert "gate_verdict['support', 'agent', 'errors', 'Fail']" in desk.scraped()
    desk.now += timedelta(hours=1)
    assert desk.scraped() == {"rollouts['RolledBack']": 1}
    desk.metrics.note(KEY, judged(ended))
    desk.now = START
    assert desk.scraped() == {"rollouts['RolledBack']": 1}


def test_idle_rollouts_are_only_counted() -> None:
    """A thousand rollouts at rest are one series for each state."""
    desk = Desk()
    for number in range(1_000):
        desk.metrics.note(KEY._replace(name=f"agent-{number}"), a_rollout().serving(OLD).build().status)
    desk.metrics.note(KEY, a_rollout().build().status)
    assert sum(desk.scraped().values()) == 1_001
    assert len(desk.scraped()) <= 2


def test_a_deleted_rollout_leaves_nothing() -> None:
    """Its series and its place in the count go with it."""
    desk = Desk()
    desk.metrics.note(KEY, judged(a_rollout().serving(OLD).trying(NEW)))
    desk.metrics.forget(KEY)
    assert desk.scraped() == {}


def test_the_settings_turn_single_rollouts_off() -> None:
    """With `telemetry.perRollout: false`, only the counts by state remain."""
    desk = Desk()
    desk.per_rollout = False
    desk.metrics.note(KEY, judged(a_rollout().serving(OLD).trying(NEW)))
    assert desk.scraped() == {"rollouts['Canary']": 1}


def test_an_inconsistent_group_is_counted_until_its_members_say_otherwise() -> None:
    """One series for each group, also without series of rollouts; a member that is gone no longer counts."""
    desk, other = Desk(), Ref("AgentRollout", "support", "other")
    desk.per_rollout = False

    def status(holds: ConditionStatus, group: str | None = "checkout") -> AgentRolloutStatus:
        found = condition(GROUP_CONSISTENT, holds, Reason.GROUP_INCONSISTENT, "", generation=1, now=START)
        member = group and GroupStatus(name=group, since=START)
        return a_rollout().having(group=member or None, conditions=(found,)).status

    for key in (KEY, other):
        desk.metrics.note(key, status(ConditionStatus.FALSE))
    assert desk.scraped() == {"rollouts['New']": 2, "group_inconsistent['support', 'checkout']": 2}
    desk.metrics.forget(other)
    assert desk.scraped() == {"rollouts['New']": 1, "group_inconsistent['support', 'checkout']": 1}
    for after in (status(ConditionStatus.TRUE), status(ConditionStatus.FALSE, group=None)):
        desk.metrics.note(KEY, status(ConditionStatus.FALSE))
        desk.metrics.note(KEY, after)
        assert desk.scraped() == {"rollouts['New']": 1}
