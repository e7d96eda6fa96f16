"""Connections for what is replaced as a whole, apart from all others: the Lease, and records.

A renewal of the Lease waits for no other call, and is not itself guarded by the Lease. A record whose write
hangs holds no connection that a rollback needs.
"""

from agentrollouts.adapters.cluster.calls import Call
from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER


class ReplacingCluster(Cluster):
    """A connection to one API server for objects of which every version is replaced as a whole."""

    async def replace(self, manifest: Manifest) -> Manifest:
        """Replaces the very version that `metadata.resourceVersion` names.

        Raises:
            ConflictError: the object has changed since.
            NotFoundError: the object is gone.
            ClusterError: any other failure.
        """
        ref, query = Ref.of(manifest), {"fieldManager": FIELD_MANAGER}
        return await self._send(Call("replace", ref.kind, str(ref), "PUT", ref.path, query, manifest))
