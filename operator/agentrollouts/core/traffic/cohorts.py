"""The rules of `spec.traffic.httpRoute.cohorts`: requests that one release serves, whatever the weights are.

The judge must not see them, or it would compare other requests. So each rule marks its requests with a
header, which agents copy into a label, and the main rule removes that header: no caller can exempt its runs.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from agentrollouts.api.release import ServiceRef
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.api.traffic import Cohort, Gets
from agentrollouts.core.history import is_drill, is_returning
from agentrollouts.core.traffic.weights import FULL, Split

HEADER: Final = "agent-cohort"
"""Request header with the name of the cohort, for agents."""


def cohort_rules(cohorts: Iterable[Cohort], split: Split) -> Iterator[dict[str, Any]]:
    """A rule for each cohort, with the one release that serves it."""
    for cohort in cohorts:
        record = _server(cohort.gets, split)
        if record is not None and record.service is not None:
            yield {
                "matches": [_match(cohort)],
                "filters": [_filter({"set": [{"name": HEADER, "value": cohort.name}]})],
                "backendRefs": [backend(record.service, FULL)],
            }


def unmarked(cohorts: Iterable[Cohort]) -> Mapping[str, Any]:
    """What the main rule has besides: it removes a header that a caller has set; nothing without cohorts."""
    return {"filters": [_filter({"remove": [HEADER]})]} if tuple(cohorts) else {}


def backend(service: ServiceRef, weight: int) -> dict[str, Any]:
    """A Service, or whatever else serves a release, as a backend of a rule."""
    return {"group": "", "kind": "Service", "weight": weight} | service.to_json()


def _server(gets: Gets, split: Split) -> ReleaseRecord | None:
    """The release that serves a cohort.

    The canary only while it has a share, and not in a drill, which gives it no more than that. Stable even
    while the canary has the whole share, except in a return to a release that was healthy: then stable is
    what is left.
    """
    (stable, _), (canary, weight) = split.sides
    if stable is None or not weight or is_drill(split.status):
        return stable or canary
    is_left = weight == FULL and is_returning(canary, split.status)
    return canary if gets is Gets.CANARY or is_left else stable


def _match(cohort: Cohort) -> dict[str, Any]:
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": cohort.path_prefix or "/"}}
    headers = [{"type": "Exact", "name": header.name, "value": header.value} for header in cohort.headers]
    return match | ({"headers": headers} if headers else {})


def _filter(change: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": dict(change)}
