"""What can roll a release back, hold it, or switch the agent off at any moment: gates, caps and endpoints."""

from collections.abc import Iterable, Iterator
from typing import Final

from agentrollouts.api.gates import During, OnFail
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.states import is_progressing
from agentrollouts.insight.view.running import FULL

BACK: Final = frozenset({OnFail.ROLL_BACK, OnFail.SWITCH_OFF, OnFail.STANDBY})


def back_if(rollout: AgentRollout) -> str:
    """What rolls the canary back at once; empty if nothing does."""
    named = _named(rollout, BACK)
    seconds = rollout.spec.analysis.endpoint_grace_seconds
    causes = [_fails(named)] if named else []
    if rollout.spec.traffic.by_route:
        causes.append(f"the canary has no ready endpoint for {seconds} s")
    return " or ".join(causes)


def hold_if(rollout: AgentRollout) -> str:
    """What holds the canary because of a gate or a cap; empty if nothing does."""
    named = _named(rollout, {OnFail.HOLD})
    return _fails(named) if named else ""


def alone_if(rollout: AgentRollout, actions: Iterable[OnFail]) -> str:
    """What of those follows for a release that serves alone; empty if nothing does."""
    named = _named(rollout, set(actions))
    return _fails(named) if named else ""


def _fails(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last} fails" if others else f"{last} fails"


def _named(rollout: AgentRollout, actions: set[OnFail] | frozenset[OnFail]) -> tuple[str, ...]:
    """The gates, then the caps, that have one of these consequences now."""
    gates = (gate.name for gate in _due(rollout) if actions & _actions(gate))
    caps = (cap.name for cap in rollout.spec.caps if cap.action in actions)
    return tuple(dict.fromkeys((*gates, *caps)))


def _due(rollout: AgentRollout) -> Iterator[ResolvedGate]:
    """The gates that are evaluated now; at rest only those that are watched."""
    status, spec = rollout.status, rollout.spec
    if not is_progressing(status):
        named = spec.watch.gates if spec.watch else ()
        yield from (
            gate
            for gate in resolve_all(spec).gates
            if spec.watch and (gate.limit or gate.max_count) and (named is None or gate.name in named)
        )
        return
    weight = status.attempt.weight if status.attempt else 0
    stage = During.CANARY if weight < FULL and status.stable else During.FULL
    yield from (gate for gate in resolve_all(spec).gates if stage in gate.during)


def _actions(gate: ResolvedGate) -> frozenset[OnFail]:
    """What a Fail can lead to, by how bad it is."""
    severities = {gate.severity, *(grade.severity for grade in gate.grades)}
    if gate.limit:
        severities.add(gate.limit.severity)
    return frozenset(map(gate.action_at, severities))
