"""JSON that cannot be changed, and that every library still takes for JSON.

A read-only view or a tuple would not do: `json.dumps` refuses the first, and validators of JSON Schema the
second. Copies and pickles are plain, so `copy.deepcopy` returns something that can be changed.
"""

from typing import Any, NoReturn


def freeze(value: Any) -> Any:  # noqa: ANN401 any JSON
    """Return equal JSON in which no object and no array can be changed."""
    if isinstance(value, dict):
        return _Object({key: freeze(inner) for key, inner in value.items()})
    return _Array(map(freeze, value)) if isinstance(value, list) else value


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("The bundle is frozen; change a copy.deepcopy of what you need")


class _Object(dict[str, Any]):
    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (dict(self),)


class _Array(list[Any]):
    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = clear = extend = insert = _refuse
    pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        return list, (list(self),)
