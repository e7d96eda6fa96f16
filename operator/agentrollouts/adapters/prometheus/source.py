"""A Prometheus server as an administrator describes it: what `prometheus` needs of the settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr


class Source(Protocol):
    """A Prometheus server as an administrator describes it; `settings.PrometheusSource` is one."""

    @property
    def name(self) -> str:
        """What rollouts call it; appears in errors."""

    @property
    def url(self) -> str:
        """Address of the server, without `/api/v1`."""

    @property
    def bearer_token_file(self) -> Path | None:
        """File of the token; read for every query, as it rotates."""

    @property
    def ca_file(self) -> Path | None:
        """Certificates to trust instead of the system's."""

    @property
    def headers(self) -> Mapping[str, SecretStr]:
        """Headers to send."""

    @property
    def header_files(self) -> Mapping[str, Path]:
        """Headers to send, their values in files; read for every query."""

    @property
    def namespace_label(self) -> str:
        """The label that holds the namespace of a series' tenant."""

    @property
    def flavor(self) -> str:
        """Auto, Prometheus or VictoriaMetrics."""

    @property
    def timeout_seconds(self) -> float:
        """The hard limit of a query, with everything."""

    @property
    def concurrent_queries(self) -> int:
        """Queries that are in progress at a time."""
