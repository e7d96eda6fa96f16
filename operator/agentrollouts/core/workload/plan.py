"""Which releases need pods, what must be read about their workloads, and what is left to do.

Nothing is read or written at rest: the status says which Deployments have pods, and a time says when one of
them is due. A Deployment gets 0 replicas only where nothing is in progress and no route, as seen, gives its
Service a weight; stable, the canary and what a rollback would return to keep theirs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import islice
from typing import Final

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.api.workload import StampedWorkload
from agentrollouts.core.effects import Deletion, Effect, Manifest, Problem, Write
from agentrollouts.core.history import earlier_healthy, is_trusted
from agentrollouts.core.rights import with_command
from agentrollouts.core.states import is_pending
from agentrollouts.core.workload.template import (
    DEPLOYMENT,
    SERVICE,
    is_copy,
    refusal_of_pods,
    replicas_of,
    scaled,
    stamped,
    stamped_service,
    unfit,
)
from agentrollouts.core.workload.use import left_time, names_of

Key = tuple[str, str]
"""Kind and name of an object in the namespace of the rollout."""
Seen = Mapping[Key, Manifest | Problem | None]
"""Objects as they were read; None for one that does not exist, a problem for one that cannot be read."""

SOON: Final = timedelta(seconds=2)
"""When to look again at what was just written."""
LATER: Final = timedelta(seconds=30)
"""When to look again at what cannot be read or written."""
MOST: Final = 64
"""The bound of `status.workloads` in the CRD; a status that is too long could not be written."""
UNREAD: Final = Problem(Reason.NO_READY_ENDPOINTS, "the Deployment or Service has not been read yet")


class Task(Enum):
    """What a workload may need now."""

    UP = auto()
    DOWN = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads:
    """The workloads of one rollout in one decision."""

    rollout: AgentRollout
    status: AgentRolloutStatus
    """The persisted status."""
    release: AgentRelease | None
    now: datetime
    seen: Seen
    weighted: frozenset[str] = frozenset()
    """Services with a weight on any route as seen."""
    starting: ReleaseRecord | None = None
    """The release that begins as soon as its pods are ready."""
    target: ReleaseRecord | None = None
    """The release to which stable would be rolled back if it had a ready endpoint."""
    refused: Problem | None = None
    """Why the last write of an object failed."""
    may_shrink: bool = False
    """Whether no attempt is in progress and the traffic is as the status says."""

    @property
    def warm(self) -> frozenset[str]:
        """Names of the Deployments that keep their pods whatever is to start."""
        workload = self.rollout.spec.workload
        trusted = (entry for entry in earlier_healthy(self.status) if is_trusted(entry, self.status))
        past = islice(trusted, workload.keep_warm if workload else 0)
        standbys = {each.release_ref.name for each in self.rollout.spec.standby}
        ready = frozenset(entry.name for entry in self.status.workloads if entry.release in standbys)
        active = self.status.detour.standby if self.status.detour else None
        if active and active.service and active.service.is_service:
            ready |= {active.service.name}
        return ready | names_of(self.status.stable, self.status.canary, *(entry.record for entry in past))

    @property
    def desired(self) -> frozenset[str]:
        """Names of the Deployments that must have pods."""
        attempt = self.status.attempt
        pending = attempt.digest if attempt and is_pending(self.status) else None
        waiting = (entry.name for entry in self.status.workloads if entry.digest == pending)
        return self.warm | names_of(self.starting, self.target) | frozenset(waiting)

    def unread(self) -> frozenset[Key]:
        """What has to be read before this is decided."""
        keys = {key for entry, task in self._open() for key in self._keys(entry.name, task)}
        if self.starting and self.starting.service and not self._is_warm(self.starting.service.name):
            keys |= self._keys(self.starting.service.name, Task.UP)
        return frozenset(keys - self.seen.keys())

    def obstacle(self, *, is_proved: bool = False) -> Problem | None:
        """Why the release that starts has no pods yet.

        Args:
            is_proved: Whether it was healthy before and has a ready endpoint, so that it needs no look.
        """
        record = self.starting
        if record is None or record.service is None or self._is_warm(record.service.name):
            return None
        name, missing, is_whole = record.service.name, list[str](), True
        for kind in (DEPLOYMENT, SERVICE):
            existing = self.seen.get((kind, name), UNREAD)
            if isinstance(existing, Problem):
                return None if is_proved else self._cured(existing)
            if existing is None:
                missing.append(f"{kind} {name}")
                is_whole = False
            elif not is_copy(existing, self.rollout, record.release, record.digest):
                text = f"{kind} {name} exists, and was not made for {record.release} with this content"
                return Problem(Reason.NAME_TAKEN, f"{text}; delete it, or rename the release")
            elif kind == DEPLOYMENT and not replicas_of(existing):
                missing.append(f"the pods of {kind} {name}")
            elif kind == DEPLOYMENT and not is_proved and (why := refusal_of_pods(existing)):
                return Problem(Reason.NO_READY_ENDPOINTS, f"{kind} {name} gets no pods: {why}")
        if not missing:
            return None
        waits = f"{' and '.join(missing)} of {record.release} will be there in a moment"
        unfitting = None if is_whole else self._unfit(record.release, record.digest)
        return unfitting or (
            self._cured(self.refused) if self.refused else Problem(Reason.NO_READY_ENDPOINTS, waits)
        )

    def noted(self, recalled: ReleaseRecord | None = None) -> tuple[StampedWorkload, ...]:
        """The entries of the next status: what was seen, and what will be made.

        Args:
            recalled: The stable release of an earlier rollout, whose workload went with it.
        """
        if self.rollout.spec.workload is None:
            return self.status.workloads
        entries = [entry for listed in self._listed() if (entry := self._as_seen(listed))]
        for record, time in ((self.starting, None), (recalled, self.now)):
            if record and record.service_name and record.service_name not in {e.name for e in entries}:
                entries.append(
                    StampedWorkload(
                        name=record.service_name,
                        release=record.release,
                        digest=record.digest,
                        scaled_down_time=time,
                    )
                )
        return tuple(entries[-MOST:])

    def _listed(self) -> Iterator[StampedWorkload]:
        """The persisted entries, without that of another release of the same name, which gives way."""
        start = self.starting
        for entry in self.status.workloads:
            is_same = start is None or (entry.release, entry.digest) == (start.release, start.digest)
            if is_same or entry.name not in names_of(start):
                yield entry

    def changes(self) -> Iterator[Effect]:
        """What is left to do, by the persisted status and by what was read."""
        for entry, task in self._open():
            deployment, service = (self._ours(kind, entry) for kind in (DEPLOYMENT, SERVICE))
            if task is Task.UP:
                yield from self._started(entry, deployment)
            elif entry.name not in self.weighted:
                if task is Task.GONE:
                    yield from (Deletion(manifest) for manifest in (deployment, service) if manifest)
                elif deployment and replicas_of(deployment):
                    yield scaled(deployment, 0)

    def until(self) -> datetime | None:
        """When to look again; None while nothing is left to do."""
        waits = self.obstacle()
        tasks = [task for entry, task in self._open() if task is Task.UP or entry.name not in self.weighted]
        if waits or next(self._open(), None):
            is_stuck = not tasks or any(isinstance(existing, Problem) for existing in self.seen.values())
            is_stuck = is_stuck or (waits is not None and waits.reason is not Reason.NO_READY_ENDPOINTS)
            return self.now + (LATER if is_stuck else SOON)
        if self.rollout.spec.workload is None or not self.may_shrink:
            return None
        times = (self._due(entry) for entry in self.status.workloads if self._will_end(entry))
        return min((time for time in times if time > self.now), default=None)

    def _open(self) -> Iterator[tuple[StampedWorkload, Task]]:
        """The workloads that may not be as they should be; the status may lag behind a scale-down."""
        if self.rollout.spec.workload is None or self.rollout.metadata.deletion_timestamp:
            return
        desired, starts, status = self.desired, names_of(self.starting), self.status
        awaited = names_of(self.target)
        needed = names_of(status.stable, status.canary, self.starting, self.target)
        for entry in status.workloads:
            if entry.name in desired:
                is_cold = entry.scaled_down_time is not None and (self.may_shrink or entry.name in needed)
                is_new = entry.name in starts and not self._is_warm(entry.name)
                if is_cold or is_new or entry.name in awaited:
                    yield entry, Task.UP
            elif self.may_shrink and self._will_end(entry) and self._due(entry) <= self.now:
                yield entry, Task.DOWN if self._is_kept(entry) else Task.GONE

    def _will_end(self, entry: StampedWorkload) -> bool:
        """Whether it loses its pods or its objects once it is due."""
        is_running = entry.scaled_down_time is None
        return entry.name not in self.desired and (is_running or not self._is_kept(entry))

    def _is_kept(self, entry: StampedWorkload) -> bool:
        """Whether its objects stay: a release of the history may serve again."""
        return any(entry.release == past.release for past in self.status.history)

    def _is_warm(self, name: str) -> bool:
        """Whether it has had pods all the time."""
        listed = (entry for entry in self.status.workloads if entry.name == name)
        return name in self.warm and any(entry.scaled_down_time is None for entry in listed)

    def _keys(self, name: str, task: Task) -> set[Key]:
        keys = {(DEPLOYMENT, name)} if task is Task.DOWN else {(DEPLOYMENT, name), (SERVICE, name)}
        workload = self.rollout.spec.workload
        if task is Task.UP and workload:
            keys.add((DEPLOYMENT, workload.deployment_ref.name))
        return keys

    def _due(self, entry: StampedWorkload) -> datetime:
        """When its pods have had the time for their last runs."""
        workload, left = self.rollout.spec.workload, left_time(self.status, entry.release)
        delay = timedelta(seconds=workload.scale_down_delay_seconds if workload else 0)
        return left + delay if left else self.now

    def _ours(self, kind: str, entry: StampedWorkload) -> Manifest | None:
        existing = self.seen.get((kind, entry.name))
        if existing is None or isinstance(existing, Problem):
            return None
        return existing if is_copy(existing, self.rollout, entry.release, entry.digest) else None

    def _as_seen(self, entry: StampedWorkload) -> StampedWorkload | None:
        """The entry as its Deployment is; None once neither it nor the Service is there or needed."""
        keys, is_desired = self._keys(entry.name, Task.GONE), entry.name in self.desired
        read = {key: self.seen[key] for key in keys if key in self.seen}
        if (DEPLOYMENT, entry.name) not in read or any(
            isinstance(existing, Problem) for existing in read.values()
        ):
            return entry
        deployment, service = (self._ours(kind, entry) for kind in (DEPLOYMENT, SERVICE))
        is_left = deployment is not None or service is not None or len(read) < len(keys)
        if not (is_desired or is_left or self._is_kept(entry)):
            return None
        if deployment and replicas_of(deployment):
            return entry.copy_with(scaled_down_time=None)
        is_news = not is_desired and entry.scaled_down_time is None
        return entry.copy_with(scaled_down_time=self.now) if is_news else entry

    def _started(self, entry: StampedWorkload, deployment: Manifest | None) -> Iterator[Effect]:
        """What is missing for its pods; an autoscaler's number of replicas is left as it is."""
        workload, records = self.rollout.spec.workload, (self.starting, self.target, self.status.stable)
        if deployment and workload and not replicas_of(deployment):
            yield scaled(deployment, workload.replicas)
        record = next(
            (candidate for candidate in records if candidate and entry.name in names_of(candidate)), None
        )
        read = {kind: self.seen.get((kind, entry.name), UNREAD) for kind in (DEPLOYMENT, SERVICE)}
        missing = [kind for kind, existing in read.items() if existing is None]
        if any(existing is not None and not self._ours(kind, entry) for kind, existing in read.items()):
            return  # one of them is unknown, or of someone else
        if workload is None or record is None or not missing or self._unfit(entry.release, entry.digest):
            return
        template = self.seen.get((DEPLOYMENT, workload.deployment_ref.name))
        if self.release is None or template is None or isinstance(template, Problem):
            return
        if DEPLOYMENT in missing:
            yield Write(stamped(self.rollout, record, self.release, template), FIELD_MANAGER)
        if SERVICE in missing:
            yield Write(stamped_service(self.rollout, record), FIELD_MANAGER)

    def _cured(self, problem: Problem) -> Problem:
        return with_command(problem, self.rollout.metadata.namespace, "workloads")

    def _unfit(self, release: str, digest: str) -> Problem | None:
        """Why the template cannot be copied for a release."""
        workload, desired = self.rollout.spec.workload, self.release
        if (
            workload is None
            or desired is None
            or (desired.metadata.name, desired.status.digest) != (release, digest)
        ):
            text = f"AgentRelease {release} is gone, which says what its pods run; apply it again"
            return Problem(Reason.RELEASE_NOT_FOUND, text)
        template = self.seen.get((DEPLOYMENT, workload.deployment_ref.name))
        return self._cured(template) if isinstance(template, Problem) else unfit(template, workload, desired)
