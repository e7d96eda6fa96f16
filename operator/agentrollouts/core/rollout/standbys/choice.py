"""Which standby can serve in the place of stable: the first that is proven and has a ready endpoint.

A standby is proven if it was Healthy once, if it passed a drill, or if it differs from stable only by tools
and permissions that were removed. Endpoints are those of a rollback target at rest: unknown is better than
none.
"""

from collections.abc import Iterator

from agentrollouts.api.gates import OnFail
from agentrollouts.api.recovery.standby import Standby
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.containment.detour import on_standby
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import has_failed_drill, has_passed_drill, was_healthy
from agentrollouts.core.release.diff import only_narrows
from agentrollouts.core.release.snapshot import releases_of
from agentrollouts.core.rollout.desired import missing_service, standby_record
from agentrollouts.core.rollout.rollback_target import altered_snapshot
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.traffic.endpoints import is_ready


def find(s: Situation, gate: str | None = None) -> ReleaseRecord | None:
    """The first standby with a ready endpoint; if none is known, the first that might have one.

    Args:
        s: A rollout at rest.
        gate: A gate that the standby must name; None for any.
    """
    able = tuple(fit(s, gate))
    if not s.spec.traffic.by_route:
        return next(iter(able), None)
    ready = next((record for record in able if is_ready(s.obs, record)), None)
    return ready or next((record for record in able if is_ready(s.obs, record) is None), None)


def fit(s: Situation, gate: str | None = None) -> Iterator[ReleaseRecord]:
    """The standbys that could serve, whether or not they have a ready endpoint; not the one that does."""
    serving = on_standby(s.status)
    for each in s.spec.standby:
        record = standby_record(s.obs, each.release_ref.name)
        if isinstance(record, Problem) or not (gate is None or gate in each.gates):
            continue
        if unfit(s, each) is None and (serving is None or serving.digest != record.digest):
            yield record


def servable(s: Situation) -> Iterator[ReleaseRecord]:
    """The standbys that could get traffic, proven or not: a drill shows which are."""
    for each in s.spec.standby:
        record = standby_record(s.obs, each.release_ref.name)
        if isinstance(record, ReleaseRecord) and _unservable(s, record) is None:
            yield record


def unfit(s: Situation, standby: Standby) -> str | None:
    """Why a standby cannot serve in the place of stable; None if it can."""
    record = standby_record(s.obs, standby.release_ref.name)
    if isinstance(record, Problem):
        return record.message
    return _unservable(s, record) or _unproven(s, record)


def is_proven_itself(s: Situation, record: ReleaseRecord) -> bool:
    """Whether it has shown that it works; else it is only as good as the release that it was made from."""
    return was_healthy(record, s.status) or has_passed_drill(record.digest, s.status)


def without(s: Situation) -> str:
    """Why no standby serves though a gate requests one, as a clause; empty if none does."""
    failing = {gate.name for gate in s.status.watched if gate.verdict == "Fail"}
    gates = {gate.name for gate in s.spec.gates if gate.action is OnFail.STANDBY} & failing
    if not gates or find(s):
        return ""
    asked = [each for each in s.spec.standby if gates & set(each.gates)]
    return "".join(f"; {unfit(s, each) or _deserted(each)}" for each in asked)


def _deserted(standby: Standby) -> str:
    return f"{standby.release_ref.name} has no ready endpoint; start its agents"


def _unservable(s: Situation, record: ReleaseRecord) -> str | None:
    """Why a release cannot get traffic at all."""
    return next(_obstacles(s, record), None)


def _obstacles(s: Situation, record: ReleaseRecord) -> Iterator[str]:
    name, stable = record.release, s.status.stable
    if stable is None or record.digest == stable.digest:
        yield f"{name} is stable itself; name another release in spec.standby"
    elif s.spec.traffic.by_route and stable.service == record.service:
        yield f"{name} names the same Service as {stable.release}, so a route cannot tell them apart"
    if any(record.digest == banned.digest for banned in s.status.quarantined):
        yield f"{name} was rolled back and is in quarantine; name another release in spec.standby"
    if record.snapshot in s.obs.altered:
        yield altered_snapshot(record)
    elif record.snapshot not in s.obs.snapshots:
        yield f"ConfigMap {record.snapshot} with the bundle of {name} is gone; apply its AgentRelease again"
    if problem := missing_service(s.spec, record):
        yield problem.message
    elif s.spec.traffic.by_route and record.service and not record.service.is_service:
        yield f"{record.service} of {name} is not a Service, so its endpoints are unknown; name another"
    elif not _has_pods(s, record):
        yield f"the operator has made no Deployment for {name}; give it `serving`, or ship it once"
    if problem := s.routing.obstacle((record,), is_return=True):
        yield problem.message


def _has_pods(s: Situation, record: ReleaseRecord) -> bool:
    """Whether it has agents of its own, or a Deployment that the operator made."""
    release = s.obs.standbys.get(record.release)
    is_own = s.spec.workload is None or (release is not None and release.spec.serving is not None)
    made = {entry.name for entry in s.status.workloads}
    return is_own or record.service_name in made


def _unproven(s: Situation, record: ReleaseRecord) -> str | None:
    """What is missing for a proof; None if it is proven."""
    if has_failed_drill(record.digest, s.status):
        return f"the newest drill of {record.release} failed; run another one"
    if is_proven_itself(s, record) or _narrows(s, record):
        return None
    stable = s.status.stable.release if s.status.stable else "stable"
    return (
        f"{record.release} is not proven: it was never Healthy, no drill of it passed, and by its "
        f"`status.diff` it does not only remove tools and permissions of {stable}; run "
        f"agentrollouts drill {s.obs.rollout.metadata.name} --release={record.release} "
        f"--namespace={s.obs.rollout.metadata.namespace} --reason=..."
    )


def _narrows(s: Situation, record: ReleaseRecord) -> bool:
    """Whether it was made from stable, and can only do less."""
    release, stable = s.obs.standbys.get(record.release), s.status.stable
    if release is None or release.spec.parent is None or stable is None:
        return False
    snapshot = s.obs.snapshots.get(stable.snapshot)
    names = {stable.release} | (releases_of(snapshot) if snapshot else frozenset())
    return release.spec.parent.name in names and only_narrows(release.status.diff)
