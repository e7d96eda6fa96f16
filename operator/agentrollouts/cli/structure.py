"""Checks an object against the structural schema of its kind, and fills in the defaults of that schema.

One half of `cli.admission`. The keywords of a CustomResourceDefinition are mostly those of JSON Schema, so
`jsonschema` evaluates them. Pruning, defaulting and list types are Kubernetes' own, and are here.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime
from functools import partial
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from agentrollouts.cli.mistakes import place

Schema = Mapping[str, Any]
Path = tuple[str | int, ...]

_FORMATS: Final = FormatChecker(formats=())
_SIZES: Final = {"int32": 2**31, "int64": 2**63}
_TYPES: Final = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
}


def with_defaults(value: Any, schema: Schema) -> Any:  # noqa: ANN401 any JSON
    """A copy of a value as the API server stores it: a known field that is null or absent has its default."""
    if isinstance(value, list):
        return [with_defaults(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    filled = {key: child for key, child in value.items() if child is not None or key not in properties}
    for name, child in properties.items():
        if "default" in child:
            filled.setdefault(name, deepcopy(child["default"]))
    return {key: with_defaults(child, properties.get(key, others)) for key, child in filled.items()}


def unknown_fields(value: Any, schema: Schema, path: Path = ()) -> Iterator[str]:  # noqa: ANN401 any JSON
    """Each field that the schema does not have, as `kubectl --validate=strict` refuses them."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_fields(item, schema.get("items", {}), (*path, index))
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    if not properties and others is None and schema.get("type") == "object":
        return  # an object without fields of its own, such as metadata
    for key, child in value.items():
        if key in properties or others is not None:
            yield from unknown_fields(child, properties.get(key, others), (*path, key))
        elif schema.get("type") == "object":
            near = difflib.get_close_matches(str(key), properties, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(properties)}"
            yield f"{place((*path, key))}: unknown field; {remedy}"


def violations(value: Any, schema: Schema) -> Iterator[str]:  # noqa: ANN401 any JSON
    """Each rule of the schema that a value breaks, list types included and CEL left out."""
    for error in sorted(_Validator(schema, format_checker=_FORMATS).iter_errors(value), key=_order):
        yield from _sentences(error)
    yield from _repetitions(value, schema, ())


def _order(error: ValidationError) -> tuple[str, ...]:
    return tuple(map(str, error.absolute_path))


def _sentences(error: ValidationError) -> Iterator[str]:
    """What is wrong, in the words of the API server, and what to do."""
    path, value, expected = tuple(error.absolute_path), error.instance, error.validator_value
    where, shown = place(path), json.dumps(error.instance, ensure_ascii=True)[:80]
    match error.validator:
        case "required":
            missing = [name for name in expected if name not in value]
            names = [name for name in missing if f"'{name}'" in error.message]
            yield from (f"{place((*path, name))}: Required value; add it" for name in names)
        case "type":
            actual = "null" if value is None else _TYPES.get(type(value), type(value).__name__)
            yield f"{where}: Invalid value: must be of type {expected}, not {actual}; correct it"
        case "enum":
            yield f"{where}: Unsupported value: {shown}; write one of {', '.join(map(str, expected))}"
        case "oneOf":
            choices = [name for each in expected for name in each.get("required", ())]
            yield (
                f'{where}: Invalid value: "{where}" must validate one and only one schema (oneOf); '
                f"give exactly one of {', '.join(choices)}"
            )
        case "minItems":
            yield f"{where}: Invalid value: {where} in body should have at least {expected} items; add some"
        case "maxItems":
            yield f"{where}: Too many: {len(value)}; must have at most {expected} items"
        case "maxLength":
            yield f"{where}: Too long: {len(value)} characters; must have at most {expected}"
        case "pattern":
            yield f"{where}: Invalid value: {shown}; must match {expected}"
        case "minimum" | "maximum":
            side = "greater" if error.validator == "minimum" else "less"
            yield f"{where}: Invalid value: {shown}; must be {side} than or equal to {expected}"
        case _:
            yield f"{where}: Invalid value: {shown}; {error.validator} must be {expected}"


def _repetitions(value: Any, schema: Schema, path: Path) -> Iterator[str]:  # noqa: ANN401 any JSON
    """Items that a list of type map or set has twice."""
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, child in value.items():
            yield from _repetitions(child, properties.get(key, others), (*path, key))
    if not isinstance(value, list):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        identity = _identity(item, schema)
        if identity in seen:
            yield f"{place((*path, index))}: Duplicate value: {identity}; remove or rename one"
        if identity is not None:
            seen.add(identity)
        yield from _repetitions(item, schema.get("items", {}), (*path, index))


def _identity(item: Any, schema: Schema) -> str | None:  # noqa: ANN401 any JSON
    match schema.get("x-kubernetes-list-type"):
        case "set":
            return json.dumps(item, sort_keys=True)
        case "map" if isinstance(item, dict):
            keys: Sequence[str] = schema["x-kubernetes-list-map-keys"]
            return json.dumps({key: item.get(key) for key in keys}, sort_keys=True)
        case _:
            return None


def _pattern(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    """RE2 knows no Unicode classes here, and its `$` is the end of the text, not a line break before it."""
    if isinstance(value, str) and not re.search(_anchored(pattern), value, re.ASCII):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _anchored(pattern: str) -> str:
    """The pattern with the end of the text for each `$` that is not one of a set of characters."""
    return re.sub(r"(\\.|\[(?:\\.|[^\]\\])*\])|\$", lambda found: found[1] or r"\Z", pattern)


_Validator: Final[Any] = extend(Draft202012Validator, {"pattern": _pattern})


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or (len(value) == len("2026-08-01") and bool(date.fromisoformat(value)))


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def _fits(form: str, value: object) -> bool:
    return not isinstance(value, int) or -_SIZES[form] <= value < _SIZES[form]


_FORMATS.checks("date", raises=ValueError)(_is_date)
_FORMATS.checks("date-time", raises=ValueError)(_is_time)
_FORMATS.checks("int32")(partial(_fits, "int32"))
_FORMATS.checks("int64")(partial(_fits, "int64"))
