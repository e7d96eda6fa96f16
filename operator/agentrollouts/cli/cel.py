"""Evaluates the CEL rules of a schema (`x-kubernetes-validations`) on an object.

One half of `cli.admission`. Rules about a change (`oldSelf`) are left out: a file has no earlier version.
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


def broken_rules(value: Any, schema: Schema, path: Path = ()) -> Iterator[str]:  # noqa: ANN401 any JSON
    """Each rule that does not hold, by the field that it blames.

    Args:
        value: An object with its defaults, which the schema's other keywords accept.
        schema: Its structural schema.
        path: Where in the whole object it is.
    """
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"]:
            continue
        blamed = (*path, *filter(None, rule.get("fieldPath", "").split(".")))
        where = place(blamed) or rule["message"].split("`")[1]  # a rule of the whole object names its field
        try:
            holds = evaluate(rule["rule"], self=_visible(value, schema))
        except CELEvalError as error:
            yield f"{where}: Invalid value: {rule['message']} (rule failed: {error.args[0]})"
        else:
            if not holds:
                yield f"{where}: Invalid value: {rule['message']}"
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, child in value.items():
            yield from broken_rules(child, properties.get(key, others), (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from broken_rules(item, schema.get("items", {}), (*path, index))


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
