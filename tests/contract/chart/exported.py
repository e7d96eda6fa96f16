"""Every series that the operator and its agents export, with the labels that its samples have."""

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import GroupStatus
from agentrollouts.api.verdict import GateStatus, Severity, Verdict
from agentrollouts.core.conditions import GROUP_CONSISTENT, condition
from agentrollouts.shell.rollout_metrics import RolloutMetrics
from agentrollouts.telemetry import Telemetry
from sandbox.agent.metrics import AgentMetrics
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import a_rollout

TARGET = {"instance", "job"}
"""Labels that Prometheus itself gives every series."""
POD = {"namespace", "agent", "release"}
"""Labels that the scrape configuration takes from an agent's pod."""


def exported() -> dict[str, set[str]]:
    """The labels of each series, by its name; those of the target among them."""
    labels: dict[str, set[str]] = {}
    for families, given in ((operator(), TARGET), (agents(), TARGET | POD)):
        for sample in (sample for family in families for sample in family.samples):
            labels.setdefault(sample.name, {*given}).update(sample.labels)
    return labels


def operator() -> Iterator[Metric]:
    """All families of an operator that has seen everything once: an attempt, a hold, an error."""
    telemetry = Telemetry()
    telemetry.reconciled("AgentRollout", 0.1)
    telemetry.api_call("get", "ConfigMap", "409", 0.1)
    telemetry.polled("default", "Answered", 0.1)
    telemetry.rolled_back("Breach", 0.1)
    telemetry.attempt_ended("RolledBack")
    telemetry.restored()
    telemetry.settings_reloaded(ok=False)
    telemetry.alerts_posted("default", "Accepted")
    telemetry.alerts_posted("default", "Timeout")
    telemetry.lagged(0.1)
    telemetry.registry.register(rollouts())
    yield from telemetry.registry.collect()


def rollouts() -> RolloutMetrics:
    """The series of one rollout that is held, with a gate that has evidence."""
    gate = GateStatus(
        name="errors", verdict=Verdict.FAIL, reason="GateFailed", severity=Severity.CRITICAL, evidence="9.4"
    )
    held = a_rollout().serving(OLD).trying(NEW).held_for(Reason.METRICS_UNAVAILABLE).having(gates=(gate,))
    metrics = RolloutMetrics(lambda: True, lambda: START + timedelta(seconds=90))
    metrics.note(Ref("AgentRollout", "support", "agent"), held.build().status)
    wrong = condition(
        GROUP_CONSISTENT, ConditionStatus.FALSE, Reason.GROUP_INCONSISTENT, "", generation=1, now=START
    )
    member = a_rollout().having(group=GroupStatus(name="checkout", since=START), conditions=(wrong,))
    metrics.note(Ref("AgentRollout", "support", "other"), member.status)
    return metrics


def agents() -> Iterator[Metric]:
    """The families of the demo agent, which has every counter of the contract."""
    metrics = AgentMetrics()
    metrics.create_children({})
    yield from text_string_to_metric_families(metrics.exposition().decode())
