"""Whether anyone answers behind the Services of stable and canary while an attempt has traffic.

Three answers are possible: True, False (proved by the API server), and None. What is not known never rolls
back, and never ends what was proved.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.containment.detour import on_standby
from agentrollouts.core.effects import Manifest
from agentrollouts.core.states import is_progressing
from agentrollouts.core.traffic import gateways
from agentrollouts.core.traffic.latch import is_latched
from agentrollouts.core.traffic.observed import Observed
from agentrollouts.core.traffic.weights import FULL


def splits(spec: AgentRolloutSpec, status: AgentRolloutStatus) -> bool:
    """Whether an attempt has a share of the requests that a route sends to a Service."""
    attempt = status.attempt
    is_routed = spec.traffic.by_route and is_progressing(status) and not is_latched(status)
    return is_routed and attempt is not None and attempt.weight > 0 and status.canary is not None


def services(spec: AgentRolloutSpec, status: AgentRolloutStatus) -> frozenset[str]:
    """The Services whose endpoints decide; none at rest, and none during a rollback."""
    standby = on_standby(status) if spec.traffic.by_route else None
    records = (status.stable, status.canary) if splits(spec, status) else ()
    return service_names((standby, *records))


def service_names(records: Iterable[ReleaseRecord | None]) -> frozenset[str]:
    """The Services of these releases; nothing is known of the endpoints of another kind of backend."""
    names = (record.service_name for record in records if record)
    return frozenset(name for name in names if name is not None)


def is_ready(obs: Observed, record: ReleaseRecord | None) -> bool | None:
    """Whether a release has a ready endpoint; None if it has no Service, or if that is unknown."""
    name = record.service_name if record else None
    return None if name is None else obs.endpoints.get(name)


def canary_answers(obs: Observed, status: AgentRolloutStatus, report: gateways.Report) -> bool | None:
    """Whether the canary can answer requests: it has a ready endpoint, and gateways find its Service.

    Without a Service, that gateways find its backend is all that can be known.
    """
    if next(unresolved(obs, status, report), None):
        return False
    if status.canary and status.canary.service and status.canary.service_name is None:
        return True if report.problem is None else None
    return is_ready(obs, status.canary)


def stable_answers(obs: Observed, status: AgentRolloutStatus, report: gateways.Report) -> bool | None:
    """Whether stable can answer requests; also None if it has no share, since it then gets no requests."""
    if status.attempt is None or status.attempt.weight >= FULL:
        return is_ready(obs, status.stable) if is_ready(obs, status.canary) is False else None
    service = status.stable.service if status.stable else None
    if service and any(gateways.names(text, service.name) for text in report.unresolved):
        return False
    return is_ready(obs, status.stable)


def unresolved(obs: Observed, status: AgentRolloutStatus, report: gateways.Report) -> Iterator[str]:
    """What gateways say about the canary's Service that they cannot find.

    In our own route, a sentence that does not name a Service is about the canary, since stable was served
    before it. In a route that someone else owns, it can be about any other rule.
    """
    canary, stable = (
        record.service.name if record and record.service else None
        for record in (status.canary, status.stable)
    )
    is_ours = obs.rollout.spec.traffic.own_route is not None
    for text in report.unresolved:
        names_stable = stable is not None and gateways.names(text, stable)
        if canary and (gateways.names(text, canary) or (is_ours and not names_stable)):
            yield text


def noted(obs: Observed, status: AgentRolloutStatus, report: gateways.Report) -> AgentRolloutStatus:
    """The status with the time since which the canary alone is without a ready endpoint.

    The time begins when that is first seen. Where stable has no ready endpoint either the cause is not the
    canary, and no time passes.
    """
    attempt = status.attempt
    if attempt is None:
        return status
    lost = attempt.endpoints_lost_time
    if not splits(obs.rollout.spec, status):
        lost = None
    else:
        match canary_answers(obs, status, report), stable_answers(obs, status, report):
            case True, _:
                lost = None
            case False, False:
                lost = None
            case False, _:
                lost = lost or obs.now
            case _:
                pass
    if lost == attempt.endpoints_lost_time:
        return status
    return status.copy_with(attempt=attempt.copy_with(endpoints_lost_time=lost))


def grace(spec: AgentRolloutSpec) -> timedelta:
    """How long the canary may be without a ready endpoint."""
    return timedelta(seconds=spec.analysis.endpoint_grace_seconds)


def has_ready_endpoint(endpoint_slice: Manifest) -> bool:
    """Whether an EndpointSlice has one: as its API says, unknown counts as ready unless it is terminating."""
    return any(
        _is_endpoint_ready(each.get("conditions") or {}) for each in endpoint_slice.get("endpoints") or ()
    )


def _is_endpoint_ready(conditions: Mapping[str, bool | None]) -> bool:
    ready = conditions.get("ready")
    return not conditions.get("terminating") if ready is None else ready
