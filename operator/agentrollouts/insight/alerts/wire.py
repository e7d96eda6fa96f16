"""Alerts as the API of Alertmanager reads them: JSON, version 2."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from agentrollouts.api.model.base import written_time
from agentrollouts.insight.alerts.alert import Alert, AlertName, AlertSeverity


class Links(Protocol):
    """The pages that alerts link to; `settings.Links` is one."""

    @property
    def dashboard(self) -> str | None:
        """Address of the dashboard."""

    @property
    def runbooks(self) -> str | None:
        """Address of the runbooks."""


LABELS: Final = ("alertname", "severity", "namespace", "rollout", "agent", "release")
"""In the order of `Alert.labels`."""


def written(
    alerts: Iterable[Alert], links: Links, severities: Mapping[AlertName, AlertSeverity], ends_at: datetime
) -> bytes:
    """The body of a post.

    Args:
        alerts: All that are true, in any order.
        links: Pages that they link to.
        severities: Severities of the settings, by the name of the alert.
        ends_at: Time after which each ends, unless it is posted again.
    """
    entries = (_entry(alert, links, severities, ends_at) for alert in alerts)
    texts = (
        json.dumps(entry, separators=(",", ":")) for entry in entries
    )  # one call would keep other threads
    return f"[{','.join(texts)}]".encode()


def _entry(
    alert: Alert, links: Links, severities: Mapping[AlertName, AlertSeverity], ends_at: datetime
) -> dict[str, Any]:
    labels = dict(zip(LABELS, alert.labels, strict=True))
    labels |= {"severity": severities.get(alert.name, alert.severity)}
    annotations = {
        "summary": alert.summary,
        "description": alert.description,
        "command": f"kubectl agentrollout status {alert.rollout} --namespace={alert.namespace}",
    }
    if links.runbooks:
        annotations["runbook_url"] = f"{links.runbooks}/{alert.name}.md"
    times = {"startsAt": written_time(alert.starts_at), "endsAt": written_time(ends_at)}
    page = {"generatorURL": f"{links.dashboard}/{alert.namespace}/{alert.rollout}"} if links.dashboard else {}
    return {"labels": labels, "annotations": annotations, **times, **page}
