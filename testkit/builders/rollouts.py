"""Rollouts in any state, built one sentence after the other: `a_rollout().serving(OLD).trying(NEW)`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from agentrollouts.api.attempt import Attempt, Hold, State, Trigger
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import ActionType, AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import LastRollback
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, Quarantined, WeightsStatus
from agentrollouts.core.attempt.schedule import plan_hash, steps_of
from agentrollouts.core.states import LATCHED
from testkit.builders.actions import an_action
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, START, UID, digest_of
from testkit.builders.releases import a_record
from testkit.builders.routes import BY_ROUTE

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


@dataclass(frozen=True)
class RolloutBuilder:
    """A rollout, one sentence after the other; every method gives a new one."""

    spec: Mapping[str, Any] = field(default_factory=lambda: PLAN)
    status: AgentRolloutStatus = field(default_factory=AgentRolloutStatus)
    actions: tuple[AgentRolloutAction, ...] = ()
    """What people request of it."""
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

    def requesting(self, kind: ActionType, attempt: int, **fields: str | int | bool) -> "RolloutBuilder":
        """With one more action, by these fields of its spec (camelCase)."""
        return replace(self, actions=(*self.actions, an_action(kind, attempt, **fields)))

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
