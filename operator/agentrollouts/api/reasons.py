"""The one vocabulary: the word for a condition, an Event and a metric label, and what it means.

A reason is for machines and for memory, its sentence for people; where numbers are at hand, the code that
decides adds a message of its own. A word is never reused for another meaning, since alerts are written
against it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Trigger(StrEnum):
    """What caused a rollback."""

    BREACH = "Breach"
    CAP = "Cap"
    SPEC_REVERTED = "SpecReverted"
    TIMEOUT = "Timeout"
    ACTION = "Action"


class Reason(StrEnum):
    """A reason; its value is the word, `sentence` what it means."""

    sentence: str

    def __new__(cls, word: str, sentence: str) -> Self:
        """Make the member equal to its word and keep the sentence beside it."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        return member

    @classmethod
    def of(cls, word: str) -> Reason:
        """The reason that this word stands for. Raises `ValueError` for a word that is none of ours."""
        found = cls._value2member_map_.get(word)
        if not isinstance(found, Reason):
            raise ValueError(f"{word} is no reason")  # noqa: TRY004 the text is of the right type
        return found

    # A release becomes Ready, or says what is wrong with it.
    MATERIALIZED = "Materialized", "The bundle is resolved and its snapshot is written."
    PENDING = "Pending", "Waiting for what it needs before anything can start."
    REFERENCE_MISSING = "ReferenceMissing", "An object that the release refers to does not exist."
    ARTIFACT_WITHOUT_DIGEST = (
        "ArtifactWithoutDigest",
        "An artifact has no digest, so its content could change unseen.",
    )
    TOO_LARGE = "TooLarge", "The resolved bundle is larger than a ConfigMap can hold."
    TOOLS_DO_NOT_FIT_PROMPT = "ToolsDoNotFitPrompt", "The tools do not accept the version of the prompt."
    LOOKS_LIKE_CREDENTIAL = (
        "LooksLikeCredential",
        "A value looks like a credential; bundles are readable by many.",
    )
    NAME_REUSED = "NameReused", "The name was already used with another digest; give the release a new name."
    INVALID_SPEC = "InvalidSpec", "The spec cannot be understood."

    # Where an attempt is: the states of the table in core.states.
    INITIAL = "Initial", "The first release of the agent goes to 100 % and bakes under absolute limits."
    CANARY = "Canary", "The canary has its share of the traffic and is being watched."
    AWAITING_APPROVAL = "AwaitingApproval", "The phase passed; a person is asked to agree."
    HELD = "Held", "The attempt waits at its weight, with its clocks stopped."
    BAKING = "Baking", "The phases are passed; the canary is watched while stable can still take over."
    HEALTHY = "Healthy", "The release serves all traffic and was found healthy."
    ROLLING_BACK = "RollingBack", "All traffic is being moved back to the stable release."
    VERIFYING = "Verifying", "Traffic is back on the stable release; it is checked whether that helped."
    ROLLED_BACK = "RolledBack", "The release was taken back; the stable release serves all traffic."
    SUPERSEDED = "Superseded", "Another release was asked for before this attempt ended."

    # Why an attempt waits.
    PAUSED = "Paused", "The rollout is paused; rolling back still works."
    METRIC_MISSING = "MetricMissing", "A gate's metric does not exist."
    NEVER_SEEN = (
        "NeverSeen",
        "The selector of a gate's bad outcomes has never matched a series, so no failure could be seen.",
    )
    COUNTERS_UNSTABLE = (
        "CountersUnstable",
        "A gate's counters fall more often than their processes can have restarted.",
    )
    UNATTRIBUTED = (
        "Unattributed",
        "Outcomes that carry no known release could change the verdict of a gate.",
    )
    METRICS_STALE = "MetricsStale", "The newest sample is too old to decide on."
    METRICS_UNAVAILABLE = "MetricsUnavailable", "Prometheus does not answer, or not completely."
    INVALID_GATE = "InvalidGate", "A gate cannot be asked as it is written."
    INCONCLUSIVE = "Inconclusive", "There were too few runs to decide, also after the extensions."
    GATE_FAILED = "GateFailed", "A gate found the canary worse than stable, surely and by enough to matter."
    SHARED_CAUSE = "SharedCause", "Both releases are bad at once, so the cause is not the canary."
    TRAFFIC_MISMATCH = "TrafficMismatch", "The canary's runs are far from its share of the traffic."
    NO_HEALTHY_TARGET = "NoHealthyTarget", "There is no healthy release to go back to."
    CAP_EXCEEDED = "CapExceeded", "The canary exceeded a cap."

    # What a gate answers when all is well or when it is too early.
    PASSED = "Passed", "The canary had enough runs and is not worse than stable."
    WITHIN_TOLERANCE = "WithinTolerance", "The canary is surely worse, but by less than the gate tolerates."
    COLLECTING = "Collecting", "Runs are being collected."
    WARMING_UP = "WarmingUp", "Latency and cost are not counted yet after the new weight."

    # Why nothing can start.
    RELEASE_NOT_FOUND = "ReleaseNotFound", "The AgentRelease that releaseRef names does not exist."
    RELEASE_NOT_READY = "ReleaseNotReady", "The AgentRelease that releaseRef names is not Ready."
    AGENT_MISMATCH = "AgentMismatch", "The AgentRelease belongs to another agent than the rollout."
    SERVICE_MISSING = "ServiceMissing", "The release names no Service, but traffic is moved by a route."
    SERVICE_SHARED = (
        "ServiceShared",
        "Stable and canary name the same Service, so a route cannot tell them apart.",
    )
    NO_READY_ENDPOINTS = "NoReadyEndpoints", "The release's Service has no ready endpoint."
    QUARANTINED = (
        "Quarantined",
        "This digest was rolled back for a breach and is not tried again; ship a new digest.",
    )
    UNPROVED = (
        "Unproved",
        "The release was rolled back at rest, and it is not known yet whether it was the cause.",
    )
    SNAPSHOT_MISSING = "SnapshotMissing", "The ConfigMap that holds the release's bundle is gone."
    LIMIT_EXCEEDED = "LimitExceeded", "The operator's settings permit fewer rollouts or gates."
    GATEWAY_NOT_PERMITTED = (
        "GatewayNotPermitted",
        "The operator's settings do not permit routes at a Gateway of this class.",
    )
    GATEWAY_UNREADABLE = "GatewayUnreadable", "The class of the Gateway is not known, so nothing is attached."
    ROLLBACK_READY = "RollbackReady", "There is a healthy release that could take over all traffic."
    NOTHING_EARLIER = "NothingEarlier", "No other release was found healthy yet."
    AGENT_TAKEN = "AgentTaken", "Another AgentRollout in the namespace already ships this agent."

    # Whether the traffic is where it should be.
    APPLIED = "Applied", "The route shows the weights that were asked for."
    APPLYING = "Applying", "The weights are written and not yet seen on the route."
    GATEWAY_API_MISSING = "GatewayAPIMissing", "The cluster has no HTTPRoute kind; install the Gateway API."
    NOT_ACCEPTED = "NotAccepted", "The Gateway did not accept the route."
    REFS_NOT_RESOLVED = "RefsNotResolved", "The Gateway cannot resolve a backend of the route."
    PARTIALLY_INVALID = "PartiallyInvalid", "The Gateway dropped a part of the route."
    NO_GATEWAY = "NoGateway", "No gateway has reported on the route."
    STICKY_ROUTE = (
        "StickyRoute",
        "The rule of the HTTPRoute has sessionPersistence, which keeps users on the canary at weight 0.",
    )
    ROUTE_NOT_FOUND = "RouteNotFound", "The HTTPRoute whose weights should be set does not exist."
    ROUTE_NOT_OWNED = "RouteNotOwned", "An HTTPRoute of that name exists and belongs to somebody else."
    ROUTE_UNEXPECTED = (
        "RouteUnexpected",
        "The rule of the HTTPRoute does not look as expected, so it is left alone.",
    )
    HOSTNAME_SHARED = (
        "HostnameShared",
        "Another route has the same hostname at the same parent, so it may take requests.",
    )
    RULE_TAKEN = "RuleTaken", "An older rollout sets the weights of that rule."
    NAME_TAKEN = "NameTaken", "An object of that name exists and belongs to somebody else."
    FORBIDDEN = "Forbidden", "The operator lacks a permission that this needs."
    WRITE_REFUSED = "WriteRefused", "The API server refused the object."
    WRITE_FAILED = "WriteFailed", "The object could not be written; it is tried again."

    # Whether the metrics are there.
    METRICS_AVAILABLE = "MetricsAvailable", "Prometheus answers and the gates' metrics exist."
    METRICS_NOT_NEEDED = "NotNeeded", "No gate is asked at present."
    METRICS_UNKNOWN = "NotYetAsked", "Prometheus has not been asked yet."
    SOURCE_UNKNOWN = (
        "SourceUnknown",
        "The settings have no Prometheus source of that name for this namespace.",
    )

    # Whether the spec is being worked on: the pair of kstatus.
    PROGRESSING = "Progressing", "The rollout is on its way."
    SETTLED = "Settled", "There is nothing left to do."
    NOT_STALLED = "NotStalled", "Nothing stands in the way that only a person can remove."

    # What happened, as Events.
    ATTEMPT_STARTED = "AttemptStarted", "A new attempt began."
    PHASE_STARTED = "PhaseStarted", "The canary got a new share of the traffic."
    PHASE_EXTENDED = "PhaseExtended", "The phase was extended, since a gate was undecided."
    HOLD_ENDED = "HoldEnded", "The attempt goes on."
    RECALLED = (
        "Recalled",
        "The rollout was created again; a release that was found healthy before continues as stable.",
    )
    PROMOTED = "Promoted", "The canary was found healthy and became stable."
    ROLLBACK_STARTED = "RollbackStarted", "All traffic goes back to the stable release."
    ROLLBACK_LATE = "RollbackLate", "The rollback took longer than its budget."
    RECOVERED = "Recovered", "The metrics are back where they were before the attempt."
    NOT_RECOVERED = "NotRecovered", "The metrics did not recover, so the cause lies elsewhere."
    UNVERIFIED = "Unverified", "It could not be decided whether the rollback helped."
    ROUTE_RESTORED = "RouteRestored", "Somebody else changed what moves the traffic; it is put back."
    GATE_WARNED = "GateWarned", "A gate of low severity found the canary worse."

    # Why a rollback was asked for, where no gate failed.
    ROLLBACK_REQUESTED = "RollbackRequested", "A person asked to go back."
    SPEC_REVERTED = "SpecReverted", "The spec was set back to the stable release."
    TIMED_OUT = "TimedOut", "The phase stayed undecided, and the plan says to roll back then."
