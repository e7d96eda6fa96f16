"""Lines about the agent, as its metrics show it: whether it is counted, and whether it gets its share."""

from collections.abc import Iterator
from typing import Final

from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.verdict import GateStatus, Verdict
from agentrollouts.core.conditions import METRICS_CONDITION, find_condition
from agentrollouts.core.gates.wording import count, share_of
from agentrollouts.core.states import is_progressing
from agentrollouts.core.traffic.weights import FULL
from agentrollouts.insight.check.lines import Line, Mark

BLIND: Final = "docs/runbooks/AgentRolloutBlind.md"
ENOUGH: Final = 100
"""Runs below which chance explains any share."""
_SPLIT: Final = "look whether the split reaches the agents; see docs/routers.md"
_WITHOUT_DATA: Final = frozenset({Verdict.NO_DATA, Verdict.ERROR})


def agent(rollout: AgentRollout) -> Iterator[Line]:
    """All of them."""
    yield _metrics(rollout)
    if not is_progressing(rollout.status):
        return
    for each in rollout.status.gates:
        if each.verdict in _WITHOUT_DATA:
            sentence = f"gate {each.name} has no data: {each.reason}: {each.message}"
            yield Line(Mark.WARNING, sentence, f"the gate holds the phase; see {BLIND}")
    yield from _share(rollout)


def _metrics(rollout: AgentRollout) -> Line:
    found = find_condition(rollout.status.conditions, METRICS_CONDITION)
    if found is None or found.status is ConditionStatus.UNKNOWN:
        return Line(Mark.UNKNOWN, "no gate is evaluated now, so it is unknown whether the agent is counted")
    if found.status is ConditionStatus.TRUE:
        return Line(Mark.GOOD, "Prometheus responds, and the metrics of the gates exist")
    return Line(Mark.PROBLEM, f"metrics are missing: {found.reason}: {found.message}", f"see {BLIND}")


def _share(rollout: AgentRollout) -> Iterator[Line]:
    """The canary's share of the runs in the current segment, by the gate that counted most."""
    for each in rollout.status.gates:
        if each.verdict is Verdict.TRAFFIC_MISMATCH:
            yield Line(Mark.PROBLEM, f"gate {each.name}: {each.message}", _SPLIT)
            return
    counted = max(rollout.status.gates, key=_runs, default=None)
    if counted is None or counted.present is None or not _runs(counted) or counted.present.weight is None:
        return
    runs = count(_runs(counted))
    share = share_of(count(counted.present.canary.total), runs)
    weight = counted.present.weight
    sentence = f"the canary has {share} of {runs} runs at a weight of {weight}%"
    if _is_far(counted.present.canary.total, _runs(counted), weight):
        yield Line(Mark.WARNING, sentence, _SPLIT)
    else:
        yield Line(Mark.GOOD, sentence)


def _is_far(canary: float, runs: float, weight: int) -> bool:
    """Whether a side has less than half or more than twice its share: a first look, long before a verdict."""
    sides = ((canary, runs * weight / FULL), (runs - canary, runs * (FULL - weight) / FULL))
    return runs >= ENOUGH and any(not expected / 2 <= seen <= 2 * expected for seen, expected in sides)


def _runs(gate: GateStatus) -> float:
    return gate.present.canary.total + gate.present.stable.total if gate.present else 0.0
