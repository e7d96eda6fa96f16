"""The decision for one AgentRelease, from what is known to what is written.

The snapshot is written first and the status after it. Pure and level-triggered: decided again from its own
result, it requests nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.tools import external_actions
from agentrollouts.api.release import AgentRelease, AgentReleaseStatus, SnapshotRef
from agentrollouts.core.conditions import (
    READY,
    RECONCILING,
    STALLED,
    condition,
    find_condition,
    set_condition,
)
from agentrollouts.core.effects import Event, Problem, Write
from agentrollouts.core.endings import NEEDS_A_PERSON, UNVARYING
from agentrollouts.core.release.bundle import Bundle, references
from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.examine import Examined, examine
from agentrollouts.core.release.permits import no_room
from agentrollouts.core.release.snapshot import Snapshot, is_owned, owner_write, snapshot_name, snapshot_write
from agentrollouts.core.release.standing import WARNING, content_of, is_settled, kept_by, named

WARNINGS: Final = 3
"""Events about fields that may hold a credential; the condition says how many there are."""

RETRY_FIRST: Final = timedelta(seconds=5)
RETRY_LAST: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseObservation:
    """The world of one release as it is now."""

    now: datetime
    release: AgentRelease
    config_maps: Mapping[str, ConfigMapData | None] = field(default_factory=dict)
    """The ConfigMaps that `reads` named; None for one that does not exist."""
    snapshots: tuple[Snapshot, ...] = ()
    """All snapshots of the release's agent in its namespace."""
    problem: Problem | None = None
    """Why the last write of the snapshot failed; None once one succeeded."""
    examined: Examined | None = None
    """What the content of the release was found to be. None if it was not examined: for a release that
    `is_settled` or that `refused` keeps out, nothing depends on it. Any other release is examined here, and
    then its content and the texts of the snapshots in `reads` must be there.
    """
    refused: Problem | None = None
    """Why the administrator does not permit a further release; None if nothing stands against it. A release
    that has a snapshot does not ask. The caller decides again once it is permitted.
    """
    room: int | None = None
    """Bytes that a new snapshot can have; None without a limit. The caller decides again once there are
    enough."""
    limit: str = ""
    """Names that limit: where it is set, and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDecision:
    """What to do, in this order: the snapshot, then the status once, then Events.

    Where a write fails the status is not written: it would promise what is not there. Observe again, with
    `problem`.
    """

    writes: tuple[Write, ...] = ()
    status: AgentReleaseStatus | None = None
    """The whole new status; None if the persisted one already says it."""
    events: tuple[Event, ...] = ()
    wake_at: datetime | None = None
    """When to look again though nothing changed; None while only a change can matter that is observed."""


@dataclass(frozen=True, slots=True)
class _Progress:
    """What the release's status should come to say."""

    status: AgentReleaseStatus
    ready: ConditionStatus
    reason: Reason
    message: str
    writes: tuple[Write, ...] = ()
    retry: bool = False
    warnings: tuple[str, ...] = ()
    """What a person should look at, although the release is ready."""


def decide_release(observation: ReleaseObservation) -> ReleaseDecision:
    """Decide what one release needs."""
    release, now = observation.release, observation.now
    if release.metadata.deletion_timestamp is not None:
        return ReleaseDecision()  # its snapshot stays for its other owners
    finding = _find(observation)
    generation = release.metadata.generation
    conditions = release.status.conditions
    for kind, holds, reason, message in _words(finding):
        new = condition(kind, holds, reason, message, generation=generation, now=now)
        conditions = set_condition(conditions, new)
    status = finding.status.replace(observed_generation=generation, conditions=conditions)
    return ReleaseDecision(
        writes=finding.writes,
        status=status if status != release.status else None,
        events=_events(release, finding),
        wake_at=now + _pause(release, now) if finding.retry else None,
    )


def _words(finding: _Progress) -> tuple[tuple[str, ConditionStatus, Reason, str], ...]:
    """Whether it is ready and, for those who wait for it (kstatus), whether waiting helps."""
    yes, no = ConditionStatus.TRUE, ConditionStatus.FALSE
    word = (finding.reason, finding.message)
    waits = finding.ready is not yes and finding.reason not in NEEDS_A_PERSON
    stalls = finding.ready is not yes and not waits
    return (
        (READY, finding.ready, *word),
        (RECONCILING, yes, *word) if waits else (RECONCILING, no, Reason.SETTLED, ""),
        (STALLED, yes, *word) if stalls else (STALLED, no, Reason.NOT_STALLED, ""),
    )


def _find(observation: ReleaseObservation) -> _Progress:
    """The chain: first match wins."""
    release, snapshots = observation.release, observation.snapshots
    kept = kept_by(release, snapshots)
    if kept is not None and observation.examined is None and is_settled(release, snapshots):
        return _unchanged(observation, kept)
    if kept is None and observation.refused is not None:
        refused = observation.refused
        return _not_ready(release, refused.reason, refused.message, retry=False)
    examined = observation.examined or examine(content_of(release, snapshots, observation.config_maps))
    return _judge(observation, kept, examined)


def _judge(observation: ReleaseObservation, kept: Snapshot | None, examined: Examined) -> _Progress:
    """What follows from the content."""
    release, bundle = observation.release, examined.bundle
    if kept is not None and isinstance(bundle, Bundle):
        status = release.status if release.status.digest else _telling(release, bundle)
        owners = _owner_writes(release, kept)
        if name := examined.edited:
            refused = _not_ready(release, Reason.NAME_REUSED, _edited(release, name, kept), retry=False)
            return replace(refused, status=status, writes=owners)
        return _ready(observation, status, examined, owners)
    if isinstance(bundle, Refusal):  # only content that is referred to can change and heal this
        return _not_ready(release, bundle.reason, bundle.message, retry=bool(references(release)))
    if release.status.digest not in {None, bundle.digest}:  # a reported digest is never withdrawn
        return _not_ready(release, Reason.NAME_REUSED, _lost(release, bundle))
    for snapshot in observation.snapshots:  # a name is one behavior, permanently: metrics have it as a label
        if release.metadata.name in snapshot.releases and snapshot.digest != bundle.digest:
            return _not_ready(release, Reason.NAME_REUSED, _reused(release, bundle, snapshot))
    return _materialise(observation, examined, bundle)


