"""What of an object is remembered: what decisions read, and nothing that a tenant can make large at will.

Annotations and labels that are not ours, the text of a snapshot and the content of a release are left out.
What remains is packed. Before the cache, on the way in, and on the way out.
"""

import marshal
import zlib
from collections.abc import Hashable
from typing import Any, Final, NamedTuple

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER, GROUP, LABEL_MANAGED_BY, LABEL_RELEASE, LABEL_ROLLOUT
from agentrollouts.core.release.snapshot import contents, head_of
from agentrollouts.core.traffic.manifests import FEATURE_FLAG, ROUTES
from agentrollouts.shell.relations import CONFIG_MAP, FREEZE, RELEASE, ROLLOUT, claim_of, entries
from agentrollouts.shell.urgency import is_urgent, wish_of

LARGE: Final = 64 * 1024
"""Packed bytes of an object above which only its outline is remembered."""
NAMESPACE_BYTES: Final = 16 * 2**20
"""Packed bytes of one namespace: ten times what a thousand rollouts in progress take."""

_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "ownerReferences",
)
_TEXTS: Final = ("inline", "items")
"""Fields of a component that hold content by value."""
_UID_LENGTH: Final = 64
_OUTLINE: Final = ("agent", "releaseRef", "hostnames", "parentRefs", "rollout", "type")
"""Fields of a spec by which objects find each other."""
_FASTEST: Final = 1
"""zlib's level: nearly as small as the default, in half the time."""


class Stored(NamedTuple):
    """An object as the cache keeps it."""

    version: int
    entries: tuple[Hashable, ...]
    """Its keys in the index."""
    packed: bytes
    """Without its version, so that two that differ in nothing that is remembered are equal."""
    made: str = ""
    """When the API server made it, in a form that sorts."""
    is_urgent: bool = False
    wish: int = 0
    """What people ask of a rollout, as a number that changes with it."""
    is_outline: bool = False
    size: int = 0
    """Bytes of the bundle in it."""
    claim: bytes = b""
    """Of a rollout, what decides which of two has to wait: a thousand may name one agent or one route, and to
    unpack them all for each decision would stop the event loop."""


def packed(key: Ref, version: int, manifest: Manifest, room: int) -> Stored:
    """What is remembered of an object.

    Args:
        key: Of the object.
        version: Its version.
        manifest: The object.
        room: Bytes that its namespace has left.
    """
    made, kept = str(manifest["metadata"].get("creationTimestamp") or ""), remembered(manifest)
    _, size = contents(kept) if key.kind == CONFIG_MAP else ("", 0)
    whole, belongs = _pack(kept), tuple(entries(key, kept))
    is_large = len(whole) > min(LARGE, room)
    return Stored(
        version,
        belongs,
        _pack(outline(kept)) if is_large else whole,
        made,
        is_urgent(manifest),
        wish_of(manifest),
        is_large,
        size,
        marshal.dumps(claim_of(manifest)) if key.kind == ROLLOUT else b"",
    )


def unpacked(stored: Stored) -> Manifest:
    """What is remembered, as a value of the caller's own."""
    manifest: Manifest = marshal.loads(zlib.decompress(stored.packed))  # noqa: S302 - made by `_pack`
    if stored.version:
        manifest["metadata"]["resourceVersion"] = str(stored.version)
    return manifest


def claimed(rollout: Stored) -> Manifest:
    """What a rollout claims, as `claim_of` has it."""
    claim: Manifest = marshal.loads(rollout.claim)  # noqa: S302 - made by `packed`
    return claim


def remembered(manifest: Manifest) -> Manifest:
    """The object as it is remembered; it shares values with the one that is given."""
    metadata = manifest["metadata"]
    kept = {key: metadata[key] for key in _METADATA if key in metadata}
    for field in ("labels", "annotations"):
        if field in metadata:
            kept[field] = _ours(metadata[field])
    if manifest["kind"] == ROLLOUT and "labels" in metadata:
        kept["labels"] = metadata["labels"]  # freezes select by them
    if manifest["kind"] in {*ROUTES, FEATURE_FLAG, CONFIG_MAP} and (others := _others(manifest)):
        kept["managedFields"] = others  # the writer of our weights is reported
    small = {**manifest, "metadata": kept}
    if manifest["kind"] == CONFIG_MAP and LABEL_ROLLOUT not in (metadata.get("labels") or {}):
        return dict(head_of(small))
    return _without_content(small) if manifest["kind"] == RELEASE else small


