"""The rules of reliability that one decision can break; they share nothing with the code that they check."""

import json
from dataclasses import replace
from typing import Final

from agentrollouts.api.analysis import OnTimeout
from agentrollouts.api.attempt import AttemptKind, State, When
from agentrollouts.api.gates import NoDataPolicy
from agentrollouts.api.names import LABEL_AGENT
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.people.freeze import InFlight
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.drill import YEAR, Drill
from agentrollouts.api.status import AgentRolloutStatus, Outcome
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.attempt.schedule import ramp
from agentrollouts.core.conditions import WARNINGS
from agentrollouts.core.containment.fallback import fallback_of
from agentrollouts.core.effects import Deletion, Manifest, Patch, Write
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.states import ENDS, LATCHED, TRANSITIONS
from agentrollouts.core.traffic.manifests import FEATURE_FLAG, ROUTES
from agentrollouts.simulation.cluster import weights_of_config as weights_of
from agentrollouts.simulation.cluster import weights_of_flag
from testkit import recording
from testkit.builders.names import service_of
from testkit.hooks import check_hooks

CONDITIONS: Final = ("Ready", "Reconciling", "Stalled", "TrafficApplied", "MetricsAvailable", "RollbackReady")


def check(obs: Observation, decision: Decision) -> None:
    """Every invariant that can be seen in one decision."""
    before, after = obs.status, decision.status or obs.status
    _check_traffic(obs, decision, before, after)
    _check_moves(before, after)
    recording.check(obs, decision)
    _check_rise(obs, before, after)
    _check_freeze(obs, before, decision)
    _check_clock(obs, after)
    _check_conditions(obs, before, after)
    check_workloads(obs, decision)
    check_hooks(before, after)


def _check_traffic(
    obs: Observation, decision: Decision, before: AgentRolloutStatus, after: AgentRolloutStatus
) -> None:
    """S1 and S4: weights sum to 100, or to what a detour leaves, and a latched attempt has no canary."""
    attempt, fallbacks = after.attempt, (fallback_of(obs.rollout.spec, each) for each in (before, after))
    elsewhere = {each.name for each in fallbacks if each}
    shares = {each.percent for each in (before.detour, after.detour) if each and not each.standby}
    _check_drill(before, after)
    for write in decision.writes:
        is_route = isinstance(write, Write) and write.manifest["kind"] in ROUTES
        left = {0, 10_000} if is_route else {100 - share for share in shares}
        for weights in _written_weights(write.manifest) if isinstance(write, Write) else ():
            assert all(weight >= 0 for weight in weights.values()), weights
            total = sum(weights.values())
            assert total == 100 or (shares and total in left), weights
            if after.detour and after.detour.standby:
                served = {after.detour.standby.release, service_of(after.detour.standby.release)}
                assert all(name in served for name, weight in weights.items() if weight), weights
                continue
            if after.detour and after.detour.percent == 100:
                assert all(name in elsewhere for name, weight in weights.items() if weight), weights
            if attempt is not None and attempt.state in LATCHED:
                target = before.stable if _is_same_attempt(before, after) else after.stable
                assert target is not None
                stable = {target.release, service_of(target.release), *elsewhere}
                assert all(name in stable for name, weight in weights.items() if weight), weights


