"""Whether the traffic is as a status desires, what prevents that, and what remains to be written.

Computed once for the persisted status and once for the next one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.containment.detour import begins
from agentrollouts.core.containment.fallback import fallback_of, why_none
from agentrollouts.core.effects import Deletion, Effect, Manifest, Patch, Problem, Write
from agentrollouts.core.history import is_returning
from agentrollouts.core.traffic.latch import Latch, is_latched
from agentrollouts.core.traffic.manifests import key_of
from agentrollouts.core.traffic.observed import Observed
from agentrollouts.core.traffic.routers import table
from agentrollouts.core.traffic.routers.router import Change
from agentrollouts.core.traffic.weights import ALL_STABLE, FULL, Split, Weights, desired_split, is_shown_back

FOREGROUND: Final = "foregroundDeletion"
"""The finalizer of an object whose dependents the garbage collector deletes first."""


@dataclass(frozen=True, slots=True)
class TrafficState:
    """The traffic as observed, compared with what one status desires."""

    weights: Weights | None
    """The desired weights; None while there is nothing to serve."""
    problem: Problem | None
    """What is wrong with the objects for the desired split, whether or not it stops a write."""
    blocked: Problem | None
    """Why the desired weights are not written."""
    changes: tuple[Change, ...]
    """What has to be written, in this order."""

    @property
    def is_shown(self) -> bool:
        """Whether the objects show the desired split."""
        return self.blocked is None and not self.changes


class Routing:
    """All routers over one observation.

    Args:
        obs: The traffic as observed.
    """

    def __init__(self, obs: Observed) -> None:
        self._obs = obs
        self._routers = tuple(router(obs) for router in table.ROUTERS)

    def state(self, status: AgentRolloutStatus) -> TrafficState:
        """The traffic, compared with what this status desires."""
        split = desired_split(status)
        problems: list[Problem] = []
        blocked: list[Problem] = []
        changes: list[Change] = []
        for router in self._routers:
            problem = router.obstacle(split.sharing, is_return=False) if split else None
            stops = problem
            if problem and split and self._is_unstoppable(split):
                stops = router.obstacle(split.sharing, is_return=True)
            problems += [problem] if problem else []
            blocked += [stops] if stops else []
            changes += router.changes(split, is_blocked=stops is not None)
        return TrafficState(
            weights=split.weights if split else None,
            problem=next(iter(problems), None),
            blocked=next(iter(blocked), None),
            changes=tuple(changes),
        )

    def obstacle(self, records: Iterable[ReleaseRecord | None], *, is_return: bool) -> Problem | None:
        """Why these releases cannot share the traffic; in a rollback, why they cannot at all."""
        listed = tuple(records)
        obstacles = (router.obstacle(listed, is_return=is_return) for router in self._routers)
        return next((problem for problem in obstacles if problem), None)

    def latch(self, number: int) -> Latch | None:
        """What the traffic objects say about the rollback of this attempt, if the requests go as they say.

        With a route, its weights count: many people can edit a ConfigMap who may not edit routes.
        """
        latches = (latch for router in self._routers for latch in router.latches(number))
        latch = next(latches, None)
        return latch if latch and is_shown_back(self._obs.status, self.share) else None

    def detour(self) -> Detour | None:
        """The detour that the traffic objects are marked with."""
        return next((detour for router in self._routers for detour in router.detours()), None)

    def indivisible(self, status: AgentRolloutStatus) -> str | None:
        """Why no part of the traffic can be sent elsewhere, though all of it can; None if it can."""
        spec = self._obs.rollout.spec
        fallback = fallback_of(spec, status)
        if fallback is None:
            return why_none(spec, status) if spec.traffic.by_route else None
        return next((why for router in self._routers if (why := router.indivisible(fallback))), None)

    def share(self, record: ReleaseRecord) -> int | None:
        """Percent of the traffic that a release has, by the objects as they are; None if that is unknown."""
        shares = (router.share(record) for router in self._routers)
        return next((share for share in shares if share is not None), None)

    def target(self) -> str | None:
        """The Service that a rollback has given all traffic; None if that cannot be seen."""
        return next((name for router in self._routers if (name := router.target())), None)

    def leftovers(self) -> Iterator[Manifest]:
        """Objects of ours that the spec no longer contains."""
        return (manifest for router in self._routers for manifest in router.leftovers())

    def writes(
        self, status: AgentRolloutStatus, before: TrafficState, after: TrafficState, *, waits: bool
    ) -> Iterator[Effect]:
        """What to write now: forward what the persisted status desires, else what the next one does.

        Forward only on the version that was seen, as what is known may be old. A rollback requires none, nor
        does the beginning of a detour; its end is forward, also after a rollback.

        Args:
            status: The next status.
            before: The traffic, compared with the persisted status.
            after: The traffic, compared with the next status.
            waits: Whether nothing must be written forward.
        """
        if begins(self._obs.status, status):
            yield from self._there(after.changes)
        elif is_latched(status) and not self.ends_detour(status):
            ours = self._there(after.changes)
            yield from map(_unasked, ours) if _has_split(status) else ours
        elif not waits:
            yield from map(self._on_version, self._there(before.changes))
        if not self._obs.status.canary and not status.canary and after.is_shown:
            yield from map(Deletion, self.leftovers())  # what replaces them serves, and nothing is split

    def ends_detour(self, status: AgentRolloutStatus) -> bool:
        """Whether the objects still show a detour that the next status does not have."""
        return self.detour() is not None and status.detour is None

    def _there(self, changes: Iterable[Change]) -> Iterator[Change]:
        """The changes; while the garbage collector deletes our objects, only of those that are there."""
        is_collected = FOREGROUND in self._obs.rollout.metadata.finalizers
        for change in changes:
            seen = self._obs.traffic.get(key_of(change.manifest))
            if not is_collected:
                yield change
            elif seen is not None and isinstance(change, Write):  # with the uid, a write makes no new object
                metadata = {**change.manifest["metadata"], "uid": seen["metadata"].get("uid")}
                yield replace(change, manifest={**change.manifest, "metadata": metadata})
            elif isinstance(change, Patch):
                yield change

    def _on_version(self, change: Change) -> Change:
        """The same, to be refused by the API server where the object is no longer as it was seen."""
        seen = self._obs.traffic.get(key_of(change.manifest))
        version = seen["metadata"].get("resourceVersion") if seen else None
        if version is None or not isinstance(change, Write):
            return change
        metadata = {**change.manifest["metadata"], "resourceVersion": version}
        return replace(change, manifest={**change.manifest, "metadata": metadata})

    def _is_unstoppable(self, split: Split) -> bool:
        """Whether it is a rollback, a return or a detour, of a rule that is not another's."""
        status, attempt, weights = split.status, split.status.attempt, split.weights
        is_rollback = attempt is not None and attempt.state in {State.ROLLING_BACK, State.VERIFYING}
        is_return = weights.canary == FULL and is_returning(status.canary, status)
        if attempt and attempt.state is State.VERIFYING and self._obs.rollout.metadata.deletion_timestamp:
            is_rollback = False  # done, and the rollout that takes over the rule may have begun
        is_return = is_return or weights.diverted > 0
        return (weights == ALL_STABLE or is_return) and (is_rollback or not self._obs.rule_taken_by)


def _has_split(status: AgentRolloutStatus) -> bool:
    """Whether the release that is rolled back was seen with a share, so that the objects are ours."""
    return status.attempt is not None and status.attempt.traffic_start_time is not None


def _unasked(change: Change) -> Change:
    """The same write, whatever anyone has made of the marks on the object since."""
    return replace(change, is_known=True) if isinstance(change, Write) else change
