"""Lines about the releases that serve or should serve, and the route between them."""

from collections.abc import Iterator
from typing import Final

from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.conditions import STALLED, TRAFFIC_APPLIED, find_condition
from agentrollouts.core.traffic.endpoints import has_ready_endpoint
from agentrollouts.insight.check.lines import Found, Line, Manifest, Mark, Seen, condition, said, unread

SERVICE_OF: Final = "kubernetes.io/service-name"
DOWN: Final = "docs/runbooks/AgentRolloutsDown.md"
_REFUSED: Final = frozenset({Reason.FORBIDDEN, Reason.WRITE_REFUSED})
_KNOWN: Final = frozenset({ConditionStatus.TRUE, ConditionStatus.FALSE})
CONFIRMING: Final = ("Accepted", "ResolvedRefs")


def releases(seen: Seen, rollout: AgentRollout) -> Iterator[Line]:
    """The desired release, the snapshots, and the Services."""
    yield _is_read(rollout)
    yield from _stalled(rollout)
    yield from _desired(seen, rollout)
    for name in services(seen, rollout):
        yield from _service(seen, name)
    yield from _unwatched(rollout)


def _is_read(rollout: AgentRollout) -> Line:
    if rollout.status.observed_generation >= rollout.metadata.generation:
        return Line(Mark.GOOD, "the operator has read the newest spec")
    remedy = f"wait for a moment; if this stays, see {DOWN}"
    return Line(Mark.WARNING, "the operator has not read the newest spec", remedy)


def _stalled(rollout: AgentRollout) -> Iterator[Line]:
    """What only a person can resolve. A write that is refused is a problem; another wait can be meant."""
    found = find_condition(rollout.status.conditions, STALLED)
    if found is None or found.status is not ConditionStatus.TRUE:
        return
    mark = Mark.PROBLEM if found.reason in _REFUSED else Mark.WARNING
    sentence = f"the rollout waits for a person: {found.reason}: {found.message}"
    yield Line(mark, sentence, "see docs/runbooks/AgentRolloutNeedsYou.md")


def snapshots(seen: Seen, rollout: AgentRollout) -> Iterator[str]:
    """ConfigMaps with the bundles of the desired release and of those that serve."""
    desired = seen.kinds.get("AgentRelease", Found()).objects.get(rollout.spec.release_ref.name) or {}
    own = ((desired.get("status") or {}).get("snapshot") or {}).get("name")
    records = (rollout.status.canary, rollout.status.stable)
    yield from dict.fromkeys([*([own] if own else []), *(each.snapshot for each in records if each)])


def services(seen: Seen, rollout: AgentRollout) -> Iterator[str]:
    """Services in front of these releases, if a route splits the traffic."""
    if not rollout.spec.traffic.by_route:
        return
    desired = seen.kinds.get("AgentRelease", Found()).objects.get(rollout.spec.release_ref.name) or {}
    front = ((desired.get("spec") or {}).get("serving") or {}).get("service") or {}
    own = front.get("name") if front.get("kind", "Service") == "Service" else None
    records = (rollout.status.canary, rollout.status.stable)
    known = [each.service_name for each in records if each]
    yield from dict.fromkeys(name for name in (own, *known) if name)


def _unwatched(rollout: AgentRollout) -> Iterator[Line]:
    """Releases behind another kind of backend; what the gateway says about it is said of the route."""
    for each in (rollout.status.canary, rollout.status.stable):
        if rollout.spec.traffic.by_route and each and each.service and not each.service.is_service:
            sentence = f"{each.service} of {each.release} is not a Service, so its endpoints are not read"
            yield Line(Mark.UNKNOWN, sentence)


def _desired(seen: Seen, rollout: AgentRollout) -> Iterator[Line]:
    name = rollout.spec.release_ref.name
    found = seen.find("AgentRelease", name, "create it, or correct spec.releaseRef; see docs/releases.md")
    if isinstance(found, Line):
        yield found
    else:
        ready = condition(found, "Ready")
        if ready.get("status") == "True":
            yield Line(Mark.GOOD, f"{name} is Ready")
        elif ready:
            remedy = "create a corrected release; see docs/releases.md"
            yield Line(Mark.PROBLEM, f"{name} is not Ready: {said(ready)}", remedy)
        else:
            yield Line(Mark.UNKNOWN, f"the operator has not said yet whether {name} is Ready")
    for snapshot in snapshots(seen, rollout):
        remedy = "create the AgentRelease again, so that the operator writes it; see docs/releases.md"
        one = seen.find("ConfigMap", snapshot, remedy)
        yield one if isinstance(one, Line) else Line(Mark.GOOD, f"the snapshot {snapshot} exists")


