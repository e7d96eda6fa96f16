"""The release that `spec.releaseRef` names, and what it is to the rollout.

Its digest is compared with the status first, so a rollback never needs the release object, a metric, or
anything else that could be missing.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.recovery.standby import LONGEST, StandbyRelease
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, Outcome, ReleaseRecord
from agentrollouts.core.attempt.ladder import counted
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.conditions import READY, find_condition
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import is_drill, was_healthy
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.states import is_progressing, is_under_way, is_unproved
from agentrollouts.core.workload.template import service_of


class Standing(Enum):
    """The relation of the desired release to the rollout, in the order in which it is checked."""

    CANARY = auto()
    """It is the canary: continue."""
    STABLE = auto()
    """It is stable: nothing to do, or end the attempt in progress."""
    QUARANTINED = auto()
    """It was rolled back: not tried again by a resync, a relabel or a restart."""
    GIVEN_UP = auto()
    """It was rolled back though nothing was proved against it: not tried again under the same plan."""
    KNOWN_HEALTHY = auto()
    """It was healthy before: one write back to it, then bake."""
    NEW = auto()
    """Start an attempt at the first phase."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired release, as it would be served, and its relation to the rollout."""

    standing: Standing
    record: ReleaseRecord


def desired_release(obs: Observation) -> Desired | Problem:
    """Compare the desired release with the status; its name is enough if the object does not exist.

    A `Problem` is the answer where no digest is known: the release is missing, not ready or of another agent.
    """
    rollout, status = obs.rollout, obs.status
    name = rollout.spec.release_ref.name
    record = _by_name(name, status) or _from_object(rollout, name, obs.release, "spec.releaseRef")
    return (
        record if isinstance(record, Problem) else Desired(_classify(record, obs.written or rollout), record)
    )


def standby_record(obs: Observation, name: str) -> ReleaseRecord | Problem:
    """The release that an entry of `spec.standby` names, as it would be served."""
    found = _by_name(name, obs.status)
    return found or _from_object(obs.rollout, name, obs.standbys.get(name), "spec.standby")


def credible(obs: Observation, mark: Detour | None) -> Detour | None:
    """The mark on a traffic object; None for a standby that is not one of the spec, or lasts too long.

    Anyone who may edit the route can write a mark, and must not choose what serves by it.
    """
    if mark is None or mark.standby is None:
        return mark
    names = {each.release_ref.name for each in obs.rollout.spec.standby}
    record = standby_record(obs, mark.standby.release) if mark.standby.release in names else None
    is_known = isinstance(record, ReleaseRecord) and mark.standby == standby_release(record)
    is_short = mark.until is None or mark.until <= min(mark.since, obs.now) + timedelta(seconds=LONGEST)
    return mark if is_known and is_short and not is_progressing(obs.status) else None


def standby_release(record: ReleaseRecord) -> StandbyRelease:
    """A release as a detour names it."""
    return StandbyRelease(**{name: getattr(record, name) for name in StandbyRelease.model_fields})


def about_to_start(obs: Observation) -> ReleaseRecord | None:
    """The release that would get traffic next if nothing prevented it; only a route needs its endpoints."""
    attempt, desired = obs.status.attempt, desired_release(obs)
    if not isinstance(desired, Desired) or not obs.rollout.spec.traffic.by_route:
        return None
    if attempt is not None and is_under_way(obs.status):
        waits = attempt.state is State.PENDING and desired.standing is Standing.CANARY
        return desired.record if waits else None
    return desired.record if desired.standing in {Standing.NEW, Standing.KNOWN_HEALTHY} else None


def under_trial(status: AgentRolloutStatus) -> str | None:
    """The digest of the attempt in progress; None at rest."""
    return status.attempt.digest if status.attempt and is_under_way(status) else None


