"""What all kinds share: names, the base model and the scalar types of the API.

An object of the API server is parsed once, at the edge, and is a frozen value from then on. The API server
has already enforced the schema, so Python does not repeat rules that only CEL states (see `cel`). Code that
reads a model must handle every value that the types allow.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from agentrollouts.api.model import building
from agentrollouts.api.model.text import writable

SECONDS_MAX: Final = 30 * 24 * 3600
"""The longest time span in a plan: 30 days."""
FIRST_TIME: Final = datetime.min.replace(tzinfo=UTC)
LAST_TIME: Final = datetime.max.replace(tzinfo=UTC)
"""The first and the last time that there is in UTC."""


class ApiModel(BaseModel):
    """Base of every model of the API: frozen, camelCase outside, unknown fields ignored."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=building.has_descriptions,
        defer_build=building.is_deferred,
        extra="ignore",
    )

    def to_json(self) -> dict[str, Any]:
        """The value as the API server expects it: camelCase, JSON types only, None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def replace(self, **changes: object) -> Self:
        """A copy with the named fields changed, each new value validated.

        mypy checks the names and types of the changes, by the plugin in `operator/mypy_replace.py`.

        Raises:
            TypeError: the model has no field of that name.
            pydantic.ValidationError: a new value breaks its field's bounds.
        """
        model = type(self)
        return self.copy_with(**{name: _validator(model, name)(value) for name, value in changes.items()})

    def copy_with(self, **changes: object) -> Self:
        """A copy with the named fields changed, for values that the operator itself computed.

        mypy checks the names and types of the changes, as for `replace`. Bounds are left to the API server: a
        list that became too long must not stop a rollback here.

        Raises:
            TypeError: the model has no field of that name.
        """
        for name in changes:
            _field(type(self), name)
        return self.model_copy(update=changes)


def _field(model: type[BaseModel], name: str) -> FieldInfo:
    field = model.__pydantic_fields__.get(name)  # `model_fields` is a property that does more
    if field is None:
        raise TypeError(f"{model.__name__} has no field {name}")
    return field


@cache
def _validator(model: type[BaseModel], name: str) -> Callable[[Any], Any]:
    """Validates one field by itself; nothing in the API has a rule over several fields in Python."""
    field = _field(model, name)
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(kind).validator.validate_python


def _to_utc(value: datetime) -> datetime:
    """The time in UTC; the nearest one that it has, as the API server accepts 9999-12-31T23:59:59-05:00."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return FIRST_TIME if value.year == 1 else LAST_TIME


def written_time(value: datetime) -> str:
    """A time in UTC as the API writes it."""
    return value.isoformat().replace("+00:00", "Z")


Time = Annotated[
    AwareDatetime,
    AfterValidator(_to_utc),
    PlainSerializer(written_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant in UTC, to the microsecond; RFC 3339 with a `Z` outside."""
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
_OFFSET: Final = r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
WrittenTime = Annotated[
    Time,
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": rf"^[1-9][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_CLOCK}{_OFFSET}$",
        }
    ),
]
"""An instant that a person writes. Of `date-time`, the API server checks neither the year nor the offset."""


def cleaned(limit: int) -> Callable[[object], object]:
    """Bound and clean text, so that text from outside cannot make a status unwritable."""

    def fit(value: object) -> object:
        return writable(value, limit) if isinstance(value, str) else value

    return fit


DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
SEMVER: Final = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"

DnsLabel = Annotated[str, Field(max_length=63, pattern=DNS_LABEL)]
"""The name of a Service, agent, phase or gate."""
ReleaseName = Annotated[str, Field(max_length=63, pattern=DNS_SUBDOMAIN)]
"""The name of an AgentRelease: short enough to be the value of a label."""
ObjectName = Annotated[str, Field(max_length=253, pattern=DNS_SUBDOMAIN)]
"""The name of any other object."""
SemVer = Annotated[str, Field(max_length=64, pattern=SEMVER)]
"""A semantic version, `major.minor.patch`."""
_NUMBER: Final = r"(\*|0|[1-9][0-9]*)"
_SUFFIX: Final = r"(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
_CLAUSE: Final = rf" *(<=?|==?|>=?|!=|\^|~=?)? *{_NUMBER}(\.{_NUMBER}(\.{_NUMBER}{_SUFFIX})?)? *"
VersionRange = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[0-9A-Za-z.,<>=!~^*+ |-]+$",
        json_schema_extra={"pattern": rf"^{_CLAUSE}(,{_CLAUSE})*$"},
    ),
]
"""Accepted versions: comma-separated clauses that must all hold, such as `>=3.0.0,<4.0.0`.

The API server rejects malformed ranges. The model still reads one that was stored before that rule existed.
"""
Digest = Annotated[str, Field(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
"""`sha256:` and 64 hexadecimal digits."""
Hash = Annotated[str, Field(max_length=71, pattern=r"^(sha256:[0-9a-f]{64})?$")]
"""`sha256:` and 64 hexadecimal digits; empty where nothing comes before."""
DetourId = Annotated[str, Field(min_length=8, max_length=8, pattern=r"^[0-9a-f]{8}$")]
"""Eight hexadecimal digits."""
Percent = Annotated[int, Field(ge=1, le=100)]
"""A share that is not nothing."""
ReasonStr = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
"""One CamelCase word of `reasons.Reason`. A string, so that a status written by a newer version can still
be read."""
MAX_MESSAGE: Final = 1024
"""Characters of a message."""
Message = Annotated[str, Field(max_length=MAX_MESSAGE), BeforeValidator(cleaned(MAX_MESSAGE))]
"""A sentence for people, cut at 1,024 characters and cleaned by `text.writable`, never rejected."""
