"""Plainer forms of a write that the API server refused: the same traffic with less text.

A rollback carries its reason as an annotation, and text can be refused where weights cannot: by a size limit,
by an admission policy, by a proxy. The weights never wait for that. The same holds for a status, without
which an attempt would not move.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from agentrollouts.api.model.text import writable
from agentrollouts.api.names import ANNOTATION_DETOUR, ANNOTATION_ROLLED_BACK
from agentrollouts.core.effects import Effect, Manifest, Patch, Write
from agentrollouts.core.traffic.latch import without_message

_ANNOTATIONS: Final = "/metadata/annotations"
_REASON_LENGTH: Final = 300
"""Characters of the refusal that a bare status shows."""
_TEXTS: Final = frozenset({"message", "verification", "outlook", "source"})
"""Fields of a status that hold sentences; nothing is decided from them."""
_SENTENCES: Final = frozenset({"message", "detourMessage"})
"""The same of a claim."""
_CHAINED: Final = "record"
"""Field of a status whose texts are covered by hashes."""
_NUMBERS: Final = frozenset({"gates", "watched", "caps", "query"})
"""Fields of a status without which an attempt continues; its evidence is then collected again."""

Operations = tuple[Mapping[str, Any], ...]


def bare_forms(effect: Effect) -> tuple[Effect, ...]:
    """The write of a rollback or a detour with the bare mark, without any, and without labels and owners.

    Nothing for any other write.

    The mark is the attempt's number and the trigger, which the operator needs after a restart. Forward writes
    have no plainer form: without their claim they must not be written.
    """
    match effect:
        case Write():
            return tuple(replace(effect, manifest=plain) for plain in _manifests(effect.manifest))
        case Patch(manifest, operations):
            return tuple(Patch(manifest, plain) for plain in _operations(operations))
        case _:
            return ()


def bare_statuses(status: Mapping[str, Any], refusal: str) -> Iterator[Mapping[str, Any]]:
    """The status without its sentences, and then also without the numbers of gates and caps.

    Args:
        status: As JSON.
        refusal: Why the API server refused it; the conditions say so.
    """
    why = writable(refusal, _REASON_LENGTH).encode("ascii", "replace").decode()
    silent = _silent(status)
    message = f"The status is written without details, since the API server refused it: {why}"
    silent["conditions"] = [{**condition, "message": message} for condition in status.get("conditions") or ()]
    yield silent
    yield {key: value for key, value in silent.items() if key not in _NUMBERS}


def _manifests(manifest: Manifest) -> Iterator[Manifest]:
    metadata = manifest["metadata"]
    if {ANNOTATION_ROLLED_BACK, ANNOTATION_DETOUR}.isdisjoint(metadata.get("annotations") or ()):
        return
    yield without_message(manifest)
    yield {**manifest, "metadata": {key: value for key, value in metadata.items() if key != "annotations"}}
    kept = ("name", "namespace", "uid")
    yield {**manifest, "metadata": {key: metadata[key] for key in kept if key in metadata}}


def _operations(operations: Operations) -> Iterator[Operations]:
    marks = [operation for operation in operations if _is_mark(operation)]
    weights = tuple(operation for operation in operations if not _is_annotation(operation))
    if not marks:
        return
    yield tuple(_bare(operation) if operation in marks else operation for operation in operations)
    if weights:
        yield weights


def _is_annotation(operation: Mapping[str, Any]) -> bool:
    return str(operation["path"]).startswith(_ANNOTATIONS)


def _is_mark(operation: Mapping[str, Any]) -> bool:
    """Whether an operation writes the claim of an attempt that was rolled back, or of a detour."""
    if operation["op"] != "add" or not _is_annotation(operation):
        return False
    return not {"rolledBack", "detour"}.isdisjoint(_claim(operation))


def _claim(operation: Mapping[str, Any]) -> dict[str, Any]:
    value = operation["value"]
    text = next(iter(value.values())) if isinstance(value, Mapping) else value
    return dict(json.loads(text))


def _bare(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    claim = {key: value for key, value in _claim(operation).items() if key not in _SENTENCES}
    text = json.dumps(claim, sort_keys=True, separators=(",", ":"))
    value = operation["value"]
    return {**operation, "value": dict.fromkeys(value, text) if isinstance(value, Mapping) else text}


def _silent(value: Any) -> Any:  # noqa: ANN401 any JSON
    if isinstance(value, Mapping):
        return {
            key: item if key == _CHAINED else "" if key in _TEXTS else _silent(item)
            for key, item in value.items()
        }
    return [_silent(item) for item in value] if isinstance(value, list | tuple) else value
