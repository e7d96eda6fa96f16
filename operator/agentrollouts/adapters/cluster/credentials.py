"""Where the API server is and how to speak to it: from a kubeconfig, or from the pod's service account.

The readers are the Kubernetes client's own; this module chooses between them as kubectl users expect, bounds
them in time (a kubeconfig may start a program that prints a token), and turns their many exceptions into one
sentence.
"""

import asyncio
import os
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import (
    ConfigException,
    list_kube_config_contexts,
    load_incluster_config,
    load_kube_config,
)

from agentrollouts.adapters.cluster.errors import NoCredentialsError

POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod reads which namespace it is in."""
_UNREADABLE = (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError)
"""What the readers raise for files of the wrong form; they check little and stumble over the rest."""


async def read_credentials(kubeconfig: Path | None, timeout_seconds: float) -> Configuration:
    """Address, certificates and token; a pod's token follows the rotation of its file by itself.

    Args:
        kubeconfig: The file; by default `$KUBECONFIG`, then the pod's service account, then `~/.kube/config`.
        timeout_seconds: The hard limit for a program that the kubeconfig names.

    Raises:
        NoCredentialsError: none are usable; the text says where they were looked for.
    """
    place = _kubeconfig(kubeconfig)
    configuration = Configuration()
    try:
        if place is None:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # it has no types
        else:
            async with asyncio.timeout(timeout_seconds):
                await load_kube_config(  # type: ignore[no-untyped-call]  # it has no types
                    place, client_configuration=configuration, persist_config=False
                )
    except TimeoutError:
        raise NoCredentialsError(
            f"Failed to read {place}: not finished within {timeout_seconds:g} s"
        ) from None
    except _UNREADABLE as error:
        where = place or "the pod's service account"
        raise NoCredentialsError(
            f"Failed to read credentials for the cluster from {where}: {error}"
        ) from error
    return configuration


def current_namespace(kubeconfig: Path | None = None) -> str:
    """The namespace of the kubeconfig's current context, or of the pod; `default` if it has none.

    Raises:
        NoCredentialsError: neither can be read.
    """
    place = _kubeconfig(kubeconfig)
    try:
        if place is None:
            return POD_NAMESPACE.read_text().strip()
        _, current = list_kube_config_contexts(place)  # type: ignore[no-untyped-call]  # it has no types
        return str(current["context"].get("namespace") or "default")
    except _UNREADABLE as error:
        where = place or POD_NAMESPACE
        raise NoCredentialsError(f"Failed to read the namespace from {where}: {error}") from error


def transport_of(configuration: Configuration) -> tuple[SSLContext, dict[str, Any]]:
    """Whom to trust, and what a request needs beside its URL: a proxy, the name in the certificate.

    Raises:
        OSError: a certificate or key that TLS cannot read.
    """
    client = RESTClientObject(configuration)
    needed = {
        "proxy": client.proxy,
        "proxy_headers": client.proxy_headers,
        "server_hostname": configuration.tls_server_name,
    }
    return client.ssl_context, {name: value for name, value in needed.items() if value}


async def bearer_token(configuration: Configuration) -> str | None:
    """The value of the Authorization header, read again from its file if that is due; None without a token.

    Raises:
        NoCredentialsError: the file is gone or empty.
    """
    try:
        token: str | None = await configuration.get_api_key_with_prefix("BearerToken")
    except (ConfigException, OSError) as error:
        raise NoCredentialsError(f"Failed to read the pod's service account token: {error}") from error
    return token


def _kubeconfig(explicit: Path | None) -> str | None:
    """The kubeconfig to read (several joined by a colon are merged), or None inside a pod."""
    if explicit is not None:
        return str(explicit)
    if named := os.environ.get("KUBECONFIG"):
        return named
    return None if "KUBERNETES_SERVICE_HOST" in os.environ else str(Path.home() / ".kube" / "config")
