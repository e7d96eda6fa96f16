"""Fetches a snapshot ConfigMap by its name, once, when the agent starts.

The snapshot never changes, so there is nothing to watch. The library verifies it.
"""

from pathlib import Path

from sandbox.agent.bundle import BundleError

_TIMEOUT_SECONDS = 10


async def fetch_files(kubeconfig: Path, namespace: str, snapshot: str) -> dict[str, bytes]:
    """Return the files of a snapshot by name.

    Raises:
        BundleError: The ConfigMap is missing or unreadable.
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
    return {name: text.encode() for name, text in (found.data or {}).items()}
