"""`spec.traffic.featureFlag`: the FeatureFlag of the OpenFeature operator that this operator owns.

It has the flags of `flags.json`. flagd watches it, so agents see a new weight long before a mounted file has
it. Nothing reports that they do: the weights count once they are written, and counted runs confirm them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.api.traffic import Traffic
from agentrollouts.core.effects import Manifest, Patch
from agentrollouts.core.traffic.manifests import FEATURE_FLAG, Objects, metadata_of
from agentrollouts.core.traffic.routers.flags import flags, share_in
from agentrollouts.core.traffic.routers.owned import OwnedRouter
from agentrollouts.core.traffic.routers.router import Change
from agentrollouts.core.traffic.weights import Split

Path = tuple[str, ...]

FLAGS: Path = ("spec", "flagSpec", "flags")
"""Where the flags are."""


class FeatureFlagRouter(OwnedRouter):
    """The FeatureFlag named after the rollout."""

    kind = FEATURE_FLAG
    managed = ("f:spec", "f:flagSpec")

    @classmethod
    def is_wanted(cls, traffic: Traffic) -> bool:
        """`spec.traffic.featureFlag`."""
        return traffic.feature_flag is not None

    @classmethod
    def render(cls, rollout: AgentRollout, split: Split, seen: Objects) -> Manifest | None:
        """The whole object; one that the spec no longer has is kept right until it is deleted."""
        if not cls.is_wanted(rollout.spec.traffic) and cls.unwanted(rollout, seen) is None:
            return None
        return {
            "apiVersion": "core.openfeature.dev/v1beta1",
            "kind": cls.kind,
            "metadata": metadata_of(rollout, split.status, cls.name(rollout)),
            "spec": {"flagSpec": {"flags": flags(rollout.spec.agent, split.status, split.weights)}},
        }

    @classmethod
    def shows(cls, current: Manifest | None, desired: Manifest) -> bool:
        """Whether it is as it has to be, without another flag or rule."""
        return super().shows(current, desired) and not any(_extra(_flags(current), _flags(desired)))

    def changes(self, split: Split | None, *, is_blocked: bool) -> Iterator[Change]:
        """The whole object, and then the removal of what someone else has put into its flags.

        Server-side apply keeps the fields of others: a rule of theirs would decide instead of our weights.
        """
        current = self._current()
        for change in super().changes(split, is_blocked=is_blocked):
            yield change
            if operations := tuple(_removals(current or {}, change.manifest)):
                yield Patch(change.manifest, operations)

    def share(self, record: ReleaseRecord) -> int | None:
        """As the flags say."""
        return share_in(_flags(self._current()), self.obs.rollout.spec.agent, record)


def _flags(manifest: Manifest | None) -> Mapping[str, Any]:
    found = _at(manifest or {}, FLAGS)
    return found if isinstance(found, Mapping) else {}


def _extra(actual: object, desired: object, at: Path = ()) -> Iterator[tuple[Path, object]]:
    """What is there and is not desired: the path of each such field, and its value.

    Not the `metadata` of a flag, which decides nothing.
    """
    if not isinstance(actual, Mapping) or not isinstance(desired, Mapping):
        return
    for key, value in actual.items():
        if key in desired:
            yield from _extra(value, desired[key], (*at, key))
        elif len(at) != 1 or key != "metadata":
            yield (*at, key), value


def _removals(current: Manifest, desired: Manifest) -> Iterator[Mapping[str, Any]]:
    """What removes the fields of others, as they were seen; our own go with the write before.

    Another client can use our name, but then it does not apply, or what it applies is replaced by that write.
    """
    entries, ours = (current.get("metadata") or {}).get("managedFields") or (), (FIELD_MANAGER, "Apply")
    others = (entry for entry in entries if (entry.get("manager"), entry.get("operation")) != ours)
    owned = [entry.get("fieldsV1") for entry in others]
    for path, value in _extra(_flags(current), _flags(desired)):
        if any(_at(fields, tuple(f"f:{step}" for step in (*FLAGS, *path))) is not None for fields in owned):
            pointer = "".join(f"/{_escaped(step)}" for step in (*FLAGS, *path))
            yield {"op": "test", "path": pointer, "value": value}
            yield {"op": "remove", "path": pointer}


def _at(value: Any, path: Path) -> Any:  # noqa: ANN401 any JSON
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _escaped(step: str) -> str:
    """As JSON pointers write it (RFC 6901)."""
    return step.replace("~", "~0").replace("/", "~1")