def _check_drill(before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """What a drill is not about stays as it is: harm, its window, and what serves."""
    attempt = after.attempt
    if attempt is None or attempt.kind is not AttemptKind.DRILL:
        return
    assert after.last_rollback == before.last_rollback, "a drill changed the last rollback"
    assert after.affected_window == before.affected_window, "a drill changed the affected window"
    assert after.quarantined == before.quarantined or len(after.quarantined) < len(before.quarantined)
    assert after.stable == before.stable, "a drill changed what is stable"


def check_workloads(obs: Observation, decision: Decision) -> None:
    """No pods are taken from what has requests, by the status or by any route as seen, nor in an attempt."""
    shrunk = {
        chore.manifest["metadata"]["name"]
        for chore in decision.chores
        if isinstance(chore, Deletion) or (isinstance(chore, Patch) and not chore.operations[-1]["value"])
    }
    if not shrunk:
        return
    status, routes = obs.status, [route for (kind, _), route in obs.traffic.items() if kind in ROUTES]
    serving = {record.service.name for record in (status.stable, status.canary) if record and record.service}
    refs = [ref for route in routes for rule in route["spec"]["rules"] for ref in rule["backendRefs"]]
    routed = {ref["name"] for ref in refs if ref.get("weight", 1)}
    assert not shrunk & (serving | routed | obs.weighted), shrunk
    assert status.attempt is None or status.attempt.state in {*ENDS, State.PENDING}, status.attempt


def _is_same_attempt(before: AgentRolloutStatus, after: AgentRolloutStatus) -> bool:
    """Whether no new one began, as it does when stable itself is taken back."""
    old, new = before.attempt, after.attempt
    return old is not None and new is not None and old.number == new.number


def check_patch(before: Manifest, after: Manifest) -> None:
    """S1: a patch changes weights in one rule and our one annotation, and nothing else to the byte."""

    def without_ours(route: Manifest) -> str:
        bare = json.loads(json.dumps(route))
        for rule in bare["spec"]["rules"]:
            for ref in rule["backendRefs"] if rule.get("name") == "agent" else ():
                ref.pop("weight", None)
        annotations = bare["metadata"].pop("annotations", {})
        kept = {key: text for key, text in annotations.items() if not key.endswith("agentrollouts.dev/split")}
        return json.dumps([bare["metadata"] | {"generation": 0}, kept, bare["spec"]])

    assert without_ours(after) == without_ours(before)


def _written_weights(manifest: Manifest) -> list[dict[str, int]]:
    """By Service or release, of each rule of a route, of a flag or of a ConfigMap."""
    if manifest["kind"] in ROUTES:
        rules = manifest["spec"]["rules"]
        return [{ref["name"]: ref["weight"] for ref in rule["backendRefs"]} for rule in rules]
    if manifest["kind"] == FEATURE_FLAG:
        flags = weights_of_flag(manifest, manifest["metadata"]["labels"][LABEL_AGENT])
        return [flags] if flags else []
    return [weights_of(manifest)] if "data" in manifest else []


def _check_moves(before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """Every move is in the table; a new attempt has the next number, and only after an end."""
    old, new = before.attempt, after.attempt
    if old is None or new is None:
        assert new is None or new.number == 1 + _newest_number(before)
        assert not (old and new is None), "an attempt was forgotten"
    elif old.number == new.number:
        assert new.digest == old.digest
        assert new.state is old.state or new.state in TRANSITIONS[old.state], (old.state, new.state)
    else:
        assert old.state in ENDS, (old.state, new.state)
        assert new.number == 1 + max(old.number, _newest_number(before))
        banned = {entry.digest for entry in before.quarantined}
        assert new.digest not in banned, "what failed was tried again"
    added = {entry.number for entry in after.history} - {entry.number for entry in before.history}
    was_recalled = before.stable is None and after.stable is not None and after.canary is None
    assert was_recalled or (added <= {new.number} if new else not added)
    if new is not None and old is not None and new.state in ENDS and old.state not in ENDS and before.canary:
        assert added == {new.number}, "an attempt that served is in the history"


def _newest_number(status: AgentRolloutStatus) -> int:
    """Number of the newest attempt that the status lists, of this rollout or of an earlier one."""
    numbers = [entry.number for entry in status.history] + [entry.attempt for entry in status.quarantined]
    return max(numbers, default=0)


def _check_rise(obs: Observation, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """S3: more only by the plan's next step, and only when every gate says Pass about this very segment."""
    old, new, spec = before.attempt, after.attempt, obs.rollout.spec
    if new is None or (after.stable is None and before.stable is None):
        return
    if before.detour and not after.detour and after.stable is None:
        return  # a person ships a fix instead of what was switched off: it is the first release again
    begun = old is None or old.number != new.number or old.state is State.PENDING
    risen = new.weight - (0 if begun or old is None else old.weight)
    promoted = new.state is State.HEALTHY and old is not None and old.state is not State.HEALTHY
    if risen <= 0 and not promoted:
        return
    if begun:
        healthy = {entry.digest for entry in before.history if entry.outcome is Outcome.HEALTHY}
        if new.kind is AttemptKind.DRILL:
            plan = spec.drill or Drill(every_seconds=YEAR)
            standbys = {each.release_ref.name for each in spec.standby}
            is_able = new.digest in healthy or (after.canary and after.canary.release in standbys)
            assert (new.weight, bool(is_able)) == (plan.weight, True), "a drill of something else"
            return
        allowed = {100, _steps(obs, new.ladder)[0]} if new.digest in healthy else {_steps(obs, new.ladder)[0]}
        assert new.weight in allowed, (new.weight, allowed)
        return
    assert old is not None
    assert new.held_by is None, "more though a person holds the attempt"
    if risen > 0 and not (old.promoted or _takes_promotion(before, after)):  # which skips the rest of a ramp
        higher = [weight for weight in _steps(obs, new.ladder) if weight > old.weight]
        assert new.weight == higher[0], (old.weight, new.weight, higher)
    due = _due(obs, before)
    is_promoted = old.promoted is not None or _takes_promotion(before, after)
    if due and not is_promoted and spec.analysis.on_timeout is not OnTimeout.PROMOTE:
        said = {gate.name: gate.verdict for gate in after.gates}
        assert due <= said.keys()
        assert all(_lets_pass(obs, name, said[name]) for name in due), after.gates
        assert obs.poll_result is not None
        assert obs.poll_result.plan.counting_start == old.counting_start_time, (
            "an answer about another segment"
        )


def _check_freeze(obs: Observation, before: AgentRolloutStatus, decision: Decision) -> None:
    """A rollback is the same with a freeze as without; while one is always active, nothing goes forward."""
    if not obs.freezes:
        return
    free, after = decide(replace(obs, freezes=())), decision.status or before
    back = (free.status or before).last_rollback
    assert after.last_rollback == back, "a freeze changed a rollback"
    old, new = before.attempt, after.attempt
    if back != before.last_rollback:
        assert decision.writes == free.writes
        return
    healthy = {entry.digest for entry in before.history if entry.outcome is Outcome.HEALTHY}
    lasting = [each.spec for each in obs.freezes if not (each.spec.windows or each.spec.except_)]
    if new is None or new.digest in healthy or not lasting or new.state in LATCHED | {State.SUPERSEDED}:
        return
    if old is None or old.number != new.number or old.state is State.PENDING:
        assert new.state is State.PENDING, "an attempt began while it was frozen"
    elif any(spec.in_flight is InFlight.HOLD for spec in lasting):
        assert new.weight <= old.weight, "the canary got more while it was frozen"
        is_same_plan = old.plan_hash == new.plan_hash
        assert new.state is old.state or new.state is State.HELD or not is_same_plan, (old.state, new.state)


def _takes_promotion(before: AgentRolloutStatus, after: AgentRolloutStatus) -> bool:
    """Whether this very decision takes a Promote: the ledger records it."""
    known = {entry.uid for entry in before.actions}
    new = (entry for entry in after.actions if entry.uid not in known)
    return any(entry.type is ActionType.PROMOTE and entry.result in {"Waiting", "Done"} for entry in new)


def _due(obs: Observation, status: AgentRolloutStatus) -> set[str]:
    """Gates that must be asked: all beside stable; at 100%, if it is watched, those that limit a share."""
    attempt, spec = status.attempt, obs.rollout.spec
    assert attempt is not None
    gates = {gate for gate in spec.gates if gate.during is None}
    if 0 < attempt.weight < 100:
        return {gate.name for gate in gates}
    if attempt.state is State.BAKING and not spec.bake.duration_seconds:
        return set()
    return {gate.name for gate in gates if gate.limit or gate.template == "error-rate"}


def _check_clock(obs: Observation, after: AgentRolloutStatus) -> None:
    """No time of a phase passes while the last answer of a gate was that there is nothing to see."""
    attempt = after.attempt
    if attempt is None or attempt.state not in {State.CANARY, State.BAKING} or obs.poll_result is None:
        return
    if attempt.promoted_by and obs.poll_result.plan.counting_start != attempt.counting_start_time:
        return  # the verdicts are those of the phase that a person promoted
    policies = {gate.name: gate.no_data for gate in obs.rollout.spec.gates}
    silent = {gate.name for gate in after.gates if gate.verdict is Verdict.NO_DATA}
    held_back = {name for name in silent if policies.get(name) is not NoDataPolicy.IGNORE}
    assert not (held_back and attempt.clock_start_time), after.gates


def _lets_pass(obs: Observation, name: str, verdict: Verdict) -> bool:
    policy = next(gate.no_data for gate in obs.rollout.spec.gates if gate.name == name)
    return verdict is Verdict.PASS or (verdict is Verdict.NO_DATA and policy is NoDataPolicy.IGNORE)


def _steps(obs: Observation, ladder: When) -> list[int]:
    """All weights that the plan goes through."""
    weights, before = [], 0
    for phase in obs.rollout.spec.phases:
        if phase.when not in {When.ALWAYS, ladder}:
            continue
        weights += [step.weight for step in ramp(phase, before)]
        before = phase.weight
    return weights


def _check_conditions(obs: Observation, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """All five, with words that we know, and times that move with the status only."""
    if after is before:
        return
    types = tuple(condition.type for condition in after.conditions)
    sometimes = {*WARNINGS, "Recorded", "GroupConsistent", "DataRecovered"}
    assert tuple(kind for kind in types if kind not in sometimes) == CONDITIONS
    words = set(Reason)
    old = {condition.type: condition for condition in before.conditions}
    for condition in after.conditions:
        assert condition.reason in words, condition
        assert condition.observed_generation == obs.rollout.metadata.generation
        earlier = old.get(condition.type)
        same = earlier is not None and earlier.status is condition.status
        since = min(earlier.last_transition_time, obs.now) if same and earlier else obs.now
        assert condition.last_transition_time == since, condition
    ready, reconciling, stalled = after.conditions[:3]
    assert [ready.status, reconciling.status, stalled.status].count(ConditionStatus.TRUE) == 1, (
        after.conditions
    )


def snapshots_needed(status: AgentRolloutStatus) -> set[str]:
    """Names of the snapshots without which something could not be served again."""
    serving = {record.snapshot for record in (status.stable, status.canary) if record}
    return serving | {entry.snapshot for entry in status.history if entry.outcome is Outcome.HEALTHY}
