"""Reads an object of which a newer version refused a write.

Its watch event may be late, but the decision is not. Without this, it would be decided on again as it was,
and be refused again.
"""

from contextlib import suppress
from typing import Protocol

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.shell.inputs.intake import Intake


class Reader(Protocol):
    """An API server; `adapters.cluster.client.Cluster` is one."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none. Raises `ClusterError`."""


async def take_in_newest(cluster: Reader, intake: Intake, ref: Ref) -> None:
    """Take in the object as it is now; no effect if it cannot be read, or is gone."""
    with suppress(ClusterError):
        if (current := await cluster.get(ref)) is not None:
            intake.put(current)
