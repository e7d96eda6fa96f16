"""What a Prometheus server said, as values: rows, or the one reason why there is no complete answer.

`prometheus` fetches the bytes and calls this in its worker threads. The format is that of the HTTP API
(Prometheus documentation, "HTTP API", "Format overview"). Everything is checked before any of it is
believed: success, the kind of result, no warnings (Thanos and Mimir announce a partial answer by one,
VictoriaMetrics by `isPartial`), the instant. `infos` are remarks about style and are not looked at. A body
may come from anywhere, so none of its text is repeated in a message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel


class QueryErrorKind(StrEnum):
    """Why there is no answer; also a metric label."""

    UNREACHABLE = "Unreachable"
    """No connection, or our own credentials for it cannot be read."""
    TIMEOUT = "Timeout"
    """Not done within the deadline, here or on the server."""
    REFUSED = "Refused"
    """The server will never answer this query."""
    DENIED = "Denied"
    """The server will not answer us: wrong credentials or a wrong address. The settings are to be corrected,
    not the query."""
    SERVER_ERROR = "ServerError"
    """The server failed or is overloaded."""
    PARTIAL = "Partial"
    """An answer with warnings: something is missing from it."""
    MALFORMED = "Malformed"
    """Not the answer of a Prometheus server to this question."""
    TOO_LARGE = "TooLarge"
    """More bytes than an honest answer can have."""


@dataclass(frozen=True, slots=True)
class QueryError:
    """Why there is no answer, for people; free of anything that the server sent."""

    kind: QueryErrorKind
    message: str
    was_sent: bool = field(default=True, compare=False)
    """False where an earlier failure is repeated and nothing was queried."""


class Row(NamedTuple):
    """One series at one instant."""

    labels: Mapping[str, str]
    value: float
    """May be NaN or infinite."""


@dataclass(frozen=True, slots=True)
class Vector:
    """A complete answer to an instant query; no rows means that nothing matched."""

    at: datetime
    rows: tuple[Row, ...]


class Series(NamedTuple):
    """One series over a range."""

    labels: Mapping[str, str]
    samples: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A complete answer to a range query."""

    series: tuple[Series, ...]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel)


_Sample = tuple[Annotated[float, Field(ge=0, le=253_402_300_799)], str]
"""Time in seconds since 1970, up to the year 9999; value as text."""


class _VectorRow(_Part):
    metric: dict[str, str]
    value: _Sample


class _VectorData(_Part):
    result_type: Literal["vector"]
    result: list[_VectorRow]


class _MatrixRow(_Part):
    metric: dict[str, str]
    values: list[_Sample]


class _MatrixData(_Part):
    result_type: Literal["matrix"]
    result: list[_MatrixRow]


class _Envelope(_Part):
    status: Literal["success"]
    warnings: list[str] | None = None
    is_partial: bool = False
    """What VictoriaMetrics says instead of a warning where a part of its storage did not answer."""


class _VectorEnvelope(_Envelope):
    data: _VectorData


class _MatrixEnvelope(_Envelope):
    data: _MatrixData


class _Refusal(_Part):
    status: Literal["error"]
    error_type: str


E = TypeVar("E", bound=_Envelope)

