"""Reads the records of a namespace from the cluster, with the rollouts and releases that they are about."""

import argparse
import asyncio

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.credentials import current_namespace
from agentrollouts.adapters.cluster.errors import ForbiddenError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.cli.online.records import CALL_SECONDS, Reads


def read_records(options: argparse.Namespace) -> list[Manifest]:
    """The objects that the options are about; the namespace becomes that of the current context.

    Raises:
        ClusterError: they cannot be read.
    """
    options.namespace = options.namespace or current_namespace()
    return asyncio.run(_connected(options.namespace, options.rollout))


async def _connected(namespace: str, rollout: str | None) -> list[Manifest]:
    cluster = await Cluster.connect(timeout_seconds=CALL_SECONDS)
    try:
        return await records_of(cluster, namespace, rollout)
    finally:
        await cluster.close()


async def records_of(api: Reads, namespace: str, rollout: str | None) -> list[Manifest]:
    """The records of one rollout, with it and its releases; without a name, the records of all rollouts.

    A right to read records is enough: what else cannot be read is left out.

    Raises:
        ClusterError: the records cannot be read.
    """
    if rollout is None:
        return await api.list("AgentRolloutRecord", namespace)
    records = await api.list("AgentRolloutRecord", namespace, fields={"spec.rollout": rollout})
    names = sorted({str(record["spec"]["release"]) for record in records})
    refs = [Ref("AgentRollout", namespace, rollout)]
    refs += [Ref("AgentRelease", namespace, name) for name in names]
    return records + [found for ref in refs if (found := await _read(api, ref))]


async def _read(api: Reads, ref: Ref) -> Manifest | None:
    try:
        return await api.get(ref)
    except ForbiddenError:
        return None
