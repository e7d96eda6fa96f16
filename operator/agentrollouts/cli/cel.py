"""Evaluates the CEL rules of a schema (`x-kubernetes-validations`) on an object.

One half of `cli.admission`. Rules about a change (`oldSelf`) need the object as it was before;
without it they are left out, as the API server does for a new object.
"""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import celpy
from celpy import celtypes
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError

from agentrollouts.cli.mistakes import place

Schema = Mapping[str, Any]
Path = tuple[str | int, ...]
ABSENT: Final = object()
"""Instead of a value that was not there before."""


def broken_rules(
    value: Any,  # noqa: ANN401 any JSON
    schema: Schema,
    path: Path = (),
    before: Any = ABSENT,  # noqa: ANN401 any JSON
) -> Iterator[str]:
    """Each rule that does not hold, by the field that it blames.

    Args:
        value: An object with its defaults, which the schema's other keywords accept.
        schema: Its structural schema.
        path: Where in the whole object it is.
        before: The same object before a change.
    """
    yield from _broken_here(value, schema, path, before)
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, child in value.items():
            was = before.get(key, ABSENT) if isinstance(before, dict) else ABSENT
            yield from broken_rules(child, properties.get(key, others), (*path, key), was)
    if isinstance(value, list):
        for index, item in enumerate(value):
            was = _counterpart(item, before, schema)
            yield from broken_rules(item, schema.get("items", {}), (*path, index), was)


def _broken_here(value: Any, schema: Schema, path: Path, before: Any) -> Iterator[str]:  # noqa: ANN401 any JSON
    """The rules of one node of the schema."""
    for rule in schema.get("x-kubernetes-validations", ()):
        variables = {"self": _visible(value, schema)}
        if "oldSelf" in rule["rule"]:
            if before is ABSENT:
                continue
            variables["oldSelf"] = _visible(before, schema)
        blamed = (*path, *filter(None, rule.get("fieldPath", "").split(".")))
        where = place(blamed) or rule["message"].split("`")[1]  # a rule of the whole object names its field
        try:
            holds = evaluate(rule["rule"], **variables)
        except CELEvalError as error:
            yield f"{where}: Invalid value: {rule['message']} (rule failed: {error.args[0]})"
        else:
            if not holds:
                yield f"{where}: Invalid value: {rule['message']}"


def _counterpart(item: Any, before: Any, schema: Schema) -> Any:  # noqa: ANN401 any JSON
    """The item of a list as it was before. Only items of a list of type map have an identity."""
    keys: Sequence[str] = schema.get("x-kubernetes-list-map-keys", ())
    if not keys or not isinstance(before, list):
        return ABSENT
    return next((each for each in before if all(each.get(key) == item.get(key) for key in keys)), ABSENT)


def _visible(value: Any, schema: Schema) -> Any:  # noqa: ANN401 any JSON
    """What CEL sees of a value: nothing whose type the schema leaves open."""
    if isinstance(value, list):
        return [_visible(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    children = ((key, child, properties.get(key, others)) for key, child in value.items())
    return {key: _visible(child, subschema) for key, child, subschema in children if subschema.get("type")}


def evaluate(expression: str, **variables: Any) -> Any:  # noqa: ANN401 any JSON
    """The value of a CEL expression over JSON values.

    Raises:
        celpy.CELParseError: the expression is not CEL.
        celpy.CELEvalError: it has no value, because a field is missing, for example.
    """
    return _program(expression).evaluate({name: json_to_cel(value) for name, value in variables.items()})


@functools.cache
def _program(expression: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(expression), functions=dict(FUNCTIONS))


_BLANKS: Final = "".join(filter(str.isspace, {*map(chr, range(0x3001))} - {*"\x1c\x1d\x1e\x1f"}))
"""What CEL trims: the characters with the Unicode property White_Space. Python trims four more."""


def _is_sorted(items: Sequence[Any]) -> celtypes.BoolType:
    """One of the functions that Kubernetes adds to CEL."""
    return celtypes.BoolType(all(a <= b for a, b in itertools.pairwise(items)))


def _trim(text: str) -> celtypes.StringType:
    """Another one of them."""
    return celtypes.StringType(text.strip(_BLANKS))


def _lower_ascii(text: str) -> celtypes.StringType:
    """A third one: of all letters, only those of ASCII."""
    return celtypes.StringType("".join(char.lower() if char.isascii() else char for char in text))


FUNCTIONS: Final[Mapping[str, Any]] = {"isSorted": _is_sorted, "lowerAscii": _lower_ascii, "trim": _trim}
"""Functions that Kubernetes adds to CEL, as far as our rules call them."""
