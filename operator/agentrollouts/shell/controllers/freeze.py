"""AgentFreeze: its status says whether it is active, written once for each change and each edge.

What a freeze stops is decided with each rollout, never here.
"""

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.core.action.freeze import next_edge, status_of
from agentrollouts.shell.clock import Clock, utc_now
from agentrollouts.shell.controllers.controller import Outcome, earliest, parsed, seconds_until
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.statuses.writer import Written


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
        written = Written()
        if status != freeze.status:
            written = await self._actor.statuses.replace(manifest, status.to_json(), is_news=False)
        edge = seconds_until(now, next_edge([freeze], now))
        return Outcome(earliest(edge, written.again), is_complete=True)

    async def settle(self, key: Ref) -> bool:
        """A freeze leaves nothing behind."""
        self.forget(key)
        return True

    def forget(self, key: Ref) -> None:
        """Follow a freeze no longer."""
        self._actor.statuses.forget(key)

    def is_urgent(self, manifest: Manifest) -> bool:  # noqa: ARG002 the same
        """No rollback waits for the status of a freeze."""
        return False
