"""Fields and conditions that a kubectl command names, beside the schema of the kind that it reads."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentrollouts.api.crd.manifest import crds
from agentrollouts.api.people.freeze import ACTIVE
from agentrollouts.core import conditions

_SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    word: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in crds()
    for names in [crd["spec"]["names"]]
    for word in (names["plural"], names["singular"], *names.get("shortNames", ()))
}
"""By each name of a kind of ours."""
_CONDITIONS: Final = {value for name, value in vars(conditions).items() if name.isupper()} | {ACTIVE}
_PART: Final = re.compile(r"\.([\w-]+|\*)|\[([^\]]*)\]")
_TYPE: Final = re.compile(r'\?\(@\.type=="(\w+)"\)')


def wrong_paths(arguments: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with JSON paths and conditions of a command about objects of ours."""
    schema = next((_SCHEMAS[word] for word in map(_kind, arguments) if word in _SCHEMAS), None)
    if schema is None:
        return
    for argument in arguments:
        for path in _paths(argument):
            yield from (f"{path}: {problem}" for problem in _wrong_path(schema, path))
        if match := re.search(r"condition=(\w+)", argument):
            yield from _unknown(match[1])


def _kind(word: str) -> str:
    return word.partition("/")[0]


def _paths(argument: str) -> Iterator[str]:
    if "custom-columns=" in argument:
        columns = argument.partition("custom-columns=")[2].split(",")
        yield from (column.partition(":")[2] for column in columns)
    elif "jsonpath=" in argument:
        yield from re.findall(r"\{([^}]*)\}", argument)


def _wrong_path(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    at = schema
    for match in _PART.finditer(path):
        name, item = match.groups()
        if item is not None:
            if at.get("type") != "array":
                yield "an item of what is not a list"
                return
            at = at["items"]
            if condition := _TYPE.fullmatch(item):
                yield from _unknown(condition[1])
            continue
        if at is schema and name == "metadata":
            return
        if name not in at.get("properties", {}):
            yield f"{name} is not a field"
            return
        at = at["properties"][name]


def _unknown(condition: str) -> Iterator[str]:
    if condition not in _CONDITIONS:
        yield f"{condition} is not a condition"
