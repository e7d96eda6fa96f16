"""Writes the answers to actions, after the status of the rollout that they are a copy of."""

import asyncio
from collections.abc import Iterable

from agentrollouts.adapters.cluster.errors import ConflictError, NotFoundError
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.rollout.requests.answering import Answer
from agentrollouts.shell.effects.newest import Reader, take_in_newest
from agentrollouts.shell.effects.statuses.writer import Statuses
from agentrollouts.shell.inputs.intake import Intake


class Replies:
    """The answers to the people who act.

    Args:
        cluster: Where actions are.
        intake: Takes in what was written.
        statuses: Writes them.
    """

    def __init__(self, cluster: Reader, intake: Intake, statuses: Statuses) -> None:
        self._cluster = cluster
        self._intake = intake
        self._statuses = statuses

    async def send(self, answers: Iterable[Answer]) -> None:
        """Write them all, each though another one fails; an action that is gone needs none.

        Raises:
            ClusterError: one could not be written; decide again.
        """
        results = await asyncio.gather(*map(self._send, answers), return_exceptions=True)
        for failure in (result for result in results if result is not None):
            raise failure

    async def _send(self, answer: Answer) -> None:
        action = answer.action
        manifest = action.copy_with(status=answer.status).to_json()
        try:
            self._intake.put(await self._statuses.put(manifest))
        except NotFoundError:
            self._intake.drop(manifest)
        except ConflictError:
            await take_in_newest(self._cluster, self._intake, Ref.of(manifest))
