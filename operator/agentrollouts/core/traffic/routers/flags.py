"""The split as flags of flagd: `flags.json` in the ConfigMap, and the FeatureFlag."""

from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.traffic.weights import FULL, Weights

KEY: Final = {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}
"""What is hashed to draw a user."""


def flags(agent: str, status: AgentRolloutStatus, weights: Weights) -> dict[str, Any]:
    """A flag for the release, unless nothing has served yet, and in a detour a second one.

    The canary comes first and the total is constant: then a user who got the canary at 5% keeps it at 25%
    (measured with openfeature-provider-flagd 0.6.1).
    """
    sides = [(status.canary, weights.canary), (status.stable, weights.stable)]
    shares = [[record.release, weight] for record, weight in sides if record is not None]
    switch = {_switch_name(agent): _switch(weights.diverted)} if weights.diverted else {}
    if not shares:
        return switch
    flag: dict[str, Any] = {
        "state": "ENABLED",
        "variants": {record.release: record.snapshot for record, _ in sides if record is not None},
        "defaultVariant": shares[-1][0],
    }
    if len(shares) > 1:
        flag["targeting"] = {"fractional": [KEY, *shares]}
    return {_release_name(agent): flag, **switch}


def share_in(content: Mapping[str, Any], agent: str, record: ReleaseRecord) -> int | None:
    """Percent of the users who get the snapshot of a release; None if the flags are not as we write them."""
    try:
        drawn, on = _drawn(content[_release_name(agent)]), FULL
        if _switch_name(agent) in content:
            on = sum(weight for value, weight in _drawn(content[_switch_name(agent)]) if value is True)
        total = sum(weight for _, weight in drawn)
        ours = sum(weight for value, weight in drawn if value == record.snapshot)
        return -(-on * ours // total) if total else 0
    except (KeyError, TypeError, ValueError, AttributeError):  # someone else wrote it
        return None


def _drawn(flag: Mapping[str, Any]) -> list[tuple[object, int]]:
    """The values of a flag, each with its weight. Raises if it is not as we write it."""
    variants, targeting = flag["variants"], flag.get("targeting")
    if flag["state"] != "ENABLED":
        raise ValueError("The flag is disabled")
    if targeting is None:
        return [(variants[flag["defaultVariant"]], FULL)]
    [(rule, (key, *shares))] = targeting.items()
    if (rule, key) != ("fractional", KEY):
        raise ValueError("The flag is not drawn by user")
    return [(variants[variant], int(weight)) for variant, weight in shares]


def _switch(percent: int) -> Mapping[str, Any]:
    """The flag by which an agent finds out whether it is switched off, for this user; absent while it is not.

    `off` comes first: a user for whom it is off stays off while the share rises.
    """
    flag: dict[str, Any] = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
    }
    if percent < FULL:
        flag["targeting"] = {"fractional": [KEY, ["off", percent], ["on", FULL - percent]]}
    return flag


def _release_name(agent: str) -> str:
    return f"{agent}-release"


def _switch_name(agent: str) -> str:
    return f"{agent}-enabled"
