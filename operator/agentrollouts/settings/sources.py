"""The servers that the operator calls, and the Prometheus servers that rollouts may name.

Addresses and credentials are in the settings: a tenant who could name an address could make the operator
connect to any server that it can reach.
"""

import os.path
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from agentrollouts.settings.section import DnsLabel, LabelName, Section


def checked_address(url: str, credentials: str, rest: str) -> str:
    """Raises `ValueError` if this is not an address without credentials.

    Args:
        url: The address.
        credentials: What to use instead of a user and a password.
        rest: What to give instead of a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        port_is_legal = parts.port != 0
    except ValueError:
        parts, port_is_legal = urlsplit(""), False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_legal:
        raise ValueError("must be an address such as http://prometheus.monitoring:9090")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"must not contain a user or password; {credentials}")
    if parts.query or parts.fragment:
        raise ValueError(f"must not contain a query or a fragment; {rest}")
    return url


def _checked_url(url: str) -> str:
    credentials = "use bearerTokenFile, headers or headerFiles"
    return checked_address(url, credentials, "give the address up to, and without, /api").rstrip("/")


def _checked_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be one line without spaces around it")
    return value


def _checked_file(path: Path) -> Path:
    if not os.path.isfile(path):  # noqa: PTH113 - the method of Path raises where a folder is closed to us
        raise PydanticCustomError("path_not_file", "is not a file; correct the path, or mount what it names")
    return path


def _used_by_tls(path: Path, info: ValidationInfo) -> Path:
    if urlsplit(info.data.get("url", "https:")).scheme != "https":
        raise ValueError("has no effect without TLS; begin url with https, or remove it")
    return path


ExistingFile = Annotated[Path, AfterValidator(_checked_file)]
"""A file that is there when the settings are read."""
CaFile = Annotated[ExistingFile, AfterValidator(_used_by_tls)]
"""Certificates to trust, of a section whose `url` is declared before."""
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
HeaderValue = Annotated[SecretStr, AfterValidator(_checked_header)]
Url = Annotated[str, Field(max_length=2048), AfterValidator(_checked_url)]


class Flavor(StrEnum):
    """What kind of server answers the HTTP API of Prometheus."""

    AUTO = "Auto"
    PROMETHEUS = "Prometheus"
    VICTORIA_METRICS = "VictoriaMetrics"


class Named(Section):
    """A server that has a name and is for some rollouts."""

    name: DnsLabel
    """What it is called in messages and metrics."""
    namespaces: tuple[DnsLabel, ...] = ()
    """Namespaces of the rollouts that it is for; all if empty."""

    def is_for(self, namespace: str) -> bool:
        """Whether it is for the rollouts of a namespace."""
        return not self.namespaces or namespace in self.namespaces


class Server(Named):
    """A server that the operator calls, and how."""

    url: Url
    """Its address, without the path of the API. Redirects are not followed and no proxy is used."""
    bearer_token_file: ExistingFile | None = None
    """File with the token to send; read again for every request, as such tokens rotate."""
    ca_file: CaFile | None = None
    """File with the certificates to trust instead of the system's; read again for every connection."""
    headers: Mapping[HeaderName, HeaderValue] = Field(default={}, max_length=16)
    """Headers to send, such as X-Scope-OrgID. The values are never logged."""
    header_files: Mapping[HeaderName, ExistingFile] = Field(default={}, max_length=16)
    """Headers to send whose values are in files; read again for every request."""
    timeout_seconds: float = Field(strict=True, default=5.0, ge=0.05, le=60)
    """How long one request may take, with everything. To wait for other requests does not count."""


class PrometheusSource(Server):
    """A server with the HTTP API of Prometheus, which rollouts name in `spec.metrics.source`.

    `default` is the name that they use when they name none.
    """

    concurrent_queries: int = Field(strict=True, default=8, ge=2, le=64)
    """Number of queries in progress at a time. One namespace has at most half of them, and a quarter while
    its queries are slow: a second or more, or a quarter of `timeoutSeconds`. All slow namespaces together
    have at most half. The other queries wait, and the namespaces take turns."""
    flavor: Flavor = Flavor.AUTO
    """How it counts the first value of a series: the `increase` of VictoriaMetrics contains it, that of
    Prometheus does not, so that the operator adds it. Auto, the default, reads the server's build information
    (`/api/v1/status/buildinfo`); name the flavor where a proxy hides it."""
    namespace_label: LabelName = "namespace"
    """Label that holds the namespace whose series it is; every query is kept to that of its rollout.

    The scrape configuration must set it on every series, whatever the target says: else a tenant could count
    runs for another. docs/metrics.md says how, and what to do about a proxy that serves many tenants.
    """


AnyServer = TypeVar("AnyServer", bound=Named)


def distinct_names(sources: tuple[AnyServer, ...]) -> tuple[AnyServer, ...]:
    """Raises `ValueError` if two servers have one name."""
    names = [source.name for source in sources]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"names must differ; used more than once: {', '.join(repeated)}")
    return sources
