"""The ConfigMap for agents that split by themselves: `split.json`, and `flags.json` for flagd."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.effects import Deletion, Manifest, Problem, Write
from agentrollouts.core.traffic.manifests import Objects, metadata_of
from agentrollouts.core.traffic.routers.flags import flags
from agentrollouts.core.traffic.routers.owned import OwnedRouter
from agentrollouts.core.traffic.routers.router import Change
from agentrollouts.core.traffic.weights import Split

SUFFIX: Final = "-traffic"
FLAG_SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"


class ConfigMapRouter(OwnedRouter):
    """The `<rollout>-traffic` ConfigMap."""

    kind = "ConfigMap"
    managed = ("f:data",)

    @classmethod
    def name(cls, rollout: AgentRollout) -> str:
        """Beside the snapshots, which are ConfigMaps as well."""
        return f"{rollout.metadata.name}{SUFFIX}"

    @classmethod
    def made_for(cls, kind: str, name: str) -> Iterator[str]:
        """What stands before the suffix."""
        if kind == cls.kind and name.endswith(SUFFIX):
            yield name.removesuffix(SUFFIX)

    def obstacle(self, records: Iterable[ReleaseRecord | None], *, is_return: bool) -> Problem | None:  # noqa: ARG002 it is the same for all
        """Someone made it immutable; a rollback replaces it."""
        current = self._current()
        if is_return or not _is_frozen(current):
            return None
        namespace, name = self.obs.rollout.metadata.namespace, self.name(self.obs.rollout)
        message = (
            f"ConfigMap {name} is immutable, so its split cannot be changed; delete it, and the operator "
            f"writes it again: kubectl delete configmap {name} --namespace={namespace}"
        )
        return Problem(Reason.TRAFFIC_IMMUTABLE, message)

    def changes(self, split: Split | None, *, is_blocked: bool) -> Iterator[Change]:
        """One that cannot be changed is deleted first, but not for the number of a generation."""
        current, due = self._current(), tuple(super().changes(split, is_blocked=is_blocked))
        if current is None or not _is_frozen(current):
            yield from due
            return
        for write in due:
            kept = {**write.manifest, "data": current.get("data")}
            if _sides(current) == _sides(write.manifest):
                if not self.shows(current, kept):
                    yield Write(kept, FIELD_MANAGER)
            elif not is_blocked:
                yield from (Deletion(current), write)

    def detours(self) -> Iterator[Detour]:
        """Only if nothing else splits: many people can edit a ConfigMap who may not edit routes or flags."""
        return super().detours() if self.obs.rollout.spec.traffic.by_config_map else iter(())

    def share(self, record: ReleaseRecord) -> int | None:
        """As `split.json` says."""
        sides = _sides(self._current())
        weights = (weight for digest, weight in sides or () if digest == record.digest)
        return None if sides is None else next(weights, 0)

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
        if status.detour:
            shares["detour"] = _detour(status.detour)
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata_of(rollout, status, cls.name(rollout)),
            "data": {
                "split.json": _json(shares),
                "flags.json": _json(
                    {"$schema": FLAG_SCHEMA, "flags": flags(rollout.spec.agent, status, weights)}
                ),
            },
        }


def _detour(detour: Detour) -> Mapping[str, Any]:
    """What agents read of it; a standby is also in the place of stable."""
    standby = {"standby": detour.standby.release} if detour.standby else {}
    return {"id": detour.id, "percent": detour.percent, **standby}


def _is_frozen(manifest: Manifest | None) -> bool:
    return manifest is not None and manifest.get("immutable") is True


def _sides(manifest: Manifest | None) -> tuple[tuple[str, int], ...] | None:
    """Digest and weight of stable and canary; None if there is no split that can be read."""
    try:
        split = json.loads(((manifest or {}).get("data") or {})["split.json"])
        return tuple((side["digest"], side["weight"]) for side in (split["stable"], split["canary"]) if side)
    except (KeyError, TypeError, ValueError, RecursionError):  # someone else wrote it
        return None


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


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
