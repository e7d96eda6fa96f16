"""The vocabulary of conditions, Events and metric labels: each word and its meaning.

A reason is for machines, and its sentence is for people. Where numbers are available, the decision writes a
more specific message. A word is never reused with another meaning, since alerts depend on it.
"""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A reason. Its value is the word; `sentence` is its meaning."""

    sentence: str

    def __new__(cls, word: str, sentence: str) -> Self:
        """Make the member equal to its word, and attach the sentence."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        return member

    @classmethod
    def of(cls, word: str) -> "Reason":
        """The reason with this word. Raises `ValueError` for an unknown word."""
        reason = cls._value2member_map_.get(word)
        if not isinstance(reason, Reason):
            raise ValueError(f"{word} is not a reason")  # noqa: TRY004 the text is of the right type
        return reason

    # Why a release is Ready or not.
    MATERIALIZED = "Materialized", "The bundle is resolved and its snapshot is written."
    PENDING = "Pending", "A precondition is missing, so nothing has started yet."
    REFERENCE_MISSING = "ReferenceMissing", "An object that the release refers to does not exist."
    ARTIFACT_WITHOUT_DIGEST = (
        "ArtifactWithoutDigest",
        "An artifact has no digest, so its content could change unseen.",
    )
    TOO_LARGE = "TooLarge", "The resolved bundle is larger than a ConfigMap can hold."
    TOOLS_DO_NOT_FIT_PROMPT = "ToolsDoNotFitPrompt", "The tools do not accept the version of the prompt."
    LOOKS_LIKE_CREDENTIAL = (
        "LooksLikeCredential",
        "A value looks like a credential, and many people can read a bundle.",
    )
    NAME_REUSED = "NameReused", "The name was already used with another digest; use a new name."
    INVALID_SPEC = "InvalidSpec", "The spec is invalid."

    # The state of an attempt.
    INITIAL = "Initial", "The first release of the agent gets all traffic and bakes under absolute limits."
    CANARY = "Canary", "The canary has its share of the traffic and is being judged."
    AWAITING_APPROVAL = "AwaitingApproval", "The phase passed and is waiting for approval."
    HELD = "Held", "The attempt keeps its weight, with its clocks stopped."
    BAKING = "Baking", "All phases passed; the canary is still judged, and stable can still take over."
    HEALTHY = "Healthy", "The release serves all traffic and is healthy."
    ROLLING_BACK = "RollingBack", "All traffic is being moved to the stable release."
    VERIFYING = (
        "Verifying",
        "The stable release has the traffic; the operator verifies whether that helped.",
    )
    ROLLED_BACK = "RolledBack", "The release was rolled back; the stable release serves all traffic."
    SUPERSEDED = "Superseded", "Another release was requested before this attempt ended."

    TERMINATING = (
        "Terminating",
        "The rollout is being deleted: stable has all traffic, and nothing begins.",
    )

    # Why an attempt is held.
    HELD_BY_PERSON = "HeldByPerson", "A person holds the attempt; rolling back still works."
    PAUSED = "Paused", "The rollout is paused; rolling back still works."
    FROZEN = "Frozen", "An AgentFreeze covers the rollout; rolling back still works."
    RECORD_BEHIND = (
        "RecordBehind",
        "Too many entries of the record cannot be written; rolling back still works.",
    )
    METRIC_MISSING = "MetricMissing", "A gate's metric does not exist."
    NEVER_SEEN = (
        "NeverSeen",
        "The selector of a gate's bad outcomes has never matched a series, so it could not detect failures.",
    )
    COUNTERS_UNSTABLE = (
        "CountersUnstable",
        "A gate's counters fall more often than their processes can restart.",
    )
    UNATTRIBUTED = (
        "Unattributed",
        "Outcomes without a known release could change the verdict of a gate.",
    )
    METRICS_STALE = "MetricsStale", "The newest sample is too old for a decision."
    METRICS_UNAVAILABLE = "MetricsUnavailable", "Prometheus does not respond, or its result is incomplete."
    INVALID_GATE = "InvalidGate", "The definition of a gate is invalid."
    INCONCLUSIVE = "Inconclusive", "There were too few runs for a verdict, even after all extensions."
    GATE_FAILED = (
        "GateFailed",
        "A gate found the canary worse than stable, surely and by more than the margin.",
    )
    SHARED_CAUSE = "SharedCause", "Both releases are degraded at once, so the canary is not the cause."
    TRAFFIC_MISMATCH = "TrafficMismatch", "The number of canary runs does not match its share of the traffic."
    SWITCHED_OFF = (
        "SwitchedOff",
        "A share of the traffic, or all of it, is sent elsewhere until someone switches the agent on.",
    )
    ON_STANDBY = "OnStandby", "A standby serves in the place of stable, since a gate failed at rest."
    NO_HEALTHY_TARGET = "NoHealthyTarget", "There is no healthy release to roll back to."
    CAP_EXCEEDED = "CapExceeded", "The canary exceeded a cap."

    # Why a gate passes, or has no verdict yet.
    PASSED = "Passed", "The canary had enough runs and is not worse than stable."
    WITHIN_TOLERANCE = "WithinTolerance", "The canary is worse, but within the margin of the gate."
    COLLECTING = "Collecting", "There are too few runs for a verdict yet."
    WARMING_UP = "WarmingUp", "Latency and cost do not count yet after the new weight."

    # Why an attempt cannot start.
    RELEASE_NOT_FOUND = "ReleaseNotFound", "The AgentRelease in releaseRef does not exist."
    RELEASE_NOT_READY = "ReleaseNotReady", "The AgentRelease in releaseRef is not Ready."
    AGENT_MISMATCH = "AgentMismatch", "The AgentRelease and the rollout have different agents."
    SERVICE_MISSING = "ServiceMissing", "The release does not name a Service, which a route needs."
    SERVICE_SHARED = (
        "ServiceShared",
        "Stable and canary name the same Service, so a route cannot distinguish them.",
    )
    TEMPLATE_UNFIT = (
        "TemplateUnfit",
        "The Deployment in workload.deploymentRef cannot be copied for the release.",
    )
    HOOK_UNFIT = "HookUnfit", "The CronJob or the endpoint of a hook cannot be used, so nothing starts."
    HOOKS_RUNNING = "HooksRunning", "Hooks have not ended yet."
    HOOK_FAILED = "HookFailed", "A hook failed, and no one has redone or waived it."
    NO_READY_ENDPOINTS = "NoReadyEndpoints", "The Service of the release has no ready endpoint."
    REQUIREMENT_UNMET = "RequirementUnmet", "Another agent does not serve what the release requires."
    BREAKS_DEPENDENT = "BreaksDependent", "Another agent requires a range that excludes the release."
    QUARANTINED = (
        "Quarantined",
        "This digest was rolled back and is not tried again until someone retries it.",
    )
    UNPROVED = (
        "Unproved",
        "The release was rolled back at rest, and it is not yet known whether it was the cause.",
    )
    SNAPSHOT_MISSING = "SnapshotMissing", "The ConfigMap with the bundle of the release does not exist."
    SNAPSHOT_ALTERED = (
        "SnapshotAltered",
        "The ConfigMap with the bundle of the release has other content.",
    )
    LIMIT_EXCEEDED = "LimitExceeded", "The settings of the operator permit fewer rollouts or gates."
    GATEWAY_NOT_PERMITTED = (
        "GatewayNotPermitted",
        "The settings of the operator do not permit routes of the namespace at this Gateway.",
    )
    HOST_NOT_PERMITTED = (
        "HostNotPermitted",
        "The settings of the operator do not permit this hostname to the namespace.",
    )
    GATEWAY_UNREADABLE = "GatewayUnreadable", "The class of the Gateway is unknown, so no route is attached."
    ROLLBACK_READY = (
        "RollbackReady",
        "A healthy release can take over all traffic, and all points of a recovery hold.",
    )
    RECOVERY_INCOMPLETE = (
        "RecoveryIncomplete",
        "A healthy release can take over all traffic, but some points of a recovery do not hold.",
    )
    NOTHING_EARLIER = "NothingEarlier", "No other release has been healthy yet."
    AGENT_TAKEN = "AgentTaken", "Another AgentRollout in the namespace already ships this agent."

    # Whether the traffic has the desired weights.
    APPLIED = "Applied", "The route has the desired weights."
    APPLYING = "Applying", "The weights are written but not yet observed on the route."
    GATEWAY_API_MISSING = (
        "GatewayAPIMissing",
        "The cluster does not have this kind of route; install the Gateway API.",
    )
    FEATURE_FLAG_MISSING = (
        "FeatureFlagMissing",
        "The cluster does not have the kind FeatureFlag; install the CRDs of the OpenFeature operator.",
    )
    NOT_ACCEPTED = "NotAccepted", "The Gateway did not accept the route."
    REFS_NOT_RESOLVED = "RefsNotResolved", "The Gateway cannot resolve a backend of the route."
    PARTIALLY_INVALID = "PartiallyInvalid", "The Gateway ignored a part of the route."
    NO_GATEWAY = "NoGateway", "No gateway has reported on the route."
    STICKY_ROUTE = (
        "StickyRoute",
        "The rule of the HTTPRoute has sessionPersistence, which keeps users on the canary at weight 0.",
    )
    ROUTE_NOT_FOUND = "RouteNotFound", "The HTTPRoute in routePatch does not exist."
    ROUTE_NOT_OWNED = "RouteNotOwned", "A route of that name is owned by someone else."
    ROUTE_CONTESTED = "RouteContested", "Someone else changes a traffic object as often as it is restored."
    ROUTE_UNEXPECTED = (
        "RouteUnexpected",
        "The rule of the HTTPRoute is not as expected, so it is not changed.",
    )
    HOSTNAME_SHARED = (
        "HostnameShared",
        "Another route has the same hostname at the same parent, so it may take requests.",
    )
    RULE_TAKEN = "RuleTaken", "An older rollout already sets the weights of that rule."
    TRAFFIC_IMMUTABLE = (
        "TrafficImmutable",
        "Someone made the traffic ConfigMap immutable, so its split cannot be changed.",
    )
    NAME_TAKEN = "NameTaken", "An object of that name is owned by someone else."
    FORBIDDEN = "Forbidden", "The operator lacks a permission."
    WRITE_REFUSED = "WriteRefused", "The API server rejected the object."
    WRITE_FAILED = "WriteFailed", "The object could not be written; the operator retries."

    RECORDS_NOT_SERVED = (
        "RecordsNotServed",
        "The API server does not know AgentRolloutRecord; install its CustomResourceDefinition.",
    )

    # Whether the metrics are available.
    METRICS_AVAILABLE = "MetricsAvailable", "Prometheus responds and the metrics of the gates exist."
    METRICS_NOT_NEEDED = "NotNeeded", "No gate is evaluated now."
    METRICS_UNKNOWN = "NotYetAsked", "Prometheus has not been queried yet."
    SOURCE_UNKNOWN = (
        "SourceUnknown",
        "The settings have no Prometheus source of that name for this namespace.",
    )

    SHARE_EXCEEDED = (
        "ShareExceeded",
        "The namespace requests more than its share, so its rollouts are served less often.",
    )

    DATA_RECOVERED = "DataRecovered", "The hooks after the last rollbacks have succeeded or were waived."

    # Whether work is in progress, by kstatus.
    PROGRESSING = "Progressing", "The rollout is in progress."
    SETTLED = "Settled", "There is nothing left to do."
    NOT_STALLED = "NotStalled", "The rollout is not waiting for anything that only a person can resolve."

    # Whether a freeze is active.
    NO_WINDOWS = "NoWindows", "The freeze has begun and is not over, and has no windows."
    IN_WINDOW = "InWindow", "The time is in a window of the freeze."
    OUTSIDE_WINDOWS = "OutsideWindows", "The time is outside the windows of the freeze."
    NOT_BEGUN = "NotBegun", "The start time of the freeze is still to come."
    OVER = "Over", "The end time of the freeze has passed."
    INVALID_WINDOW = "InvalidWindow", "A window of the freeze cannot be read, so the freeze counts as active."

    # The answer to an action.
    DONE = "Done", "What was requested is done."
    COUNTED = "Counted", "The approval counts."
    NOTHING_TO_DO = "NothingToDo", "It was done already."
    WAITING = "Waiting", "The action takes effect once something else has happened."
    REFUSED = "Refused", "The action has no effect, and the message says why."
    STALE = "Stale", "The action names an attempt that is over."
    NO_SUCH_ROLLOUT = "NoSuchRollout", "There is no AgentRollout of that name in the namespace."
    IDENTITY_NOT_PROVED = (
        "IdentityNotProved",
        "The API server does not verify who creates actions, so those that advance a canary have no effect.",
    )

    # What happened, as Events.
    ANNOTATION_IGNORED = (
        "AnnotationIgnored",
        "An annotation requests what only an AgentRolloutAction can, so it has no effect.",
    )
    ACTION_TAKEN = "ActionTaken", "An AgentRolloutAction took effect."
    ACTION_REFUSED = "ActionRefused", "An AgentRolloutAction had no effect."
    STANDBY_NOT_READY = "StandbyNotReady", "A standby cannot serve in the place of stable."
    FALLBACK_NOT_READY = "FallbackNotReady", "The agent that should answer in a detour cannot."
    DETOUR_STARTED = "DetourStarted", "Traffic of the agent is sent elsewhere."
    DETOUR_ENDED = "DetourEnded", "The agent is switched on: its releases get the traffic again."
    ATTEMPT_STARTED = "AttemptStarted", "A new attempt began."
    PHASE_STARTED = "PhaseStarted", "The canary got a new share of the traffic."
    PHASE_EXTENDED = "PhaseExtended", "The phase was extended because a gate was undecided."
    HOLD_ENDED = "HoldEnded", "The attempt resumed."
    FUSE_BURNING = (
        "FuseBurning",
        "A gate that holds the attempt still fails; it rolls back soon unless someone acknowledges.",
    )
    RECALLED = "Recalled", "The rollout was created again; an earlier healthy release is stable."
    PROMOTED = "Promoted", "The canary is healthy and became stable."
    ROLLBACK_STARTED = "RollbackStarted", "Traffic is being moved to the stable release."
    NOT_ROLLED_BACK = "NotRolledBack", "The write of a rollback is refused or undone; the operator retries."
    ROLLBACK_LATE = "RollbackLate", "The rollback took longer than its budget."
    RECOVERED = "Recovered", "The metrics are as they were before the attempt."
    NOT_RECOVERED = "NotRecovered", "The metrics did not recover, so the cause is elsewhere."
    UNVERIFIED = "Unverified", "It is unknown whether the rollback helped."
    DRILL_STARTED = "DrillStarted", "A drill began: an earlier release gets a small share for a short time."
    DRILL_PASSED = "DrillPassed", "The release still serves, and lost its traffic again."
    DRILL_FAILED = "DrillFailed", "The release is not a rollback target until a drill of it passes."
    DRILL_SKIPPED = "DrillSkipped", "The drill ended without showing anything about the release."
    ROUTE_RESTORED = "RouteRestored", "Someone else changed a traffic object; the operator restored it."
    STATUS_NOT_WRITTEN = (
        "StatusNotWritten",
        "The status is out of date, since the API server does not store it; traffic moves all the same.",
    )
    STATUS_INCOMPLETE = "StatusIncomplete", "The API server does not store every field of the status."
    HOOK_STARTED = "HookStarted", "The Job or a request of a hook was started."
    HOOK_ENDED = "HookEnded", "A hook succeeded, or is not needed."
    GATE_WARNED = "GateWarned", "A gate of low severity found the canary worse."

    # Whether the members of a group ship and roll back together.
    GROUP_CONSISTENT = "GroupConsistent", "No member serves what it shipped together with a failed release."
    GROUP_INCONSISTENT = "GroupInconsistent", "A member serves what it shipped with a failed release."

    # Why a rollback was requested although no gate failed.
    GROUP_ROLLBACK = "GroupRollback", "Another member of the group rolled back what was shipped with it."
    ROLLBACK_REQUESTED = "RollbackRequested", "Someone requested a rollback."
    DRILL = "Drill", "The release was drilled, and rolled back on purpose."
    ROUTE_MARKED = (
        "RouteMarked",
        "The route said that the release was rolled back on request, and no request is known.",
    )
    SPEC_REVERTED = "SpecReverted", "The spec was set to the stable release again."
    TIMED_OUT = "TimedOut", "The phase stayed undecided, and the plan rolls back in that case."