def outline(manifest: Manifest) -> Manifest:
    """As much of an object as says what it belongs to; the rest is read where it is needed.

    A freeze is never larger than its schema allows, and a decision cannot wait for it.
    """
    if manifest["kind"] == FREEZE:
        return manifest
    metadata = {
        key: value
        for key, value in manifest["metadata"].items()
        if key not in {"annotations", "managedFields", "ownerReferences"}
    } | _marks(manifest["metadata"])
    if "labels" in metadata:
        metadata["labels"] = _ours(metadata["labels"])
    spec, status = manifest.get("spec"), manifest.get("status")
    kept = {key: value for key, value in manifest.items() if key not in {"spec", "status", "data"}}
    if isinstance(spec, dict):
        traffic = spec.get("traffic")
        patch = traffic.get("routePatch") if isinstance(traffic, dict) else None
        kept["spec"] = {key: spec[key] for key in _OUTLINE if key in spec} | {
            "traffic": {"routePatch": patch} if patch else {}
        }
    if isinstance(status, dict):
        state = (status.get("attempt") or {}).get("state")
        kept["status"] = {"attempt": {"state": state}} if state else {}
    return {**kept, "metadata": metadata}


def _marks(metadata: Manifest) -> Manifest:
    """What proves that an object is ours: its controller, and that we have applied it."""
    owners = [
        {"uid": str(owner.get("uid"))[:_UID_LENGTH], "controller": True}
        for owner in metadata.get("ownerReferences") or ()
        if owner.get("controller")
    ]
    applied = {"manager": FIELD_MANAGER, "operation": "Apply"}
    return {
        "ownerReferences": owners[:1],
        "managedFields": [applied] if applied in (metadata.get("managedFields") or ()) else [],
    }


def _ours(marks: Any) -> Any:  # noqa: ANN401 whatever an API server that validates nothing would send
    """Our own labels or annotations; an empty map is kept, since adding to it is another write."""
    if not isinstance(marks, dict):
        return marks
    return {key: value for key, value in marks.items() if _is_ours(key)}


def _is_ours(key: str) -> bool:
    domain = key.partition("/")[0]
    return key == LABEL_MANAGED_BY or domain == GROUP or domain.endswith(f".{GROUP}")


def _without_content(release: Manifest) -> Manifest:
    """A release whose components have no content: which ones there are, and where the content is."""
    spec = release.get("spec")
    components = spec.get("components") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(components, dict):
        return release
    kept = {
        name: {key: value for key, value in part.items() if key not in _TEXTS}
        for name, part in components.items()
        if isinstance(part, dict)
    }
    return {**release, "spec": {**spec, "components": kept}}


def _others(manifest: Manifest) -> list[Manifest]:
    """What is noted of writers other than gateways, which write the status; of us, only that we wrote.

    Of a snapshot, nothing.
    """
    if LABEL_RELEASE in (manifest["metadata"].get("labels") or {}):
        return []
    noted: list[Manifest] = []
    for entry in manifest["metadata"].get("managedFields") or ():
        if entry.get("subresource"):
            continue
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply":
            noted.append({"manager": FIELD_MANAGER, "operation": "Apply"})
        elif entry.get("manager") != FIELD_MANAGER or manifest["kind"] == FEATURE_FLAG:
            noted.append(entry)  # of flags, also who uses our name: applying does not remove what they add
    return noted


def _pack(manifest: Manifest) -> bytes:
    """As bytes that never leave this process."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
    return zlib.compress(marshal.dumps({**manifest, "metadata": metadata}), _FASTEST)