def is_given_up(digest: str, rollout: AgentRollout) -> bool:
    """Whether the last attempt was about this digest, and was rolled back without proof.

    It is tried again where a person says so, where the plan has changed, or once another release was tried.

    Args:
        digest: Of the release.
        rollout: With all phases: those that count are not the same once an attempt was rolled back.
    """
    status, attempt = rollout.status, rollout.status.attempt
    if attempt is None or attempt.digest != digest or attempt.state is not State.ROLLED_BACK:
        return False
    if is_drill(status):  # it says nothing about the release as one that Git requests
        return False
    if attempt.trigger is not Trigger.TIMEOUT and not is_unproved(status):
        return False
    retried = status.retried
    is_retried = retried is not None and (retried.digest, retried.attempt) == (digest, attempt.number)
    return not is_retried and attempt.plan_hash == plan_hash(counted(rollout.spec, attempt.ladder))


def digests(status: AgentRolloutStatus, release: AgentRelease | None) -> dict[str, str]:
    """The digest that each snapshot must have, by its name, as far as a status says it."""
    records = (*status.history, status.canary, status.stable)
    by_snapshot = {record.snapshot: record.digest for record in records if record}
    if release and release.status.snapshot and release.status.digest:
        by_snapshot.setdefault(release.status.snapshot.name, release.status.digest)
    return by_snapshot


def missing_service(spec: AgentRolloutSpec, record: ReleaseRecord | None) -> Problem | None:
    """Why a route cannot send requests to this release; None if it can, or if there is no route."""
    if record is None or record.service or not spec.traffic.by_route:
        return None
    return Problem(
        Reason.SERVICE_MISSING,
        f"release {record.release} has no `serving.service`, which `spec.traffic.{spec.traffic.route_field}` "
        "needs without `spec.workload`",
    )


def _classify(record: ReleaseRecord, rollout: AgentRollout) -> Standing:
    digest, status = record.digest, rollout.status
    if digest == under_trial(status):
        return Standing.CANARY
    if status.stable and digest == status.stable.digest:
        return Standing.STABLE
    if any(digest == entry.digest for entry in status.quarantined):
        return Standing.QUARANTINED
    if is_given_up(digest, rollout):
        return Standing.GIVEN_UP
    if was_healthy(record, status):
        return Standing.KNOWN_HEALTHY
    return Standing.NEW


def _by_name(name: str, status: AgentRolloutStatus) -> ReleaseRecord | None:
    """What serves or was healthy needs no object: its snapshot is kept, and a name means one digest."""
    present = (record for record in (status.canary, status.stable) if record)
    past = (entry.record for entry in status.history if entry.outcome is Outcome.HEALTHY)
    return next((record for record in (*present, *past) if record.release == name), None)


def _from_object(
    rollout: AgentRollout, name: str, release: AgentRelease | None, field: str
) -> ReleaseRecord | Problem:
    if release is None:
        return Problem(
            Reason.RELEASE_NOT_FOUND,
            f"{field}: no AgentRelease {name} in namespace {rollout.metadata.namespace}; "
            "create it or name another",
        )
    if release.spec.agent != rollout.spec.agent:
        return Problem(
            Reason.AGENT_MISMATCH,
            f"{field}: release {name} is for agent {release.spec.agent}, "
            f"but this rollout is for {rollout.spec.agent}",
        )
    status = release.status
    ready = find_condition(status.conditions, READY)
    if ready is None:
        return Problem(Reason.PENDING, f"{field}: release {name} has not been read yet")
    is_ready = ready.status is ConditionStatus.TRUE
    if not is_ready or status.digest is None or status.snapshot is None:
        why = f": {ready.message}" if ready.message else ""
        return Problem(Reason.RELEASE_NOT_READY, f"{field}: release {name} is not ready{why}")
    record = ReleaseRecord(
        release=name,
        version=release.spec.version,
        digest=status.digest,
        service=service_of(rollout.spec, release),
        snapshot=status.snapshot.name,
        requires=release.spec.requires,
    )
    return missing_service(rollout.spec, record) or record
