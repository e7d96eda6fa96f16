"""What one rollout shows, as `roll-back-all` sees it: whether stable has all traffic, or what is in the way.

Pure: from a manifest to the action that is due, and to sentences. Used by `roll_back_all`.
"""

from dataclasses import dataclass
from typing import Final, Self

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.cli.online.request import Request, manifest_of
from agentrollouts.core.conditions import TRAFFIC_APPLIED, find_condition
from agentrollouts.core.states import LATCHED, is_progressing
from agentrollouts.core.traffic.weights import FULL

_REASON: Final = "agentrollouts roll-back-all, for example before an uninstall"
_NAME_LENGTH: Final = 63
_UID_LENGTH: Final = 8


@dataclass(frozen=True, slots=True)
class Listed:
    """One rollout as it was listed; its spec is not validated, since a rollback does not depend on it."""

    manifest: Manifest
    status: AgentRolloutStatus

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """What a manifest shows.

        Raises:
            pydantic.ValidationError: the status is of a version that cannot be read.
        """
        return cls(manifest, AgentRolloutStatus.model_validate(manifest.get("status") or {}))

    @property
    def name(self) -> str:
        """How a line names it: namespace and name."""
        ref = Ref.of(self.manifest)
        return f"{ref.namespace}/{ref.name}"

    @property
    def attempt(self) -> int:
        """Number of its attempt; 0 if it has had none."""
        return self.status.attempt.number if self.status.attempt else 0

    @property
    def due(self) -> str | None:
        """The canary whose rollback must be requested; None without one, or if that rollback has begun."""
        status = self.status
        if status.attempt is None or status.canary is None or status.stable is None:
            return None
        if not is_progressing(status) or status.attempt.state in LATCHED:
            return None
        return status.canary.release

    @property
    def is_back(self) -> bool:
        """Whether stable has all traffic and no canary is about to get some, or there is no stable one."""
        status = self.status
        if self.due is not None:
            return False
        if status.stable is None:
            return True
        if status.weights is None:
            return not is_progressing(status)
        return status.weights.stable == FULL

    @property
    def is_first(self) -> bool:
        """Whether it ships the first release of its agent, so that there is no release to roll back to."""
        return self.status.stable is None and is_progressing(self.status)

    @property
    def shares(self) -> str:
        """Who has which share of the traffic."""
        status = self.status
        if status.weights is None:
            return "its weights are not known yet"
        sides = ((status.stable, status.weights.stable), (status.canary, status.weights.canary))
        return ", ".join(f"{record.release} has {weight}%" for record, weight in sides if record)

    @property
    def remedy(self) -> str:
        """How to give stable all traffic without the operator."""
        stable = self.status.stable
        to = f"{stable.release} 100" if stable else "100"
        return f"set {to} in {self._traffic_object()} by hand"

    @property
    def obstacle(self) -> str:
        """Why the rollback that has begun is not in effect, as the operator reports it; empty if unknown."""
        applied = find_condition(self.status.conditions, TRAFFIC_APPLIED)
        return applied.message if applied else ""

    def action(self, user: str) -> Manifest:
        """The action that rolls back the canary of this attempt.

        Its name is the same each time, so that a second run creates no second action. The UID tells the
        attempts of a rollout from those of an earlier one with its name.
        """
        ref, metadata = Ref.of(self.manifest), self.manifest["metadata"]
        suffix = f"-{metadata['uid'][:_UID_LENGTH]}-{self.attempt}"
        request = Request(
            ActionType.ROLL_BACK,
            ref.name,
            ref.namespace,
            _REASON,
            attempt=self.attempt,
            release=self.due,
            name=ref.name[: _NAME_LENGTH - len(suffix)].rstrip("-.") + suffix,
        )
        return manifest_of(request, self.manifest, user)

    def _traffic_object(self) -> str:
        """The object that moves the requests."""
        name, traffic = Ref.of(self.manifest).name, (self.manifest.get("spec") or {}).get("traffic") or {}
        if "routePatch" in traffic:
            return f"HTTPRoute {traffic['routePatch'].get('name')}"
        if "grpcRoute" in traffic:
            return f"GRPCRoute {name}"
        if "featureFlag" in traffic:
            return f"FeatureFlag {name}"
        return f"HTTPRoute {name}" if "httpRoute" in traffic else f"ConfigMap {name}-traffic"