def _service(seen: Seen, name: str) -> Iterator[Line]:
    found = seen.find("Service", name, "create it; see docs/routers.md")
    if isinstance(found, Line):
        yield found
        return
    slices = seen.kinds.get("EndpointSlice", Found(problem="they were not read"))
    own = [each for each in slices.objects.values() if _labels(each).get(SERVICE_OF) == name]
    if any(has_ready_endpoint(each) for each in own):
        yield Line(Mark.GOOD, f"Service {name} has a ready endpoint")
    elif slices.problem:
        yield Line(Mark.UNKNOWN, unread(f"the endpoints of Service {name}", slices.problem))
    else:
        remedy = "start its pods, or correct its selector; see docs/routers.md"
        yield Line(Mark.PROBLEM, f"Service {name} has no ready endpoint", remedy)


def _labels(manifest: Manifest) -> Manifest:
    return (manifest.get("metadata") or {}).get("labels") or {}


def route_of(rollout: AgentRollout) -> tuple[str, str] | None:
    """Kind and name of the route that splits the requests; None if agents do it themselves."""
    traffic = rollout.spec.traffic
    if traffic.route_patch:
        return "HTTPRoute", traffic.route_patch.name
    if traffic.own_route:
        return ("GRPCRoute" if traffic.grpc_route else "HTTPRoute"), rollout.metadata.name
    return None


def route(seen: Seen, rollout: AgentRollout) -> Iterator[Line]:
    """What each parent says about the route, and what the operator says about the weights."""
    lines = list(_route(seen, rollout))
    yield from lines
    applied = find_condition(rollout.status.conditions, TRAFFIC_APPLIED)
    if (
        applied
        and applied.status is ConditionStatus.FALSE
        and all(each.mark is not Mark.PROBLEM for each in lines)
    ):
        mark = Mark.WARNING if applied.reason == Reason.APPLYING else Mark.PROBLEM
        sentence = f"the weights are not in effect: {applied.reason}: {applied.message}"
        yield Line(mark, sentence, "see docs/routers.md")


def _route(seen: Seen, rollout: AgentRollout) -> Iterator[Line]:
    which = route_of(rollout)
    if which is None:
        return
    kind, name = which
    found = seen.find(kind, name, "see the condition TrafficApplied of the rollout, and docs/routers.md")
    traffic = rollout.spec.traffic
    if isinstance(found, Line):
        applied = find_condition(rollout.status.conditions, TRAFFIC_APPLIED)
        is_early = found.mark is Mark.PROBLEM and not (applied and applied.status in _KNOWN)
        early = Line(Mark.UNKNOWN, f"{kind} {name} is not written before the first attempt begins")
        yield early if is_early and traffic.own_route else found
        return
    spec = traffic.own_route or traffic.route_patch
    if spec and spec.statusless:
        yield Line(Mark.UNKNOWN, f"{kind} {name} is `statusless`, so no gateway reports on it")
        return
    for parent in (found.get("spec") or {}).get("parentRefs") or ():
        yield _parent(f"{kind} {name}", parent, (found.get("status") or {}).get("parents") or ())


def _parent(route_name: str, parent: Manifest, reports: tuple[Manifest, ...]) -> Line:
    """What the controllers of one parent say."""
    keys = ("kind", "namespace", "name", "sectionName", "port")
    own = [one for one in reports if _is_same(parent, one.get("parentRef") or {}, keys)]
    title = f"{parent.get('kind') or 'Gateway'} {parent.get('name')}"
    conditions = [each for one in own for each in one.get("conditions") or ()]
    remedy = "allow this namespace, hostname and kind at its listener; see docs/routers.md"
    for each in conditions:
        if each.get("type") in CONFIRMING and each.get("status") == "False":
            verb = "did not accept" if each["type"] == CONFIRMING[0] else "cannot resolve a backend of"
            return Line(Mark.PROBLEM, f"{title} {verb} {route_name}: {said(each)}", remedy)
    confirmed = {each.get("type") for each in conditions if each.get("status") == "True"}
    if set(CONFIRMING) <= confirmed:
        return Line(Mark.GOOD, f"{title} accepted {route_name} and resolved its backends")
    why = "its controller is not done" if own else "it does not exist, or no controller serves it"
    remedy = "look at the parent and its controller; see docs/routers.md"
    return Line(Mark.PROBLEM, f"{title} has not accepted {route_name}: {why}", remedy)


def _is_same(parent: Manifest, reported: Manifest, keys: tuple[str, ...]) -> bool:
    """Whether a report is about this parent; what either leaves out has a default."""
    return all(key not in parent or key not in reported or parent[key] == reported[key] for key in keys)
