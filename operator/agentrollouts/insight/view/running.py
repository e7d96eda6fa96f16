"""What is running: each backend of the traffic, with its share on the route and the desired one."""

from collections.abc import Iterator
from typing import Final

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.containment.detour import on_standby, share_off
from agentrollouts.core.containment.fallback import fallback_of
from agentrollouts.core.states import is_progressing
from agentrollouts.insight.view.shape import Running
from agentrollouts.insight.view.words import Role

FULL: Final = 100
"""Percent of the traffic."""


def running(rollout: AgentRollout) -> tuple[Running, ...]:
    """The canary first, then stable, then what answers instead of them."""
    return tuple(_running(rollout))


def _running(rollout: AgentRollout) -> Iterator[Running]:
    status = rollout.status
    seen, canary, stable = status.weights, status.canary, status.stable
    share = canary_share(status)
    left = FULL - share_off(status)
    if canary and is_progressing(status):
        desired = round(share * left / FULL)
        yield _of(canary.release, canary.version, Role.CANARY, seen.canary if seen else None, desired)
    if standby := on_standby(status):
        name, weight = standby.release, seen.stable if seen else None
        yield _of(name, standby.version, Role.DETOUR, weight, FULL)
    if stable and standby:
        yield _of(stable.release, stable.version, Role.STABLE, 0 if seen else None, 0)
    elif stable:
        desired = left - round(share * left / FULL)
        yield _of(stable.release, stable.version, Role.STABLE, seen.stable if seen else None, desired)
    if share_off(status):
        fallback = fallback_of(rollout.spec, status)
        name = fallback.name if fallback else "nothing"
        off = FULL - seen.stable - seen.canary if seen else None
        yield _of(name, None, Role.DETOUR, None if off is None else max(0, off), share_off(status))


def canary_share(status: AgentRolloutStatus) -> int:
    """Desired share of the canary, in percent of what releases get."""
    attempt = status.attempt
    if attempt is None or not is_progressing(status) or status.canary is None:
        return 0
    return attempt.weight if status.stable else FULL


def _of(name: str, version: str | None, role: Role, weight: int | None, desired: int) -> Running:
    is_there = weight == desired
    return Running(
        name=name, version=version, role=role, weight=weight, desired=None if is_there else desired
    )
