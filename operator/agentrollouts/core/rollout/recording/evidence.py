"""Which metrics to keep of the time before a rollback; queried after its route is written, never before."""

from agentrollouts.api.record.progress import EvidenceState
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.gates.resolve import labels_of
from agentrollouts.core.history import rollback_of
from agentrollouts.core.metrics.evidence import EvidenceQuery
from agentrollouts.core.metrics.queries import Subject, plan_queries
from agentrollouts.core.rollout.situation import Situation


def evidence_query(s: Situation, status: AgentRolloutStatus) -> EvidenceQuery | None:
    """What to query once for the record of the last rollback; None if nothing is missing."""
    record, rollback, attempt = status.record, rollback_of(status), status.attempt
    if record is None or record.evidence is not EvidenceState.PENDING:
        return None
    if rollback is None or rollback.routed_time is None or attempt is None:
        return None
    subject = Subject(
        s.obs.rollout.metadata.namespace, s.spec.agent, rollback.from_, rollback.to, labels_of(s.spec)
    )
    gates = s.analysis.gates
    plan = plan_queries(gates, subject, counting_start=rollback.decided_time, warmup_seconds=0)
    return EvidenceQuery(record.name, s.spec.metrics.source, plan, gates, rollback.decided_time)
