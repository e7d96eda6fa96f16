"""Where alerts about rollouts go, and what they link to."""

from agentrollouts.insight.alerts.alert import AlertName, AlertSeverity
from agentrollouts.settings.section import Section
from agentrollouts.settings.sources import Server, Url

Severities = dict[AlertName, AlertSeverity]
"""Severities by the name of the alert."""


class Alertmanager(Server):
    """A server with the API of Alertmanager, version 2, to which the leader posts all alerts that are true.

    The addresses and tokens are in the settings: a tenant who could name one could make the operator connect
    to any server that it can reach. Of a cluster of Alertmanagers, list each one.
    """


class Links(Section):
    """Pages that alerts link to. The operator never calls them."""

    dashboard: Url | None = None
    """Address of the dashboard. The page of a rollout is below it: `/NAMESPACE/NAME`."""
    runbooks: Url | None = None
    """Address of a copy of docs/runbooks. The page of an alert is below it: `/ALERT.md`."""
