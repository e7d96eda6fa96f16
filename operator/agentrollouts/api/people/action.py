"""AgentRolloutAction: what a person requests of one rollout, once, with a name and a reason.

The API server proves who requests it, with the admission policies of the chart. An action is never changed:
another request is another action. Its effect, and that it was taken, are in the status of the rollout.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from agentrollouts.api.model.base import (
    ApiModel,
    DetourId,
    Digest,
    DnsLabel,
    Message,
    ObjectName,
    Percent,
    ReasonStr,
    ReleaseName,
    Time,
    cleaned,
)
from agentrollouts.api.model.marks import AGE, LIST_SET, Column, Resource, cel, ready_column, rules
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.objects import Conditions, ObjectMeta
from agentrollouts.api.people.person import Requester, WrittenReason

ACKNOWLEDGED_SECONDS: Final = 4 * 3600
"""How long an acknowledged hold lasts if the action does not say it."""
_SHORT: Final = 200
"""Characters of a reason in the status of a rollout, which can have a hundred of them."""


class ActionType(StrEnum):
    """What is requested. The RBAC verb on `agentrollouts` is the name in lower case."""

    APPROVE = "Approve"
    PROMOTE = "Promote"
    HOLD = "Hold"
    RESUME = "Resume"
    ROLL_BACK = "RollBack"
    RETRY = "Retry"
    ACKNOWLEDGE = "Acknowledge"
    SWITCH_OFF = "SwitchOff"
    SWITCH_ON = "SwitchOn"
    REDO_HOOK = "RedoHook"
    WAIVE_HOOK = "WaiveHook"
    DRILL = "Drill"


FORWARD: Final = frozenset(
    {
        ActionType.APPROVE,
        ActionType.PROMOTE,
        ActionType.RESUME,
        ActionType.RETRY,
        ActionType.ACKNOWLEDGE,
        ActionType.SWITCH_ON,
        ActionType.REDO_HOOK,
        ActionType.WAIVE_HOOK,
        ActionType.DRILL,
    }
)
"""Types that let a canary have more, or have it for longer. They need proof of who requests them."""

OF_NO_ATTEMPT: Final = frozenset({ActionType.SWITCH_OFF, ActionType.SWITCH_ON})
"""Types that are about the agent, so that another attempt does not make them stale."""

RoutedSeconds = Annotated[str, Field(max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?$")]
"""A duration in seconds, as a decimal."""


def _goes_with(field: str, *types: ActionType, is_needed: bool = False) -> dict[str, str]:
    """A field belongs to these types alone; each of them needs it, or may have it."""
    names = ", ".join(f"'{each}'" for each in types)
    listed = " or ".join(types)
    if is_needed:
        rule, need = f"self.type in [{names}] ? has(self.{field}) : !has(self.{field})", ", which need it"
    else:
        rule, need = f"!has(self.{field}) || self.type in [{names}]", ""
    return cel(rule, f"`{field}` goes with type {listed}{need}", field)


class ActionSpec(ApiModel):
    """The request."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel("self == oldSelf", "an action cannot be changed; create another one"),
            _goes_with("phase", ActionType.APPROVE, ActionType.PROMOTE, is_needed=True),
            cel(
                "self.type in ['SwitchOff', 'SwitchOn'] ? !has(self.attempt) : has(self.attempt)",
                "every type but SwitchOff and SwitchOn needs `attempt`, and these two do not have it",
                "attempt",
            ),
            cel(
                "self.type in ['RollBack', 'Retry', 'Drill'] ? has(self.release) : "
                "!has(self.release) || self.type == 'SwitchOn'",
                "`release` goes with type RollBack, Retry or Drill, which need it, or SwitchOn",
                "release",
            ),
            _goes_with("detour", ActionType.SWITCH_ON, is_needed=True),
            _goes_with("percent", ActionType.SWITCH_OFF),
            _goes_with("target", ActionType.ROLL_BACK),
            _goes_with("force", ActionType.ROLL_BACK),
            _goes_with("forSeconds", ActionType.ACKNOWLEDGE),
            _goes_with("hook", ActionType.REDO_HOOK, ActionType.WAIVE_HOOK, is_needed=True),
            cel(
                "!has(self.target) || !has(self.release) || self.target != self.release",
                "`target` must be another release than `release`",
                "target",
            ),
        )
    )

    rollout: ObjectName
    """Name of the AgentRollout in the same namespace."""
    type: ActionType
    """What is requested. Approve: count one approval of `phase`. Promote: treat `phase` as passed. Hold: keep
    the weight and stop the clocks. Resume: end a hold that a person requested. RollBack: roll back `release`.
    Retry: take `release` out of quarantine. Acknowledge: extend a hold that ends by itself, or the time
    until a failing gate rolls back, to `forSeconds` from now. SwitchOff: send traffic to `fallback` instead
    of any release. SwitchOn: end that, or ship `release` instead of the release that was switched off.
    RedoHook: run a failed `hook` again. WaiveHook: let nothing wait for a `hook` that failed or has not
    started. Drill: give `release`, a rollback target, a small share for a short time, and roll it back."""
    attempt: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Number of the attempt, as in `status.attempt.number`; for Retry, as in `status.quarantined`; for
    RedoHook and WaiveHook, as in `status.hooks`. An action for another attempt has no effect. SwitchOff and
    SwitchOn do not have it."""
    phase: DnsLabel | None = None
    """Phase to approve or to promote; `bake` is the time after the last phase."""
    release: ReleaseName | None = None
    """Release to roll back, to retry or to drill. SwitchOn: release to ship as if it were the first one, if
    that is the one in `spec.releaseRef`; absent for the release that was switched off."""
    target: ReleaseName | None = None
    """Release to roll back to, if no attempt is in progress. Defaults to the newest healthy release with a
    ready endpoint."""
    force: bool | None = None
    """Whether to roll back at rest even if no target has a ready endpoint. Defaults to false."""
    for_seconds: Annotated[int, Field(ge=60, le=86_400)] | None = None
    """How long the hold lasts from now, in seconds. Defaults to 14,400."""
    detour: DetourId | None = None
    """Detour to end, as in `status.detour.id`. An action for another detour has no effect."""
    percent: Percent | None = None
    """Share of the traffic that no release gets, in percent. A share that is larger already stays. Defaults
    to 100."""
    hook: DnsLabel | None = None
    """Hook to run again, or to waive."""
    reason: WrittenReason
    """Why, in at least 8 characters. It is shown to everyone who can read the rollout."""
    requested_by: Annotated[Requester, Field(min_length=1)]
    """User name of the creator. The API server rejects any other name, and fills it in where
    MutatingAdmissionPolicy is served (Kubernetes 1.36)."""


class ActionStatus(ApiModel):
    """The answer."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this status describes."""
    routed_seconds: RoutedSeconds | None = None
    """RollBack: seconds from the decision to the route. Absent until the route was written."""
    conditions: Conditions = ()
    """Conditions: Ready is the answer; Reconciling and Stalled say whether to wait for more."""