_HALVES: Final = re.compile(
    rb"((?<!\\)(?:\\\\)*)(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
"""The escape of one half of a surrogate pair: JSON by its grammar, but not a character."""

_CLOCK_TOLERANCE_SECONDS: Final = 1.0
"""Largest difference between the time of a row and the queried instant; the API rounds to milliseconds, old
servers to seconds."""


def read_vector(body: bytes, at: datetime) -> Vector | QueryError:
    """The rows of an answer to an instant query that was evaluated at `at`."""
    envelope = _parse(_VectorEnvelope, body)
    if isinstance(envelope, QueryError):
        return envelope
    for row in envelope.data.result:
        if abs(row.value[0] - at.timestamp()) > _CLOCK_TOLERANCE_SECONDS:
            return _malformed("it is for another time than the requested one; is there a cache in between?")
    try:
        return Vector(at, tuple(Row(row.metric, float(row.value[1])) for row in envelope.data.result))
    except ValueError:
        return _malformed("a value is not a number")


def read_matrix(body: bytes) -> Matrix | QueryError:
    """The series of an answer to a range query."""
    envelope = _parse(_MatrixEnvelope, body)
    if isinstance(envelope, QueryError):
        return envelope
    try:
        return Matrix(tuple(Series(row.metric, _samples(row)) for row in envelope.data.result))
    except ValueError:
        return _malformed("a value is not a number")


def read_refusal(status: int, body: bytes) -> QueryError:
    """What an answer means that is not a success: by the API's own error type, else by the HTTP status."""
    try:
        error_type = _Refusal.model_validate_json(body).error_type
    except ValidationError:
        error_type = ""
    if error_type in _ERROR_TYPES:
        return QueryError(
            _ERROR_TYPES[error_type], f"it responded with HTTP {status} with the error type {error_type}"
        )
    return _by_status(status)


def _samples(row: _MatrixRow) -> tuple[tuple[datetime, float], ...]:
    return tuple((datetime.fromtimestamp(at, UTC), float(value)) for at, value in row.values)


def _parse(form: type[E], body: bytes) -> E | QueryError:
    try:
        envelope = form.model_validate_json(body)
    except ValidationError as error:
        mended = _HALVES.sub(rb"\1\\ufffd", body)
        return _unexpected(form, error, body) if mended == body else _parse(form, mended)
    if envelope.warnings:
        count = len(envelope.warnings)
        return QueryError(
            QueryErrorKind.PARTIAL, f"it returned {count} warning(s), so something might be missing"
        )
    if envelope.is_partial:
        return QueryError(QueryErrorKind.PARTIAL, "it reports a partial result, so something is missing")
    return envelope


def _unexpected(form: type[_Envelope], error: ValidationError, body: bytes) -> QueryError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    match first["loc"]:
        case ():
            return _malformed("it is not JSON, or it ends early")
        case ("status",):
            return read_refusal(HTTPStatus.OK, body)
        case ("data", "resultType"):
            expected = "vector" if form is _VectorEnvelope else "matrix"
            return _malformed(f"the result of the query is not a {expected}")
        case place:
            return _malformed(f"it does not have the form of the HTTP API at {'.'.join(map(str, place[:4]))}")


def _malformed(why: str) -> QueryError:
    return QueryError(QueryErrorKind.MALFORMED, f"its response is unusable: {why}")


_ERROR_TYPES: Final[Mapping[str, QueryErrorKind]] = {
    "bad_data": QueryErrorKind.REFUSED,
    "canceled": QueryErrorKind.TIMEOUT,
    "execution": QueryErrorKind.REFUSED,
    "internal": QueryErrorKind.SERVER_ERROR,
    "not_acceptable": QueryErrorKind.REFUSED,
    "not_found": QueryErrorKind.REFUSED,
    "timeout": QueryErrorKind.TIMEOUT,
    "unavailable": QueryErrorKind.SERVER_ERROR,
}
"""The error types that Prometheus documents in web/api/v1 of its source; other texts are not repeated."""


_ADVICE: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: ": check bearerTokenFile and headers in the settings",
    HTTPStatus.FORBIDDEN: ": check bearerTokenFile and headers in the settings",
    HTTPStatus.NOT_FOUND: ": there is no query API at this address; check url in the settings",
    HTTPStatus.TOO_MANY_REQUESTS: ": it receives too many requests",
}


def _by_status(status: int) -> QueryError:
    said = f"it responded with HTTP {status}{_ADVICE.get(status, '')}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return QueryError(QueryErrorKind.SERVER_ERROR, said)
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return QueryError(QueryErrorKind.REFUSED, said)
    if status >= HTTPStatus.BAD_REQUEST:
        return QueryError(QueryErrorKind.DENIED, said)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        cure = "a redirect, which is not followed; put the final address into url in the settings"
        return QueryError(QueryErrorKind.DENIED, f"{said}, {cure}")
    return QueryError(QueryErrorKind.MALFORMED, f"{said}, but not in the form of the HTTP API")
