"""All routers at once: whether the desired weights are shown, and what has to be written."""

from collections.abc import Iterator, Mapping

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Manifest
from agentrollouts.core.traffic.latch import without_message
from agentrollouts.core.traffic.manifests import Objects, covers, key_of
from agentrollouts.core.traffic.observed import Observed
from agentrollouts.core.traffic.routers import route_patch
from agentrollouts.core.traffic.routers.config_map import render_config
from agentrollouts.core.traffic.routers.http_route import render_route


def is_shown(obs: Observed, status: AgentRolloutStatus) -> bool:
    """Whether the traffic objects show what this status asks for."""
    if route_patch.blocked(obs, status) or route_patch.patches(obs, status):
        return False
    return next(unshown(obs.rollout, status, obs.traffic), None) is None


def render(rollout: AgentRollout, status: AgentRolloutStatus, seen: Objects) -> tuple[Manifest, ...]:
    """All traffic objects in the order in which they are written: the one that moves requests first.

    Args:
        rollout: Its spec and its name.
        status: What is asked for.
        seen: Our traffic objects as the API server has them.
    """
    manifests = (render_route(rollout, status, seen), render_config(rollout, status))
    return tuple(manifest for manifest in manifests if manifest is not None)


def unshown(rollout: AgentRollout, status: AgentRolloutStatus, seen: Objects) -> Iterator[Manifest]:
    """Those of `render` that the API server does not have as they must be, in the same order.

    The sentence beside a mark does not count: the API server may have refused it.
    """
    for wanted in render(rollout, status, seen):
        found = seen.get(key_of(wanted))
        if not covers(found, without_message(wanted)) or _is_sticky(found):
            yield wanted


def _is_sticky(found: Manifest | None) -> bool:
    """Whether someone made users of our route stay with a canary at weight 0; the next write undoes that."""
    rules = ((found or {}).get("spec") or {}).get("rules") or ()
    return any(rule.get("sessionPersistence") is not None for rule in rules if isinstance(rule, Mapping))