class AgentRolloutAction(ApiModel):
    """A request of one person to one rollout."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel("self.metadata.name.size() <= 63", "`metadata.name` must be at most 63 characters")
        )
    )

    resource: ClassVar[Resource] = Resource(
        kind="AgentRolloutAction",
        plural="agentrolloutactions",
        short_name="aroa",
        columns=(
            Column("Rollout", ".spec.rollout"),
            Column("Type", ".spec.type"),
            Column("Attempt", ".spec.attempt", "integer"),
            Column("By", ".spec.requestedBy"),
            ready_column("Result", "reason"),
            ready_column("Message", "message", wide=True),
            AGE,
        ),
        selectable=(".spec.rollout",),
    )

    api_version: Literal["agentrollouts.dev/v1alpha1"] = API_VERSION
    kind: Literal["AgentRolloutAction"] = "AgentRolloutAction"
    metadata: ObjectMeta
    spec: ActionSpec
    """The request. Written once, by the person who makes it."""
    status: ActionStatus = ActionStatus()
    """The answer. Written only by the operator."""


class TakenAction(ApiModel):
    """An action that was answered for good, or that is being carried out."""

    uid: Annotated[str, Field(max_length=64)]
    """UID of the action."""
    name: ObjectName
    """Name of the action."""
    type: ActionType
    """What was requested."""
    attempt: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Attempt that it names, so that the same action is not taken again after it was restored from a backup.
    Absent if it names none."""
    by: Requester
    """Who requested it."""
    time: Time
    """Time at which it was taken."""
    result: ReasonStr
    """Answer, as one CamelCase word."""
    message: Message = ""
    """Answer, as a sentence."""
    routed_seconds: RoutedSeconds | None = None
    """RollBack: seconds from the decision to the route. Absent until the route was written."""


class PersonalAct(ApiModel):
    """Who did something to the attempt, by which action."""

    by: Requester
    """Who requested it."""
    action: ObjectName
    """Name of the AgentRolloutAction."""
    reason: Annotated[str, Field(max_length=_SHORT), BeforeValidator(cleaned(_SHORT))] = ""
    """Why, in that person's words, cut at 200 characters. The action has all of them."""
    time: Time
    """Time at which it took effect."""


class GivenApproval(PersonalAct):
    """An approval that counts."""

    phase_name: DnsLabel
    """Phase that it approves."""


class Promotion(PersonalAct):
    """A phase that counts as passed."""

    phase_name: DnsLabel
    """Phase, or `bake`."""


class Retried(PersonalAct):
    """A digest that may be tried again."""

    digest: Digest
    """Digest that was rolled back."""
    attempt: Annotated[int, Field(ge=0, le=2_147_483_647)]
    """Number of the last attempt at that time; 0 if there was none."""


class Acknowledged(PersonalAct):
    """A wait that is to last: a hold that ends by itself, or gates that fail."""

    until: Time
    """Time until which it lasts."""
    gates: Annotated[tuple[DnsLabel, ...], Field(max_length=16, json_schema_extra=LIST_SET)] = ()
    """Gates that held the attempt at that time. A gate that fails later is not acknowledged."""
