"""From frozen values to JSON, by their fields."""

import math
from dataclasses import fields
from datetime import datetime
from typing import Any

from pydantic.alias_generators import to_camel

from agentrollouts.api.model.base import written_time


def as_json(value: Any) -> dict[str, Any]:  # noqa: ANN401 any dataclass
    """The fields of a dataclass that have a value, under camelCase names."""
    named = ((to_camel(field.name), _written(getattr(value, field.name))) for field in fields(value))
    return {name: each for name, each in named if each is not None}


def _written(value: Any) -> Any:  # noqa: ANN401 any JSON
    match value:
        case tuple():
            return [_written(each) for each in value]
        case datetime():
            return written_time(value)
        case float() if not math.isfinite(value):
            return None
        case str():
            return str(value)
        case None | bool() | int() | float():
            return value
    return as_json(value)
