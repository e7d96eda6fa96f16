"""JSON as RFC 8785 has it: one meaning for every reader, or none.

Python takes the last of two values with the same name and reads NaN. Another reader takes the first, so that
one text would be two records.
"""

import json
from typing import Any, NoReturn

from agentrollouts.api.model.text import writable

LARGEST = 2**53
"""Below this, each integer is a number of its own for every reader."""
_SHOWN = 120
"""Characters of a name that a sentence repeats."""


def read_json(text: str) -> Any:  # noqa: ANN401 any JSON
    """The value of a text.

    Raises:
        ValueError: it is not JSON, repeats a name in an object, or has NaN or infinity.
        RecursionError: it is too deep.
    """
    return DECODER.decode(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {writable(name, _SHOWN)!r} is twice in one object")
        found[name] = value
    return found


def _number(text: str) -> float:
    """A number as RFC 8785 has it, where `2.0` is 2: tools that know no integers write it so."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < LARGEST else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_number)
"""Reads one value; its `raw_decode` reads the first of several."""
