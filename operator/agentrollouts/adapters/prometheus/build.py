"""What kind of server answers the HTTP API of Prometheus, by its build information.

Used by `prometheus`. VictoriaMetrics answers `/api/v1/status/buildinfo` with nothing but the version of
Prometheus whose API it follows (app/vmselect/main.go); Prometheus, Thanos and Mimir also tell how they were
built.
"""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ValidationError

from agentrollouts.adapters.prometheus.envelope import QueryError, QueryErrorKind

AUTO: Final = "Auto"
VICTORIA_METRICS: Final = "VictoriaMetrics"


@dataclass(frozen=True, slots=True)
class Build:
    """What a server reports about its build."""

    is_victoria_metrics: bool


class _Envelope(BaseModel):
    status: Literal["success"]
    data: dict[str, object]


def read_build(body: bytes) -> Build | QueryError:
    """The kind of server behind an answer."""
    try:
        data = _Envelope.model_validate_json(body).data
    except ValidationError:
        return QueryError(QueryErrorKind.MALFORMED, "its build information is not that of the HTTP API")
    is_named = any("victoria" in str(value).lower() for value in data.values())
    return Build(is_named or data.keys() == {"version"})
