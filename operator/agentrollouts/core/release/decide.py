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
from agentrollouts.core.release.bundle import Bundle, config_maps_of, edited, read_bundle, references, resolve
from agentrollouts.core.release.checks import Refusal, find_warnings
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.diff import diff
from agentrollouts.core.release.snapshot import Snapshot, is_owned, owner_write, snapshot_name, snapshot_write

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
    """When to look again though nothing changed; None while only the release or a snapshot can matter."""


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


def reads(release: AgentRelease, snapshots: tuple[Snapshot, ...]) -> tuple[str, ...]:
    """Names of the ConfigMaps to read before deciding: none once the release is materialized."""
    return () if _materialised(release, snapshots) else references(release)


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
    kept = _materialised(release, snapshots)
    if kept is not None:  # once it stands, references are never read again: their content may differ by now
        status = release.status if release.status.digest else _telling(release, read_bundle(kept.bundle))
        owners = _owner_writes(release, kept)
        if name := edited(release, kept.bundle):
            refused = _not_ready(release, Reason.NAME_REUSED, _edited(release, name, kept), retry=False)
            return replace(refused, status=status, writes=owners)
        return _ready(observation, status, kept.bundle, owners)
    bundle = resolve(release, observation.config_maps)
    if isinstance(bundle, Refusal):  # only content that is referred to can change and heal this
        return _not_ready(release, bundle.reason, bundle.message, retry=bool(references(release)))
    if release.status.digest not in {None, bundle.digest}:  # a reported digest is never withdrawn
        return _not_ready(release, Reason.NAME_REUSED, _lost(release, bundle))
    for snapshot in snapshots:  # a name is one behavior, permanently: it labels metrics and history
        if release.metadata.name in snapshot.releases and snapshot.digest != bundle.digest:
            return _not_ready(release, Reason.NAME_REUSED, _reused(release, bundle, snapshot))
    return _materialise(observation, bundle)


def _materialise(observation: ReleaseObservation, bundle: Bundle) -> _Progress:
    """Write the snapshot, or share the one that another release of the same content has."""
    release = observation.release
    name = snapshot_name(release.spec.agent, bundle.digest)
    there = _named(name, observation.snapshots)
    if there is not None and not (there.is_immutable and there.digest == bundle.digest):
        what = "with other content" if there.is_immutable else "and is not immutable"
        message = f"ConfigMap {name} exists {what}; delete it, and the operator writes it again"
        return _not_ready(release, Reason.NAME_TAKEN, message)
    writes = _owner_writes(release, there) if there else (snapshot_write(release, bundle),)
    if writes and observation.problem is not None:
        problem = observation.problem
        return replace(_not_ready(release, problem.reason, problem.message), writes=writes)
    return _ready(observation, _telling(release, bundle), bundle.text, writes)


def _ready(
    observation: ReleaseObservation, status: AgentReleaseStatus, text: str, writes: tuple[Write, ...]
) -> _Progress:
    parent = _parent(observation)
    if parent is not None and not status.diff:  # the parent may be materialized later, or gone by now
        status = status.replace(diff=diff(parent.bundle, text))
    where = status.snapshot.name if status.snapshot else ""
    message = f"{len(status.component_digests)} components, {status.digest}, are in ConfigMap {where}"
    retry = bool(writes) and observation.problem is not None
    release = observation.release
    warnings = tuple(find_warnings(release, config_maps_of(release, text)))
    if warnings:
        more = f"; so may {len(warnings) - 1} more" if len(warnings) > 1 else ""
        message = f"{message}. Warning: {warnings[0]}{more}"
    return _Progress(status, ConditionStatus.TRUE, Reason.MATERIALIZED, message, writes, retry, warnings)


def _not_ready(release: AgentRelease, reason: Reason, message: str, *, retry: bool = True) -> _Progress:
    return _Progress(release.status, ConditionStatus.FALSE, reason, message, retry=retry)


def _materialised(release: AgentRelease, snapshots: tuple[Snapshot, ...]) -> Snapshot | None:
    """The snapshot that is this release's permanently.

    That of the reported digest. While none is reported, the release is resolved: anyone may have written a
    ConfigMap that names it as an owner.
    """
    digest = release.status.digest
    found = _named(snapshot_name(release.spec.agent, digest), snapshots) if digest else None
    return found if found is not None and found.is_immutable and found.digest == digest else None


def _named(name: str, snapshots: tuple[Snapshot, ...]) -> Snapshot | None:
    return next((snapshot for snapshot in snapshots if snapshot.metadata.name == name), None)


def _telling(release: AgentRelease, bundle: Bundle) -> AgentReleaseStatus:
    """The status that tells what the release became."""
    return release.status.replace(
        digest=bundle.digest,
        component_digests=bundle.component_digests,
        snapshot=SnapshotRef(name=snapshot_name(release.spec.agent, bundle.digest)),
    )


def _parent(observation: ReleaseObservation) -> Snapshot | None:
    wanted = observation.release.spec.parent
    if wanted is None:
        return None
    return next((snapshot for snapshot in observation.snapshots if wanted.name in snapshot.releases), None)


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
    known = find_condition(release.status.conditions, READY)
    is_same = known is not None and (known.status, known.reason) == (finding.ready, finding.reason)
    if is_same and (finding.reason not in UNVARYING or (known and known.message == finding.message)):
        return ()
    warnings = (
        Event(Reason.LOOKS_LIKE_CREDENTIAL, text, is_warning=True) for text in finding.warnings[:WARNINGS]
    )
    is_warning = finding.ready is not ConditionStatus.TRUE
    return (Event(finding.reason, finding.message, is_warning=is_warning), *warnings)


def _pause(release: AgentRelease, now: datetime) -> timedelta:
    """As long as it has been so, within bounds: the distance between two looks doubles."""
    told = find_condition(release.status.conditions, READY)
    since = told.last_transition_time if told is not None and told.status is not ConditionStatus.TRUE else now
    return min(max(now - since, RETRY_FIRST), RETRY_LAST)
