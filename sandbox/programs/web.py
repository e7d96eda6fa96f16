"""Plain HTTP requests to the sandbox's own programs, as health checks and by people who read metrics.

Never through a proxy: whatever `HTTP_PROXY` says is meant for the world outside.
"""

import http.client
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path


def get(
    url: str, *, headers: Mapping[str, str] | None = None, ca_file: Path | None = None, seconds: float = 30
) -> str:
    """Fetch a text.

    Args:
        url: http or https.
        headers: request headers.
        ca_file: whom to trust for https.
        seconds: how long one step of the exchange may take.

    Raises:
        OSError: no answer, or a status of 400 and more.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if ca_file is not None:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca_file))))
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310  # addresses are our own
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=seconds) as response:
            return str(response.read().decode())
    except http.client.HTTPException as error:
        raise OSError(f"{url}: {error!r}") from error


def answers(url: str, *, headers: Mapping[str, str] | None = None, ca_file: Path | None = None) -> bool:
    """Whether a request succeeds now, which is within 2 s: a server that hangs does not."""
    try:
        get(url, headers=headers, ca_file=ca_file, seconds=2)
    except OSError:
        return False
    return True


def answers_tcp(host: str, port: int) -> bool:
    """Whether somebody accepts connections there now."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
