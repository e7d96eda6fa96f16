"""JSON patches (RFC 6902) as the API server applies them, as far as the operator writes any."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

Json = Any  # a tree of JSON values


class TestFailedError(Exception):
    """A `test` of the patch failed, so nothing of it was done."""

    __test__ = False  # no test class


def patched(document: Mapping[str, Any], operations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The document after all operations. Raises `TestFailedError`."""
    result: dict[str, Any] = copy.deepcopy(dict(document))
    for operation in operations:
        *above, last = [_unescaped(step) for step in operation["path"].split("/")[1:]]
        parent: Json = result
        for step in above:
            parent = parent[int(step) if isinstance(parent, list) else step]
        _DO[operation["op"]](parent, int(last) if isinstance(parent, list) else last, operation.get("value"))
    return result


def _test(parent: Json, key: Json, value: Json) -> None:
    is_there = isinstance(parent, list) or key in parent
    if (parent[key] if is_there else None) != value:
        raise TestFailedError(f"{key}: {parent} is not {value}")


def _add(parent: Json, key: Json, value: Json) -> None:
    if not isinstance(parent, dict):
        raise TypeError("The operator adds nothing to lists")
    parent[key] = copy.deepcopy(value)


def _remove(parent: Json, key: Json, _: Json) -> None:
    del parent[key]


_DO = {"test": _test, "add": _add, "remove": _remove}


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
