"""What people request of a rollout, and whether the API server verifies who they are."""

from typing import Final, Protocol

from pydantic import ValidationError

from agentrollouts.adapters.cluster.errors import ClusterError, ForbiddenError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.people.action import ActionType, AgentRolloutAction
from agentrollouts.core.action.ledger import LOOKED_AT
from agentrollouts.core.release.placeholders import Likeness
from agentrollouts.core.release.secret_scan import scan
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.relations import ACTION

PROBE: Final = "identity-probe"
"""Name of an action that is never stored. Auditors can filter its refusals."""
OTHER: Final = "no-one"
PROOF: Final = "must be the caller"
"""What the policy of the chart says of a name that is not the caller's."""


class Creator(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none. Raises `ClusterError`."""

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object, or ask what creating it would give. Raises `ClusterError`."""


class Actions:
    """The requests of people.

    Args:
        cache: Has the actions that have not been answered.
        cluster: Has those that are too large to be remembered, and the policies.
    """

    def __init__(self, cache: Cache, cluster: Creator) -> None:
        self._cache = cache
        self._cluster = cluster

    async def unanswered(self, rollout: Ref) -> tuple[AgentRolloutAction, ...]:
        """Actions about a rollout, in no order; of very many, a part.

        One that this version cannot read is left to the version that can.

        Raises:
            ClusterError: one could not be read.
        """
        actions: list[AgentRolloutAction] = []
        back, others = (self._cache.keys_of(ACTION, rollout, is_back) for is_back in (True, False))
        for key in (*back[:LOOKED_AT], *others[:LOOKED_AT]):
            manifest = await self._cluster.get(key) if self._cache.is_outline(key) else self._cache.get(key)
            try:
                actions.append(_without_credentials(AgentRolloutAction.model_validate(manifest)))
            except ValidationError:
                continue
        return tuple(actions)

    async def is_identity_proved(self, rollout: Ref) -> bool:
        """Whether an action in another name than the caller's is refused for that reason, in this namespace.

        Raises:
            UnavailableError: the API server does not say.
        """
        probe = {
            "apiVersion": API_VERSION,
            "kind": ACTION,
            "metadata": {"name": PROBE, "namespace": rollout.namespace},
            "spec": {
                "rollout": rollout.name,
                "type": ActionType.HOLD,
                "attempt": 1,
                "reason": "to see whether the API server verifies who creates actions",
                "requestedBy": OTHER,
            },
        }
        try:
            await self._cluster.create(probe, dry_run=True)
        except UnavailableError:
            raise
        except ClusterError as error:
            return isinstance(error, ForbiddenError) and PROOF in str(error)
        return False


def _without_credentials(action: AgentRolloutAction) -> AgentRolloutAction:
    """A reason goes to the status, Events and logs, so one that looks like a credential does not.

    The action is taken all the same: a rollback depends on no text.
    """
    kind, certainty = scan(action.spec.reason) or ("", Likeness.PLACEHOLDER)
    if certainty is not Likeness.SECRET:
        return action
    return action.copy_with(spec=action.spec.copy_with(reason=f"(withheld, as it looks like {kind})"))
