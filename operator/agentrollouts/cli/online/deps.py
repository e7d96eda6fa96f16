"""`agentrollouts deps`: who requires whom in a namespace, and what a rollback would break.

It reads what the cluster has and writes nothing.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Final, Protocol

from pydantic import ValidationError

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.credentials import current_namespace
from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.insight.dependencies import Agent, concerned, is_sound, json_of, lines_of

UNSOUND: Final = 1

_CALL_SECONDS: Final = 10.0
"""Hard limit of one request to the API server."""


class Lists(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """All objects of a kind. Raises `ClusterError`."""


def run_deps(options: argparse.Namespace) -> int:
    """Print who requires whom; the exit code says whether everything fits."""
    try:
        namespace = options.namespace or current_namespace()
        return asyncio.run(_connected(namespace, as_json=options.output == "json"))
    except ClusterError as error:
        _warn(str(error))
        return UNSOUND


async def _connected(namespace: str, *, as_json: bool) -> int:
    cluster = await Cluster.connect(timeout_seconds=_CALL_SECONDS)
    try:
        return await deps(cluster, namespace, as_json=as_json)
    finally:
        await cluster.close()


async def deps(api: Lists, namespace: str, *, as_json: bool) -> int:
    """Print the agents of a namespace that require each other.

    Args:
        api: The API server.
        namespace: Where to look.
        as_json: Whether to print JSON instead of lines.

    Returns:
        0 if everything that is served fits, or else `UNSOUND`.

    Raises:
        ClusterError: the rollouts cannot be read.
    """
    agents = list[Agent]()
    for rollout in await api.list("AgentRollout", namespace):
        try:
            agents.append(Agent.of(rollout))
        except ValidationError:
            _warn(f"{Ref.of(rollout)}: its status cannot be read; use the version that wrote it")
    if as_json:
        print(json.dumps(json_of(agents), indent=2, ensure_ascii=False))
    for line in () if as_json else lines_of(agents):
        print(line)
    if not concerned(agents):
        _warn(f"No release that is served in namespace {namespace} requires another agent")
    return 0 if is_sound(agents) else UNSOUND


def _warn(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
