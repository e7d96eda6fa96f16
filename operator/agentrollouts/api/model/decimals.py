"""Numbers with a fraction: strings in the API, floats in Python.

JSON numbers lose digits on their way through different readers, so the API has no floats. There are two
forms: users write plain digits; a measured number can have an exponent, since evidence grows that large.
"""

import math
from decimal import Decimal
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from agentrollouts.api.model.marks import cel, rules


def _read_decimal(value: object) -> object:
    return float(value) if isinstance(value, str) else value


def _write_decimal(value: float) -> str:
    """All digits that distinguish the float from its neighbors, without an exponent."""
    return format(Decimal(repr(value + 0.0)), "f").removesuffix(".0")


def _rounded(value: float) -> float:
    """The same number, clamped to the extremes that the bounded text can express."""
    return min(value, _LARGEST) if value >= _SMALLEST else 0.0


def _write_measured(value: float) -> str:
    """The shortest text that reads back as the same float."""
    return repr(value).removesuffix(".0")


def _absent_if_infinite(value: object) -> object:
    return None if isinstance(value, float) and math.isinf(value) else value


_LARGEST: Final = 9e307
_SMALLEST: Final = 1e-300

DecimalStr = Annotated[
    float,
    Field(allow_inf_nan=False, ge=0),
    BeforeValidator(_read_decimal),
    PlainSerializer(_write_decimal, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": 32, "pattern": r"^[0-9]+(\.[0-9]+)?$"}),
]
"""A nonnegative number, written as a decimal string ("1.10"), since the API has no floats."""

Measured = Annotated[
    float,
    Field(allow_inf_nan=False, ge=0),
    BeforeValidator(_read_decimal),
    AfterValidator(_rounded),
    PlainSerializer(_write_measured, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 32,
            "pattern": r"^([0-9]+(\.[0-9]+)?|[0-9](\.[0-9]+)?e[+-]?([12]?[0-9]{1,2}|30[0-7]))$",
        }
    ),
]
"""A measured number in a status: a `DecimalStr` that can have an exponent ("2.4e+16")."""

MaybeMeasured = Annotated[Measured | None, BeforeValidator(_absent_if_infinite)]
"""A measured number that is absent if it is infinite or unknown. NaN is rejected, since it is a bug."""


class Between:
    """Inclusive bounds of a `DecimalStr`, enforced in Python and, as a CEL rule, by the API server."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        rule = f"double(self) >= {float(self.low)} && double(self) <= {float(self.high)}"
        return handler(schema) | rules(cel(rule, self._message()))

    def _check(self, value: float) -> float:
        if not self.low <= value <= self.high:
            raise ValueError(self._message())
        return value

    def _message(self) -> str:
        return f"must be a decimal between {_write_decimal(self.low)} and {_write_decimal(self.high)}"
