"""Checks a value against a JSON Schema; the tool layer (`tools`) asks before each call.

Only the keywords below are known. Any other one is refused when the bundle is read, since a keyword that is
skipped in silence would let calls pass that the tool's author wanted stopped.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]


def _is_integer(value: object) -> bool:
    """1.0 is an integer in JSON Schema, True is none."""
    return not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    )


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float)


_TYPES: Final[dict[str, Callable[[object], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": _is_integer,
    "number": _is_number,
}
_CHECKED: Final = frozenset({"type", "required", "properties", "additionalProperties", "enum"})
_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "$schema"})


def unknown_keywords(schema: Schema, path: str = "") -> list[str]:
    """Return the paths of all keywords that `problems` would not check, in the schema's order."""
    found = [f"{path}/{key}" for key in schema if key not in _CHECKED | _ANNOTATIONS]
    if not isinstance(schema.get("type", "object"), str) or schema.get("type", "object") not in _TYPES:
        found.append(f"{path}/type")
    if not isinstance(schema.get("additionalProperties", True), bool):
        found.append(f"{path}/additionalProperties")
    for name, inner in schema.get("properties", {}).items():
        found += unknown_keywords(inner, f"{path}/properties/{name}")
    return found


def problems(schema: Schema, value: object, path: str = "") -> list[str]:
    """Say what is wrong with the value, one sentence each; an empty list means that it fits."""
    where = path or "the arguments"
    if "type" in schema and not _TYPES[schema["type"]](value):
        return [f"{where} must be of type {schema['type']}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} must be one of {', '.join(map(str, schema['enum']))}")
    if isinstance(value, dict):
        found += _object_problems(schema, value, path)
    return found


def _object_problems(schema: Schema, value: Mapping[str, object], path: str) -> list[str]:
    prefix = f"{path}." if path else ""
    known = schema.get("properties", {})
    found = [f"{prefix}{name} is missing" for name in schema.get("required", ()) if name not in value]
    if schema.get("additionalProperties") is False:
        found += [f"{prefix}{name} is not a parameter" for name in value if name not in known]
    for name, inner in known.items():
        if name in value:
            found += problems(inner, value[name], f"{prefix}{name}")
    return found
