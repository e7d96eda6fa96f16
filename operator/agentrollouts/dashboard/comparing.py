"""Two releases side by side, read with the rights of the reader."""

import asyncio

from agentrollouts.dashboard.api import OURS, Api, ApiError, Manifest
from agentrollouts.insight.difference.compared import Comparison, compare
from agentrollouts.insight.difference.snapshots import NoSnapshotError, by_release, snapshot
from agentrollouts.insight.named import BUNDLE


async def compared(api: Api, namespace: str, before: str, after: str) -> Comparison:
    """How a release differs from another one. Raises `ApiError` if one of them is not known."""
    folder = f"{OURS}/namespaces/{namespace}"
    found = (api.find(f"{folder}/agentreleases/{each}") for each in (before, after))
    rollouts, releases = await asyncio.gather(api.get(f"{folder}/agentrollouts"), asyncio.gather(*found))
    known = by_release(rollouts.get("items") or ())
    try:
        snapshots = [
            snapshot(name, release, known.get(name))
            for name, release in zip((before, after), releases, strict=True)
        ]
    except NoSnapshotError as error:
        raise ApiError(str(error), 404) from error
    return compare(*await asyncio.gather(*(_bundle(api, namespace, each) for each in snapshots)))


async def _bundle(api: Api, namespace: str, name: str) -> str:
    found: Manifest = await api.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    try:
        return str(found["data"][BUNDLE])
    except KeyError:
        raise ApiError(f"configmap {name}: has no {BUNDLE}; apply its AgentRelease again", 404) from None
