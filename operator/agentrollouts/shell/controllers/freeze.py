"""AgentFreeze: its status says whether it is active, written once for each change and each edge.

What a freeze stops is decided with each rollout, never here.
"""

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.core.action.freeze import next_edge, status_of
from agentrollouts.shell.clock import Clock, utc_now
from agentrollouts.shell.controllers.controller import Outcome, parsed, seconds_until
from agentrollouts.shell.effects.act import Actor


class FreezeController:
    """The controller of AgentFreezes.

    Args:
        actor: Writes the status.
        home: Namespace of the operator, whose freezes are about others; None if it has none.
        clock: The time.
    """

    def __init__(self, actor: Actor, home: str | None, clock: Clock = utc_now) -> None:
        self._actor = actor
        self._home = home
        self._clock = clock

    async def reconcile(self, key: Ref, manifest: Manifest) -> Outcome:  # noqa: ARG002 the signature of a controller
        """Write the status if it says something new. Raises `ClusterError` if it has to be tried again."""
        freeze = await parsed(AgentFreeze, manifest, self._actor)
        if freeze is None:
            return Outcome(None, is_complete=True)
        now = self._clock()
        status = status_of(freeze, self._home, now)
        if status != freeze.status:
            await self._actor.replace_status(manifest, status.to_json(), is_news=False)
        return Outcome(seconds_until(now, next_edge([freeze], now)), is_complete=True)

    async def settle(self, key: Ref) -> bool:  # noqa: ARG002 the same
        """A freeze leaves nothing behind."""
        return True

    def forget(self, key: Ref) -> None:
        """Nothing of it is followed."""

    def is_urgent(self, manifest: Manifest) -> bool:  # noqa: ARG002 the same
        """No rollback waits for the status of a freeze."""
        return False
