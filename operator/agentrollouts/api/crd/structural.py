"""From a pydantic model to the structural OpenAPI v3 schema of a CustomResourceDefinition.

pydantic knows types, bounds, defaults and the docstrings of fields. What Kubernetes has in addition (CEL
rules, list types) is declared in the models as `json_schema_extra`. This module merges both into one tree
without references, titles, nulls or anything else that the API server rejects. A keyword that does not fit
into such a tree is an error; it is never dropped.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from agentrollouts.api.model.base import ApiModel

Schema = dict[str, Any]

_RULES: Final = "x-kubernetes-validations"
_INT32_MAX: Final = 2**31 - 1

_COPIED: Final = (
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "oneOf",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    _RULES,
)
"""The keywords of a node in a structural schema, in the order in which they are written."""

_SPECIAL: Final = {
    "$ref",
    "$defs",
    "title",
    "description",
    "const",
    "properties",
    "items",
    "additionalProperties",
}
"""The keywords that are translated."""


class _Generator(GenerateJsonSchema):
    """pydantic's generator, with absence instead of null and with defaults as a user would write them."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def encode_default(self, dft: object) -> object:
        match dft:
            case ApiModel():
                return dft.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
            case tuple():
                return [self.encode_default(item) for item in dft]
            case _:
                return super().encode_default(dft)


def structural(model: type[ApiModel]) -> Schema:
    """The structural schema of a model.

    Raises:
        TypeError: the model has a keyword that a CustomResourceDefinition cannot express.
    """
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    return _node(schema, schema.get("$defs", {}))


def without_defaults(schema: Schema) -> Schema:
    """The same schema without any default: a status is reported, never filled in."""
    return {key: _strip(key, value) for key, value in schema.items() if key != "default"}


def _strip(key: str, value: Any) -> Any:  # noqa: ANN401 - the value of any keyword
    match key:
        case "properties":
            return {name: without_defaults(child) for name, child in value.items()}
        case "items" | "additionalProperties":
            return without_defaults(value)
        case _:
            return value


def _node(node: Schema, defs: Schema) -> Schema:
    node = _resolved(node, defs)
    if unknown := node.keys() - _SPECIAL - set(_COPIED):
        raise TypeError(f"{sorted(unknown)} have no place in a structural schema: {node}")
    if "const" in node:
        node["enum"] = [node["const"]]
    return _described(node) | _copied(node) | _children(node, defs)


def _resolved(node: Schema, defs: Schema) -> Schema:
    """The node in place of its reference. Keywords next to the reference win; rules are combined."""
    if "$ref" not in node:
        return dict(node)
    target = _resolved(defs[node["$ref"].rpartition("/")[2]], defs)
    both = [*target.get(_RULES, ()), *node.get(_RULES, ())]
    return target | node | ({_RULES: both} if both else {})


def _described(node: Schema) -> Schema:
    text = node.get("description")
    return {"description": "\n\n".join(_unwrapped(text.split("\n\n")))} if text else {}


def _unwrapped(paragraphs: Iterable[str]) -> Iterable[str]:
    return (" ".join(paragraph.split()) for paragraph in paragraphs)


def _copied(node: Schema) -> Schema:
    copied: Schema = {key: deepcopy(node[key]) for key in _COPIED if key in node}
    if copied.get("default", ...) in (None, []):
        del copied["default"]
    if copied.get("type") == "integer":
        copied["format"] = "int32" if copied.get("maximum", _INT32_MAX + 1) <= _INT32_MAX else "int64"
    if node.get("additionalProperties") is True:
        copied["x-kubernetes-preserve-unknown-fields"] = True
    if copied.get("type") == "array":
        copied.setdefault("x-kubernetes-list-type", "atomic")
    return copied


def _children(node: Schema, defs: Schema) -> Schema:
    children: Schema = {}
    if node.get("properties"):  # the API server stores no empty ones, so another writer would see a conflict
        children["properties"] = {name: _node(child, defs) for name, child in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if node.get(key, True) is True:  # whatever is in it
            continue
        children[key] = _node(node[key], defs)
    if children.get("items", {}).get("type") == "string":
        children["items"].pop("description", None)  # the description of the list is enough
    return children
