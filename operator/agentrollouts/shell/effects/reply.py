"""Writes the answers to actions, after the status of the rollout that they are a copy of."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from agentrollouts.adapters.cluster.errors import ClusterError, ConflictError, NotFoundError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.rollout.answering import Answer
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.relations import ACTION

logger = logging.getLogger(__name__)


class Writer(Protocol):
    """What is done to an API server; `adapters.cluster.client.Cluster` is one. All raise `ClusterError`."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none."""

    async def replace_status(self, manifest: Manifest) -> Manifest:
        """Replace the status of the very version that the manifest names."""


class Replies:
    """The answers to the people who act.

    Args:
        cluster: Where they are written.
        intake: Takes in what was written.
    """

    def __init__(self, cluster: Writer, intake: Intake) -> None:
        self._cluster = cluster
        self._intake = intake

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
            self._intake.put(await self._cluster.replace_status(manifest))
        except NotFoundError:
            self._intake.drop(manifest)
        except ConflictError:
            with suppress(ClusterError):
                metadata = action.metadata
                current = await self._cluster.get(Ref(ACTION, metadata.namespace, metadata.name))
                if current is not None:
                    self._intake.put(current)
