"""Releases: as objects, and as a status remembers them."""

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease, ServiceRef
from agentrollouts.api.status import ReleaseRecord
from testkit.builders.names import AGENT, NAMESPACE, NEW, START, digest_of, service_of, snapshot_of


def a_record(release: str, **fields: object) -> ReleaseRecord:
    """A release as the status remembers it."""
    return ReleaseRecord.model_validate(
        {
            "release": release,
            "version": release.removeprefix(f"{AGENT}-"),
            "digest": digest_of(release),
            "service": ServiceRef(name=service_of(release), port=8080),
            "snapshot": snapshot_of(release),
        }
        | fields
    )


def a_ready_release(name: str = NEW, *, agent: str = AGENT, service: str | None = "") -> AgentRelease:
    """A release that is materialized; its service is named after it unless another one is given, or None."""
    serving = {"service": {"name": service or service_of(name), "port": 8080}}
    ready = {"type": "Ready", "status": "True", "reason": "Materialized", "message": ""}
    return AgentRelease.model_validate(
        {
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}", "generation": 1},
            "spec": {
                "agent": agent,
                "version": name.removeprefix(f"{AGENT}-"),
                "components": {
                    "prompt": {"version": "1.0.0", "inline": {"system": name}},
                    "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
                },
                "serving": None if service is None else serving,
            },
            "status": {
                "digest": digest_of(name),
                "snapshot": {"name": snapshot_of(name)},
                "conditions": [ready | {"lastTransitionTime": START, "observedGeneration": 1}],
            },
        }
    )


def not_ready(
    release: AgentRelease, message: str = "ConfigMap support-guardrails does not exist"
) -> AgentRelease:
    """The same release before it is materialized."""
    ready = Condition(
        type="Ready",
        status=ConditionStatus.FALSE,
        reason=Reason.REFERENCE_MISSING,
        message=message,
        last_transition_time=START,
    )
    return release.replace(status=release.status.replace(conditions=(ready,), digest=None, snapshot=None))
