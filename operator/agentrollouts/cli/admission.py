"""Says what the API server would refuse in an object, without an API server.

`plan` and `simulate` call it for each object of ours in a file. The order is the API server's: what the
object is, fields that do not exist, defaults, the schema, and CEL rules where the schema holds. Only the
commands import this module, because its libraries are slow to load and the operator needs none of them.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentrollouts.api.crd.manifest import crds
from agentrollouts.api.model.base import DNS_SUBDOMAIN
from agentrollouts.api.names import API_VERSION
from agentrollouts.cli.cel import ABSENT, broken_rules
from agentrollouts.cli.structure import unknown_fields, violations, with_defaults

_NAME_LENGTH: Final = 253
_BASE_LENGTH: Final = 58
"""Characters of `generateName` that the API server takes."""
_GENERATED: Final = "x" * 5
"""In the place of the random characters that it adds."""
_METADATA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("name", "generateName", "namespace", "uid")},
        **{name: {"type": "string"} for name in ("resourceVersion", "selfLink")},
        **{name: {"type": "string"} for name in ("creationTimestamp", "deletionTimestamp")},
        **{name: {"type": "integer"} for name in ("generation", "deletionGracePeriodSeconds")},
        **{
            name: {"type": "object", "additionalProperties": {"type": "string"}}
            for name in ("labels", "annotations")
        },
        "finalizers": {"type": "array", "items": {"type": "string"}},
        **{
            name: {"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": True}}
            for name in ("ownerReferences", "managedFields")
        },
    },
}
"""ObjectMeta of Kubernetes, as far as a file can have it."""


def kinds() -> tuple[str, ...]:
    """Our kinds."""
    return tuple(_schemas())


def is_ours(document: object) -> bool:
    """Whether a document is an AgentRelease or an AgentRollout, of whatever version."""
    kind = document.get("kind") if isinstance(document, dict) else None
    return isinstance(kind, str) and kind in _schemas()


def completed_object(document: Mapping[str, Any]) -> dict[str, Any]:
    """One of our objects as the API server stores a new one: with its defaults, and without a status."""
    written = {key: value for key, value in document.items() if key != "status"}
    metadata = written.get("metadata")
    base = metadata.get("generateName") if isinstance(metadata, dict) else None
    if isinstance(metadata, dict) and isinstance(base, str) and base and not metadata.get("name"):
        written["metadata"] = metadata | {"name": base[:_BASE_LENGTH] + _GENERATED}
    return dict(with_defaults(written, _schemas()[document["kind"]]))


def refusals(document: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """What the API server would refuse in one of our objects: `path: problem; remedy` each, or nothing.

    Its status is ignored, since the API server ignores it too when an object is created.

    Args:
        document: The object as it is written.
        before: A valid object of this kind and name that it replaces.
    """
    schema, completed = _schemas()[document["kind"]], completed_object(document)
    unknown = tuple(unknown_fields({key: document[key] for key in document if key != "status"}, schema))
    broken = (*_identity(completed), *violations(completed, schema))
    if broken:
        return (*unknown, *broken)
    old = ABSENT if before is None else completed_object(before)
    return (*unknown, *broken_rules(completed, schema, before=old))


def _identity(document: Mapping[str, Any]) -> Iterator[str]:
    """What the schema does not say: which version it is of, and how it is named."""
    if document.get("apiVersion") != API_VERSION:
        yield f"apiVersion: Invalid value: {document.get('apiVersion')}; write {API_VERSION}"
    metadata = document.get("metadata", {})
    if not isinstance(metadata, dict):
        return  # the schema says so
    name = metadata.get("name")
    if name is None or name == "":
        yield "metadata.name: Required value; give the object a name"
    elif isinstance(name, str) and not (len(name) <= _NAME_LENGTH and _is_name(name)):
        yield f"metadata.name: Invalid value: {name[:80]!a}; must be a lowercase DNS name, as support-4.2.0"


def _is_name(name: str) -> bool:
    return re.fullmatch(DNS_SUBDOMAIN.removesuffix("$"), name) is not None


@functools.cache
def _schemas() -> Mapping[str, Mapping[str, Any]]:
    """The schema of each kind, with all of its metadata."""
    schemas: dict[str, Mapping[str, Any]] = {}
    for crd in crds():
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        properties = {key: value for key, value in schema["properties"].items() if key != "status"}
        object_fields = {"apiVersion": {}, "metadata": _METADATA}
        schemas[crd["spec"]["names"]["kind"]] = schema | {"properties": properties | object_fields}
    return schemas
