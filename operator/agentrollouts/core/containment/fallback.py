"""What answers in a detour: a Service of the spec, or that of the release which another rollout serves.

What the other rollout serves is kept in the status, so that a detour can begin while nothing can be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.recovery.fallback import FallbackStatus
from agentrollouts.api.release import ServiceRef
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.containment.detour import ALL, share_off, with_standby

READ: Final = ("detour", "stable")
"""Fields of a status that say what a rollout serves; the others are not parsed."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What another rollout serves: a release with its Service, or why it cannot answer."""

    release: str | None = None
    service: ServiceRef | None = None
    problem: str = ""


def named_by(spec: AgentRolloutSpec) -> str | None:
    """The rollout that answers in a detour; None if none does."""
    return spec.fallback.rollout.name if spec.fallback and spec.fallback.rollout else None


def lead_of(name: str, rollout: Mapping[str, Any] | None) -> Lead | None:
    """What a rollout serves.

    Args:
        name: Its name.
        rollout: The rollout as returned by the API server; None if it does not exist.

    Returns:
        None if it cannot be read.
    """
    if rollout is None:
        return Lead(problem=f"AgentRollout {name} does not exist")
    persisted = rollout.get("status") or {}
    try:
        status = AgentRolloutStatus.model_validate({key: persisted[key] for key in READ if key in persisted})
    except ValidationError:  # written by another version of the operator
        return None
    stable, off = with_standby(status).stable, share_off(status)
    if off:
        return Lead(
            problem=f"AgentRollout {name} is switched off{'' if off == ALL else f' by {off}%'} itself"
        )
    if stable is None:
        return Lead(problem=f"AgentRollout {name} has no stable release")
    if stable.service is None or not stable.service.is_service:
        return Lead(problem=f"{stable.release}, which AgentRollout {name} serves, has no Service")
    return Lead(stable.release, stable.service)


def with_fallback(
    status: AgentRolloutStatus, spec: AgentRolloutSpec, lead: Lead | None
) -> AgentRolloutStatus:
    """The status with what the other rollout serves now; with what it last served if that is not known."""
    name = named_by(spec)
    known = status.fallback if status.fallback and status.fallback.rollout == name else None
    if name is None:
        current = None
    elif lead:
        current = FallbackStatus(
            rollout=name, release=lead.release, service=lead.service, message=lead.problem
        )
    else:
        current = known or FallbackStatus(rollout=name, message=f"AgentRollout {name} cannot be read")
    return status if current == status.fallback else status.copy_with(fallback=current)


def fallback_of(spec: AgentRolloutSpec, status: AgentRolloutStatus) -> ServiceRef | None:
    """The Service that answers in a detour; None if there is none."""
    if spec.fallback is None or spec.fallback.service:
        return spec.fallback.service if spec.fallback else None
    found = status.fallback
    return found.service if found and found.rollout == named_by(spec) else None


def why_none(spec: AgentRolloutSpec, status: AgentRolloutStatus) -> str:
    """Why nothing answers in a detour, as a clause."""
    found = status.fallback
    return found.message if found and found.rollout == named_by(spec) else "spec.fallback is not set"


def leads_to(rollout: AgentRollout, status: AgentRolloutStatus, detour: Detour) -> str:
    """What becomes of the traffic of a detour, as a clause."""
    if detour.standby:
        return f"all traffic goes to {detour.standby.release}, a standby"
    return where(rollout, status, detour.percent)


def where(rollout: AgentRollout, status: AgentRolloutStatus, percent: int) -> str:
    """What becomes of a share that no release gets, as a clause."""
    share, spec = "all traffic" if percent == ALL else f"{percent}% of the traffic", rollout.spec
    if service := fallback_of(spec, status):
        name = named_by(spec)
        return f"{share} goes to Service {service.name}{f', which {name} serves' if name else ''}"
    if spec.traffic.by_route:
        why = f": {why_none(spec, status)}" if named_by(spec) else ""
        return f"{share} goes to no Service, so the gateway answers with an error{why}"
    name = rollout.metadata.name
    told = f"ConfigMap {name}-traffic" if spec.traffic.by_config_map else f"FeatureFlag {name}"
    return f"{share} is off, as {told} tells the agents"
