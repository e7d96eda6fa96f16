"""All routers at once: whether the desired weights are shown, and what has to be written."""

from collections.abc import Iterator, Mapping

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Deletion, Effect, Manifest, Write
from agentrollouts.core.traffic.latch import is_latched, without_message
from agentrollouts.core.traffic.manifests import Objects, covers, key_of
from agentrollouts.core.traffic.observed import Observed
from agentrollouts.core.traffic.routers import route_patch
from agentrollouts.core.traffic.routers.config_map import render_config
from agentrollouts.core.traffic.routers.http_route import render_route, unwanted_route


def is_shown(obs: Observed, status: AgentRolloutStatus) -> bool:
    """Whether the traffic objects show the split of this status."""
    if route_patch.blocked(obs, status) or route_patch.patches(obs, status):
        return False
    return next(unshown(obs.rollout, status, obs.traffic), None) is None


def render(rollout: AgentRollout, status: AgentRolloutStatus, seen: Objects) -> tuple[Manifest, ...]:
    """All traffic objects in the order in which they are written: the one that moves requests first.

    Args:
        rollout: Its spec and its name.
        status: The desired split.
        seen: Our traffic objects as returned by the API server.
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


def traffic_writes(obs: Observed, status: AgentRolloutStatus, *, shown: bool) -> Iterator[Effect]:
    """What the traffic objects do not show yet: of the old status forward, of the new one in a rollback.

    Forward only on the version that was seen, as what is known may be old; a rollback requires no version.

    Args:
        obs: The traffic as observed, and the persisted status.
        status: The next status.
        shown: Whether nothing must be written forward: the traffic shows it, or must not get it.
    """
    latched = is_latched(status)
    basis = status if latched else obs.status
    if latched or not shown:
        yield from route_patch.patches(obs, basis)
        for wanted in unshown(obs.rollout, basis, obs.traffic):
            seen = obs.traffic.get(key_of(wanted))
            yield Write(wanted if latched or seen is None else _on_version(seen, wanted), FIELD_MANAGER)
    left = unwanted_route(obs.rollout, obs.traffic)
    if left and not obs.status.canary and not status.canary and is_shown(obs, status):
        yield Deletion(left)  # its replacement has taken over, and there is no split to keep


def _on_version(seen: Manifest, wanted: Manifest) -> Manifest:
    """The same, rejected by the API server if the object has changed since it was seen."""
    version = seen["metadata"].get("resourceVersion")
    return {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version}} if version else wanted
