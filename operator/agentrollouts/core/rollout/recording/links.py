"""Addresses of logs, traces and dashboards of an attempt, made from the administrator's templates."""

from urllib.parse import quote

from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.rollout.situation import Situation


def addresses(s: Situation, after: AgentRolloutStatus) -> dict[str, str] | None:
    """The links of the attempt that ends now; nothing calls them. None without a template."""
    templates, attempt = s.obs.record.links, s.status.attempt
    if not templates or attempt is None:
        return None
    window = after.affected_window
    end = window.end_time if window and window.start_time >= attempt.start_time else None
    start = attempt.traffic_start_time or attempt.start_time
    values = {
        "namespace": s.obs.rollout.metadata.namespace,
        "agent": s.spec.agent,
        "release": s.status.canary.release if s.status.canary else s.spec.release_ref.name,
        "from": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{end or s.now:%Y-%m-%dT%H:%M:%SZ}",
    }
    return {name: _filled(template, values) for name, template in templates.items()}


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    return template
