"""The workload of a release: what is missing before it can begin. Only with `spec.workload`."""

from agentrollouts.api.names import LABEL_RELEASE
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.effects import Problem
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_progressing
from agentrollouts.core.traffic.backends import weighted
from agentrollouts.core.workload.plan import Workloads


def is_managed(s: Situation, record: ReleaseRecord) -> bool:
    """Whether the operator makes the agents of a release: it has no Service of its own."""
    if s.spec.workload is None or record.service_name is None:
        return False
    release = s.obs.release
    is_named = release is not None and release.metadata.name == record.release
    is_listed = any(entry.name == record.service_name for entry in s.status.workloads)
    return is_listed or (is_named and release is not None and release.spec.serving is None)


def workloads(
    s: Situation, starting: ReleaseRecord | None = None, target: ReleaseRecord | None = None
) -> Workloads:
    """The workloads of the rollout in this decision."""
    routed = weighted(s.obs.traffic.values()) if s.spec.workload else frozenset[str]()
    return Workloads(
        rollout=s.obs.rollout,
        status=s.status,
        release=s.obs.release,
        now=s.now,
        seen=s.obs.workloads,
        weighted=s.obs.weighted | routed,
        starting=starting,
        target=target,
        refused=s.obs.workload_problem,
        may_shrink=s.applied and not is_progressing(s.status) and not s.is_terminating,
    )


def unanswered(s: Situation, record: ReleaseRecord, *, is_return: bool) -> Problem | None:
    """Why no one would answer the requests to a release that is about to begin."""
    is_ours, service = is_managed(s, record), record.service
    if is_ours:
        is_proved = is_return and s.obs.endpoints_ready is True
        obstacle = workloads(s, record).obstacle(is_proved=is_proved)
        if obstacle:
            return obstacle
    if s.obs.endpoints_ready is not False or service is None:
        return None
    where = f"--namespace={s.obs.rollout.metadata.namespace} --selector={LABEL_RELEASE}={record.release}"
    cure = f"look at its pods: kubectl get pods {where}" if is_ours else "start its agents"
    text = f"service {service.name} of {record.release} has no ready endpoint; {cure}"
    return Problem(Reason.NO_READY_ENDPOINTS, text)
