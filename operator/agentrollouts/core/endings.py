"""What ends each hold, rest or refusal, and how kstatus reads it meanwhile: one literal table.

The one source for `Stalled`, for the way out that a hold names, and for Warning Events. The page
docs/states.md shows the same table; a test keeps the two equal. A reason that can hold an attempt, or keep
one from starting, needs a row here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from agentrollouts.api.reasons import Reason


class EndedBy(StrEnum):
    """Who or what ends it."""

    ITSELF = "itself"
    OBJECT = "another object"
    PERSON = "a person"


class Kstatus(StrEnum):
    """What kstatus computes meanwhile, and with it Flux, Helm and `kubectl wait`."""

    IN_PROGRESS = "InProgress"
    """`Reconciling` is True: waiting helps."""
    FAILED = "Failed"
    """`Stalled` is True: a person must do something, and tools can stop waiting."""


class Ending(NamedTuple):
    """A row of the table."""

    by: EndedBy
    kstatus: Kstatus
    how: str
    """What ends it, as a clause."""
    is_stated: bool = False
    """Whether the message of a hold repeats `how`, since its own sentence does not say it."""
    is_measured: bool = False
    """Whether the sentence contains what was measured: it changes while the cause does not."""


def _itself(how: str, *, is_stated: bool = False) -> Ending:
    return Ending(EndedBy.ITSELF, Kstatus.IN_PROGRESS, how, is_stated, is_measured=True)


def _object(how: str) -> Ending:
    return Ending(EndedBy.OBJECT, Kstatus.IN_PROGRESS, how)


def _person(how: str, *, is_stated: bool = False, is_measured: bool = False) -> Ending:
    return Ending(EndedBy.PERSON, Kstatus.FAILED, how, is_stated, is_measured)


def _intended(how: str) -> Ending:
    """Someone requested the wait, so this is not a failure."""
    return Ending(EndedBy.PERSON, Kstatus.IN_PROGRESS, how)


def _slower(how: str) -> Ending:
    """It continues more slowly until a person changes something, so this is not a failure either."""
    return Ending(EndedBy.PERSON, Kstatus.IN_PROGRESS, how, is_measured=True)


ENDINGS: Final[Mapping[Reason, Ending]] = {
    # What is measured.
    Reason.METRIC_MISSING: _itself("resumes once the metric exists", is_stated=True),
    Reason.NEVER_SEEN: _person(
        "correct the selector, create the series at 0, or set `mayBeAbsent`", is_measured=True
    ),
    Reason.COUNTERS_UNSTABLE: _itself("resumes once the counters only rise", is_stated=True),
    Reason.UNATTRIBUTED: _itself("resumes once these runs cannot change the verdict", is_stated=True),
    Reason.METRICS_STALE: _itself("resumes once there are new samples", is_stated=True),
    Reason.METRICS_UNAVAILABLE: _itself("resumes once Prometheus responds", is_stated=True),
    Reason.INCONCLUSIVE: _itself(
        "resumes once the gates pass; more traffic would decide sooner", is_stated=True
    ),
    Reason.GATE_FAILED: _itself(
        "resumes if the gate recovers; otherwise ship a fix or roll back", is_stated=True
    ),
    Reason.SHARED_CAUSE: _itself("resumes once stable has recovered", is_stated=True),
    Reason.TRAFFIC_MISMATCH: _itself("resumes once the traffic follows the weight", is_stated=True),
    Reason.CAP_EXCEEDED: _itself("resumes once the cap is no longer exceeded", is_stated=True),
    Reason.NO_HEALTHY_TARGET: _person("ship a fix", is_stated=True, is_measured=True),
    # What people intend.
    Reason.PAUSED: _intended("set `spec.paused` to false"),
    Reason.FROZEN: _object("the AgentFreeze in the message ends or is deleted"),
    Reason.RECORD_BEHIND: _person("correct what the condition Recorded says"),
    Reason.RECORDS_NOT_SERVED: _person("install the CustomResourceDefinition of AgentRolloutRecord"),
    Reason.HELD_BY_PERSON: _intended("create an action of type Resume"),
    Reason.SWITCHED_OFF: _person("create an action of type SwitchOn, as the message shows"),
    Reason.ON_STANDBY: _itself("stable serves again at the time in the message"),
    Reason.AWAITING_APPROVAL: _intended("create an action of type Approve, as the message shows"),
    # The plan.
    Reason.INVALID_SPEC: _person("correct the field"),
    Reason.INVALID_GATE: _person("correct the field in the message", is_stated=True),
    Reason.SOURCE_UNKNOWN: _person("name a source of the settings, or ask the administrator for one"),
    Reason.LIMIT_EXCEEDED: _person("stay within the limit, or ask the administrator for more"),
    Reason.SHARE_EXCEEDED: _slower(
        "set a longer interval or use fewer gates, or ask the administrator for more"
    ),
    Reason.GATEWAY_NOT_PERMITTED: _person("name a permitted Gateway, or ask the administrator"),
    Reason.HOST_NOT_PERMITTED: _person("name a permitted hostname, or ask the administrator"),
    Reason.AGENT_TAKEN: _person("delete one of the two rollouts"),
    Reason.TERMINATING: _object("remove the finalizers that hold the rollout")._replace(is_measured=True),
    # The release that `releaseRef` names.
    Reason.PENDING: _object("the AgentRelease is read"),
    Reason.RELEASE_NOT_FOUND: _object("create the AgentRelease, or name another one"),
    Reason.RELEASE_NOT_READY: _object("the AgentRelease becomes Ready; see its own condition"),
    Reason.TEMPLATE_UNFIT: _object("create or correct the Deployment in `spec.workload.deploymentRef`"),
    Reason.HOOK_UNFIT: _object("correct the CronJob or the endpoint, as the message says"),
    Reason.HOOKS_RUNNING: _itself("the hooks end"),
    Reason.HOOK_FAILED: _person("create an action of type RedoHook or WaiveHook"),
    Reason.AGENT_MISMATCH: _person("name a release of this agent"),
    Reason.QUARANTINED: _person("ship another release, or create an action of type Retry"),
    Reason.TIMED_OUT: _person("ship another release, change the plan, or create an action of type Retry"),
    Reason.ROUTE_MARKED: _person("ship another release, or create an action of type Retry"),
    Reason.UNPROVED: _itself("the release that serves now stays within the limits, or exceeds them too"),
    Reason.SNAPSHOT_MISSING: _object("apply the AgentRelease again"),
    Reason.SNAPSHOT_ALTERED: _person("delete the ConfigMap, and apply the AgentRelease again"),
    Reason.SERVICE_MISSING: _person("ship a release that names its Service"),
    Reason.SERVICE_SHARED: _person("ship a release with its own Service"),
    Reason.NO_READY_ENDPOINTS: _object("an endpoint of the Service becomes ready"),
    Reason.REQUIREMENT_UNMET: _object("the other agent serves a version within the range"),
    Reason.BREAKS_DEPENDENT: _object("the other agent serves a release whose range includes this version"),
    Reason.STANDBY_NOT_READY: _object("correct what the message says of each standby"),
    Reason.FALLBACK_NOT_READY: _object("the rollout in `fallback.rollout` serves a release"),
    # The traffic.
    Reason.APPLYING: _itself("the route shows the weights"),
    Reason.NOT_ROLLED_BACK: _person("remove what refuses or undoes the write; the operator retries")._replace(
        is_measured=True
    ),
    Reason.ROLLBACK_LATE: _itself("the route shows the rollback"),
    Reason.GATEWAY_API_MISSING: _object("install the Gateway API"),
    Reason.FEATURE_FLAG_MISSING: _object("install the CRDs of the OpenFeature operator"),
    Reason.GATEWAY_UNREADABLE: _object("the Gateway and its class can be read"),
    Reason.NOT_ACCEPTED: _object("the Gateway accepts the route")._replace(is_measured=True),
    Reason.NO_GATEWAY: _object("the Gateway of the route accepts it"),
    Reason.REFS_NOT_RESOLVED: _object("the Service of the backend exists")._replace(is_measured=True),
    Reason.PARTIALLY_INVALID: _object("the Gateway accepts the whole route")._replace(is_measured=True),
    Reason.STICKY_ROUTE: _person("remove sessionPersistence from the rule"),
    Reason.ROUTE_NOT_FOUND: _object("create the HTTPRoute, or name another one"),
    Reason.ROUTE_UNEXPECTED: _person("correct the rule of the HTTPRoute"),
    Reason.ROUTE_NOT_OWNED: _person("rename the route or the rollout"),
    Reason.ROUTE_CONTESTED: _person("stop the other writer, or exclude the split from what it applies"),
    Reason.TRAFFIC_IMMUTABLE: _person("delete the ConfigMap with the command in the message"),
    Reason.NAME_TAKEN: _person("rename the object or the rollout"),
    Reason.RULE_TAKEN: _person("name another rule"),
    Reason.FORBIDDEN: _person("grant the operator the permission"),
    Reason.WRITE_REFUSED: _person("correct the field in the message")._replace(is_measured=True),
    Reason.WRITE_FAILED: _itself("the API server accepts the write"),
    # The group.
    Reason.GROUP_INCONSISTENT: _person("ship a fix for the member in the message"),
    # A release by itself.
    Reason.REFERENCE_MISSING: _object("create the object that the release refers to"),
    Reason.ARTIFACT_WITHOUT_DIGEST: _person("create a release whose artifact has a digest"),
    Reason.TOO_LARGE: _person("create a smaller release, with artifacts for large content"),
    Reason.TOOLS_DO_NOT_FIT_PROMPT: _person("create a release whose tools accept its prompt"),
    Reason.LOOKS_LIKE_CREDENTIAL: _person("create a release without the credential, or allow the path"),
    Reason.NAME_REUSED: _person("give the release a new name"),
}

NEEDS_A_PERSON: Final = frozenset(
    reason for reason, ending in ENDINGS.items() if ending.kstatus is Kstatus.FAILED
)
"""Reasons that waiting does not cure: `Stalled` is True with them."""

UNVARYING: Final = frozenset(
    {
        Reason.HOSTNAME_SHARED,
        Reason.ROLLBACK_READY,
        Reason.RECOVERY_INCOMPLETE,
        Reason.NOTHING_EARLIER,
        *(reason for reason, ending in ENDINGS.items() if not ending.is_measured),
    }
)
"""Reasons whose sentence changes only when what is wrong changes, so that another sentence is news."""


def with_way_out(reason: Reason, message: str) -> str:
    """The message of a hold, and what would release it where the message does not say so."""
    ending = ENDINGS.get(reason)
    return f"{message}; {ending.how}" if ending and ending.is_stated else message
