"""What a decision reads from the API server at the moment when it depends on it, within a deadline."""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from agentrollouts.adapters.cluster.errors import ClusterError, ForbiddenError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Problem
from agentrollouts.core.traffic.endpoints import has_ready_endpoint
from agentrollouts.core.traffic.routers.router import Key
from agentrollouts.shell.inputs.endpoints import KIND, SERVICE_LABEL

ASKING_SECONDS: Final = 1.0
"""How long a decision waits to know about endpoints; then it is made without."""


class Reader(Protocol):
    """The API server as the inputs of a decision need it; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none. Raises `ClusterError`."""

    async def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """All objects of a kind that carry the labels. Raises `ClusterError`."""

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object, or ask what creating it would give. Raises `ClusterError`."""


class Reads:
    """Reads of endpoints and workloads."""

    def __init__(self, cluster: Reader) -> None:
        self._cluster = cluster

    async def readiness(self, namespace: str, service: str) -> bool | None:
        """Whether a Service has a ready endpoint; None if that is not known in time."""
        try:
            async with asyncio.timeout(ASKING_SECONDS):
                return await self.has_ready_endpoint(namespace, service)
        except (TimeoutError, ClusterError):
            return None

    async def workload(self, namespace: str, key: Key) -> Manifest | Problem | None:
        """A Deployment or Service; None if there is none, or why it could not be read in time."""
        kind, name = key
        try:
            async with asyncio.timeout(ASKING_SECONDS):
                return await self._cluster.get(Ref(kind, namespace, name))
        except ForbiddenError as error:
            return Problem(Reason.FORBIDDEN, str(error))
        except (TimeoutError, ClusterError) as error:
            return Problem(
                Reason.NO_READY_ENDPOINTS, str(error) or f"{kind} {name} could not be read in time"
            )

    async def has_ready_endpoint(self, namespace: str, service: str) -> bool:
        """Whether a Service has a ready endpoint. Raises `ClusterError`."""
        slices = await self._cluster.list(KIND, namespace, {SERVICE_LABEL: service})
        return any(has_ready_endpoint(endpoint_slice) for endpoint_slice in slices)
