"""All settings, section by section.

Read by main, cli and shell; whatever lies below gets single values.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from agentrollouts.settings.alerts import Alertmanager, Links, Severities
from agentrollouts.settings.authority import AuthoritySettings
from agentrollouts.settings.gateways import GatewayGrant
from agentrollouts.settings.hooks import HookSettings
from agentrollouts.settings.lease import LeasePlace
from agentrollouts.settings.limits import Limits
from agentrollouts.settings.record import RecordSettings
from agentrollouts.settings.section import DnsLabel, DnsName, Section
from agentrollouts.settings.sources import PrometheusSource, distinct_names
from agentrollouts.settings.telemetry import TelemetrySettings


class Serve(Section):
    """Where metrics and probes are served. Takes effect at the next start."""

    address: str = Field(default="0.0.0.0", min_length=1, max_length=253)  # noqa: S104 - probes come to the pod's address
    """Address to listen on."""
    port: int = Field(strict=True, default=8080, ge=0, le=65535)
    """Port for /metrics, /healthz and /readyz; 0 takes any free one."""


class Log(Section):
    """How the operator logs. Takes effect at the next start."""

    format: Literal["json", "console"] = "json"
    """`json` for machines, `console` for people."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is written."""


class Settings(Section):
    """All settings. Each has a default, so `{}` is a complete file."""

    prometheus: Annotated[tuple[PrometheusSource, ...], AfterValidator(distinct_names)] = Field(
        default=(), max_length=64
    )
    """Servers that rollouts may name; without one, no gate can pass and no rollout advances."""
    alertmanagers: Annotated[tuple[Alertmanager, ...], AfterValidator(distinct_names)] = Field(
        default=(), max_length=16
    )
    """Alertmanagers that get the alerts about rollouts; without one, no one is notified."""
    links: Links = Links()
    """Pages that alerts link to."""
    alert_severities: Severities = Field(default={})
    """Severities of alerts about rollouts instead of those of the table in docs/alerts.md, by the name of the
    alert: critical, warning or info."""
    namespaces: tuple[DnsLabel, ...] = ()
    """Namespaces to watch; all if empty. Takes effect at the next start."""
    gateway_classes: tuple[DnsName, ...] = ()
    """GatewayClasses whose Gateways a rollout may attach a route to; all if empty. A rollout that names
    another Gateway ships nothing, with the reason GatewayNotPermitted."""
    gateways: tuple[GatewayGrant, ...] = Field(default=(), max_length=1024)
    """Gateways and hostnames that the routes of each namespace may use; all if empty. A rollout that names
    another one ships nothing, with the reason GatewayNotPermitted or HostNotPermitted. A route that exists
    keeps what it has, and a rollback does not depend on it."""
    hooks: HookSettings = HookSettings()
    """Endpoints that webhooks may call."""
    limits: Limits = Limits()
    """How much a tenant may ask for."""
    authority: AuthoritySettings = AuthoritySettings()
    """What is believed about who requests something."""
    workers: int = Field(strict=True, default=32, ge=1, le=64)
    """Number of objects of one namespace that are processed concurrently: all that roll back at once write
    their routes before any writes its status. What can wait has a quarter of them, and other namespaces have
    eight of their own. Takes effect at the next start."""
    lease: LeasePlace | None = None
    """Lease whose holder, of several replicas, decides and writes. Without it, this must be the only process.
    Takes effect at the next start."""
    serve: Serve = Serve()
    """Where metrics and probes are served."""
    record: RecordSettings = RecordSettings()
    """How many records are kept, and where their entries also go."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """What the metrics show of rollouts."""
    log: Log = Log()
    """How the operator logs."""

    def secrets(self) -> Iterator[str]:
        """Values in this file that may appear in no log line."""
        for server in (*self.prometheus, *self.alertmanagers):
            for value in server.headers.values():
                yield value.get_secret_value()
