"""The ConfigMap for agents that split by themselves: `split.json`, and `flags.json` for flagd."""

import json
from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.effects import Manifest
from agentrollouts.core.traffic.manifests import Objects, metadata_of
from agentrollouts.core.traffic.routers.owned import OwnedRouter
from agentrollouts.core.traffic.weights import Split, Weights

FLAG_SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"


class ConfigMapRouter(OwnedRouter):
    """The `<rollout>-traffic` ConfigMap."""

    kind = "ConfigMap"
    managed = ("f:data",)

    @classmethod
    def name(cls, rollout: AgentRollout) -> str:
        """Beside the snapshots, which are ConfigMaps as well."""
        return f"{rollout.metadata.name}-traffic"

    @classmethod
    def render(cls, rollout: AgentRollout, split: Split, seen: Objects) -> Manifest:  # noqa: ARG003 it depends on no other
        """The whole ConfigMap."""
        status, weights = split.status, split.weights
        shares = {
            "agent": rollout.spec.agent,
            "attempt": status.attempt.number if status.attempt else 0,
            "generation": rollout.metadata.generation,
            "stable": _side(status.stable, weights.stable),
            "canary": _side(status.canary, weights.canary),
        }
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata_of(rollout, status, cls.name(rollout)),
            "data": {
                "split.json": _json(shares),
                "flags.json": _json(_flags(rollout.spec.agent, status, weights)),
            },
        }


def _side(record: ReleaseRecord | None, weight: int) -> Mapping[str, Any] | None:
    if record is None:
        return None
    return {
        "release": record.release,
        "version": record.version,
        "digest": record.digest,
        "snapshot": record.snapshot,
        "weight": weight,
    }


def _flags(agent: str, status: AgentRolloutStatus, weights: Weights) -> Mapping[str, Any]:
    """One flag in flagd's format.

    The canary comes first and the total is constant: then a user who got the canary at 5% keeps it at 25%
    (measured with openfeature-provider-flagd 0.6.1).
    """
    sides = [(status.canary, weights.canary), (status.stable, weights.stable)]
    shares = [[record.release, weight] for record, weight in sides if record is not None]
    flag: dict[str, Any] = {
        "state": "ENABLED",
        "variants": {record.release: record.snapshot for record, _ in sides if record is not None},
        "defaultVariant": shares[-1][0],
    }
    if len(shares) > 1:
        key = {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}
        flag["targeting"] = {"fractional": [key, *shares]}
    return {"$schema": FLAG_SCHEMA, "flags": {f"{agent}-release": flag}}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