def _unchanged(observation: ReleaseObservation, kept: Snapshot) -> _Progress:
    """What the status says already; the release comes to own its snapshot if it does not."""
    release, writes = observation.release, _owner_writes(observation.release, kept)
    ready = find_condition(release.status.conditions, READY)
    retry = bool(writes) and observation.problem is not None
    message = ready.message if ready else ""
    return _Progress(release.status, ConditionStatus.TRUE, Reason.MATERIALIZED, message, writes, retry)


def _materialise(observation: ReleaseObservation, examined: Examined, bundle: Bundle) -> _Progress:
    """Write the snapshot, or share the one that another release of the same content has."""
    release, room = observation.release, observation.room
    name = snapshot_name(release.spec.agent, bundle.digest)
    there = named(name, observation.snapshots)
    if there is not None and not (there.is_immutable and there.digest == bundle.digest):
        what = "with other content" if there.is_immutable else "and is not immutable"
        message = f"ConfigMap {name} exists {what}; delete it, and the operator writes it again"
        return _not_ready(release, Reason.NAME_TAKEN, message)
    if there is None and room is not None and (size := len(bundle.text.encode())) > room:
        refused = no_room(release.metadata.namespace, size, room, observation.limit)
        return _not_ready(release, refused.reason, refused.message, retry=False)
    writes = _owner_writes(release, there) if there else (snapshot_write(release, bundle),)
    if writes and observation.problem is not None:
        problem = observation.problem
        return replace(_not_ready(release, problem.reason, problem.message), writes=writes)
    return _ready(observation, _telling(release, bundle), examined, writes)


def _ready(
    observation: ReleaseObservation,
    status: AgentReleaseStatus,
    examined: Examined,
    writes: tuple[Write, ...],
) -> _Progress:
    if not status.diff:  # the parent may be materialized later, or gone by now
        status = status.replace(diff=examined.diff)
    where = status.snapshot.name if status.snapshot else ""
    message = f"{len(status.component_digests)} components, {status.digest}, are in ConfigMap {where}"
    retry = bool(writes) and observation.problem is not None
    warnings = examined.warnings
    if warnings:
        more = f"; so may {len(warnings) - 1} more" if len(warnings) > 1 else ""
        message = f"{message}{WARNING}{warnings[0]}{more}"
    return _Progress(status, ConditionStatus.TRUE, Reason.MATERIALIZED, message, writes, retry, warnings)


def _not_ready(release: AgentRelease, reason: Reason, message: str, *, retry: bool = True) -> _Progress:
    return _Progress(release.status, ConditionStatus.FALSE, reason, message, retry=retry)


def _telling(release: AgentRelease, bundle: Bundle) -> AgentReleaseStatus:
    """The status that tells what the release became."""
    return release.status.replace(
        digest=bundle.digest,
        component_digests=bundle.component_digests,
        snapshot=SnapshotRef(name=snapshot_name(release.spec.agent, bundle.digest)),
        external_actions=external_actions(bundle.tools),
    )


def _owner_writes(release: AgentRelease, snapshot: Snapshot) -> tuple[Write, ...]:
    return () if is_owned(snapshot.metadata, release) else (owner_write(snapshot.metadata, release),)


def _lost(release: AgentRelease, bundle: Bundle) -> str:
    return (
        f"The snapshot of {release.status.digest} is gone, and the content that the release refers to is now"
        f" {bundle.digest}; restore the old content, or create a release with a new name"
    )


def _edited(release: AgentRelease, component: str, snapshot: Snapshot) -> str:
    return (
        f"spec.components.{component} was changed after {release.metadata.name} was created; agents still "
        f"read {snapshot.digest} from ConfigMap {snapshot.metadata.name}; restore the old content, or "
        "create a new AgentRelease"
    )


def _reused(release: AgentRelease, bundle: Bundle, snapshot: Snapshot) -> str:
    return (
        f"The name {release.metadata.name} was used for {snapshot.digest}, in ConfigMap"
        f" {snapshot.metadata.name}, and this is {bundle.digest}; give the release a new name"
    )


def _events(release: AgentRelease, finding: _Progress) -> tuple[Event, ...]:
    """One Event for each change of the answer, none while it stays."""
    ready = find_condition(release.status.conditions, READY)
    is_same = ready is not None and (ready.status, ready.reason) == (finding.ready, finding.reason)
    if is_same and (finding.reason not in UNVARYING or (ready and ready.message == finding.message)):
        return ()
    warnings = (
        Event(Reason.LOOKS_LIKE_CREDENTIAL, text, is_warning=True) for text in finding.warnings[:WARNINGS]
    )
    is_warning = finding.ready is not ConditionStatus.TRUE
    return (Event(finding.reason, finding.message, is_warning=is_warning), *warnings)


def _pause(release: AgentRelease, now: datetime) -> timedelta:
    """As long as it has been so, within bounds: the distance between two looks doubles."""
    ready = find_condition(release.status.conditions, READY)
    since = (
        ready.last_transition_time if ready is not None and ready.status is not ConditionStatus.TRUE else now
    )
    return min(max(now - since, RETRY_FIRST), RETRY_LAST)
