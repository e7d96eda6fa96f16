"""Fetches the bundle from its snapshot ConfigMap, once, when the agent starts.

The snapshot never changes, so there is nothing to watch. The text is compared with the digest that the
operator wrote beside it: what runs is then exactly what was judged, or the agent does not start.
"""

import hashlib
import json
from pathlib import Path

from sandbox.agent.bundle import BundleError

_TIMEOUT_SECONDS = 10


async def fetch_bundle(kubeconfig: Path, namespace: str, snapshot: str) -> str:
    """Return the text of `bundle.json` of a snapshot.

    Raises:
        BundleError: The ConfigMap is missing or unreadable, or its text does not have the digest it says.
    """
    from kubernetes.aio import client, config  # noqa: PLC0415  half a second that an agent with a bundle file need not spend

    api = await config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]  # not annotated
    try:
        found = await client.CoreV1Api(api).read_namespaced_config_map(
            snapshot, namespace, _request_timeout=_TIMEOUT_SECONDS
        )
    except client.ApiException as error:
        raise BundleError(f"ConfigMap {namespace}/{snapshot}: {error.status} {error.reason}") from error
    finally:
        await api.close()
    return verified_bundle(found.data or {}, f"{namespace}/{snapshot}")


def verified_bundle(data: dict[str, str], name: str) -> str:
    """Return `bundle.json` out of a snapshot's data if it has the digest that `release.json` gives.

    Raises:
        BundleError: A key is missing, or the digest is another one.
    """
    try:
        text, digest = data["bundle.json"], json.loads(data["release.json"])["digest"]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"ConfigMap {name} is not a snapshot: it needs bundle.json, and release.json with a digest"
        ) from error
    actual = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    if actual != digest:
        raise BundleError(f"ConfigMap {name}: bundle.json has digest {actual}, release.json says {digest}")
    return text
