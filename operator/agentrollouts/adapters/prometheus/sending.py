"""One HTTP exchange with a Prometheus server: what is sent, and the body or the failure that comes of it.

Runs in the threads of `client`. The text of an exception is never used: it repeats addresses and headers.
"""

from collections.abc import Mapping
from typing import Final

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.util import Retry
from yarl import URL

from agentrollouts.adapters.headers import headers_of
from agentrollouts.adapters.prometheus.envelope import QueryError, QueryErrorKind
from agentrollouts.adapters.prometheus.exchange import POOLS
from agentrollouts.adapters.prometheus.source import Source
from agentrollouts.adapters.tls import TrustError, trouble_of, trust_of

MAX_BYTES: Final = 1 << 20
"""The longest body that is read. Parsing 62 MB was seen to hold the interpreter's lock, and so the loop,
for 1.6 s."""

FAILURES: Final = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""What an exchange can raise."""

SECTION: Final = "prometheus[]"
"""Path of servers in the settings."""

_PART: Final = 1 << 18
"""Bytes read at a time."""

_MAX_SERIES: Final = 10_000
"""Sent as `limit`, so that a server that knows it cuts a runaway answer short, with a warning."""

_SERVER_SHARE: Final = 0.9
"""The part of the deadline that the server is given, so that it can still say that it was not enough."""

_HEADERS: Final[Mapping[str, str]] = {
    "Accept-Encoding": "identity",  # the limit counts bytes as they come
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "agentrollouts",
}


def adapter_of(source: Source) -> HTTPAdapter:
    """The connections to a server."""
    session = requests.Session()
    client = PrometheusConnect(url=source.url, session=session, retry=Retry(0), method="POST")
    adapter = session.get_adapter(client.url)
    assert isinstance(adapter, HTTPAdapter)  # noqa: S101 - the client has just mounted one
    adapter.poolmanager.pool_classes_by_scheme = POOLS
    return adapter


def send(adapter: HTTPAdapter, source: Source, path: str, form: dict[str, str] | None) -> requests.Response:
    """Post the form to a path of the API, or get the path if there is none; one of `FAILURES` else."""
    seconds = source.timeout_seconds
    limits = {"timeout": f"{max(1, int(seconds * _SERVER_SHARE * 1000))}ms", "limit": str(_MAX_SERIES)}
    data = None if form is None else URL.build(query=form | limits).raw_query_string
    request = requests.Request(
        "GET" if data is None else "POST",
        f"{source.url.rstrip('/')}/api/v1/{path}",
        headers={**_HEADERS, **headers_of(source)},
        data=data,
    )
    trusted = str(source.ca_file) if source.ca_file else True
    return adapter.send(request.prepare(), stream=True, timeout=seconds, verify=trusted)


def read_body(response: requests.Response) -> bytes:
    """The body to its end, since only then a missing end shows; or a little more than is allowed of it."""
    body = b""
    while len(body) <= MAX_BYTES and (part := response.raw.read(_PART, decode_content=False)):
        body += part
    return body


def late(source: Source) -> QueryError:
    """What the deadline means, no matter what notices it first: the caller, or a socket of the thread."""
    return QueryError(QueryErrorKind.TIMEOUT, f"no response within {source.timeout_seconds:g} s")


def failure(error: Exception, source: Source) -> QueryError:
    """What one of `FAILURES` means."""
    if problem := _trouble(error, source):
        return QueryError(QueryErrorKind.UNREACHABLE, problem)
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return late(source)
    cause = _system_error(error)
    if isinstance(cause, FileNotFoundError | PermissionError | IsADirectoryError) and cause.filename:
        return QueryError(QueryErrorKind.UNREACHABLE, f"cannot read {cause.filename}: {cause.strerror}")
    if cause is not None:
        return QueryError(QueryErrorKind.UNREACHABLE, f"no connection: {cause.strerror or 'it was closed'}")
    if isinstance(error, requests.exceptions.InvalidHeader | ValueError):
        return QueryError(
            QueryErrorKind.UNREACHABLE, "a header has an invalid value; check the settings and their files"
        )
    return QueryError(QueryErrorKind.MALFORMED, "its response ends early, or is not HTTP")


def _trouble(error: Exception, source: Source) -> str:
    """What is wrong with TLS; empty if nothing is. The certificates were read within libraries."""
    try:
        if source.ca_file:
            trust_of(source.url, source.ca_file)
    except TrustError as problem:
        error = problem
    return str(trouble_of(error, SECTION, source.ca_file) or "")


def _system_error(error: BaseException | None) -> OSError | None:
    """The operating system's word at the bottom of an exception, if there is one."""
    while error is not None:
        if isinstance(error, ConnectionError) or (isinstance(error, OSError) and error.strerror):
            return error
        error = error.__cause__ or error.__context__
    return None
