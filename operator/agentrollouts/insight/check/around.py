"""Lines about what a rollout uses beside its releases: hooks, the template, and the fallback."""

from collections.abc import Iterator

from agentrollouts.api.names import LABEL_HOOK, LABEL_TEMPLATE
from agentrollouts.api.recovery.hooks import cron_jobs_of
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.containment.fallback import lead_of
from agentrollouts.insight.check.lines import Line, Manifest, Mark, Seen


def around(seen: Seen, rollout: AgentRollout) -> Iterator[Line]:
    """All of them."""
    for cron_job in cron_jobs_of(rollout.spec.hooks):
        yield _cron_job(seen, cron_job)
    for endpoint in dict.fromkeys(each.webhook.endpoint for each in rollout.spec.hooks if each.webhook):
        text = f"whether the settings of the operator have endpoint {endpoint} cannot be seen from here"
        yield Line(Mark.UNKNOWN, text, "without it, an attempt is Pending; see docs/webhooks.md")
    if rollout.spec.workload:
        yield _template(seen, rollout.spec.workload.deployment_ref.name)
    fallback, page = rollout.spec.fallback, "create it; see docs/switch-off.md"
    if fallback and fallback.service:
        name = fallback.service.name
        found = seen.find("Service", name, page)
        yield found if isinstance(found, Line) else Line(Mark.GOOD, f"the fallback, Service {name}, exists")
    if fallback and fallback.rollout:
        yield _agent(seen, fallback.rollout.name, page)


def _agent(seen: Seen, name: str, page: str) -> Line:
    """Another agent that answers in a detour."""
    found = seen.find("AgentRollout", name, page)
    if isinstance(found, Line):
        return found
    lead = lead_of(name, dict(found))
    if lead is None:
        return Line(Mark.UNKNOWN, f"the fallback, AgentRollout {name}, has a status of another version")
    if lead.service is None:
        remedy = "let it serve a release, or name another fallback; see docs/switch-off.md"
        return Line(Mark.PROBLEM, f"the fallback cannot answer: {lead.problem}", remedy)
    return Line(Mark.GOOD, f"the fallback, AgentRollout {name}, serves by Service {lead.service.name}")


def _cron_job(seen: Seen, name: str) -> Line:
    found = seen.find("CronJob", name, "create it, suspended and labeled; see docs/hooks.md")
    if isinstance(found, Line):
        return found
    wrong = [] if _has_label(found, LABEL_HOOK) else [f'the label {LABEL_HOOK}: "true"']
    wrong += [] if (found.get("spec") or {}).get("suspend") is True else ["`suspend: true`"]
    if wrong:
        lacks = f"CronJob {name} does not have {' and '.join(wrong)}"
        return Line(Mark.PROBLEM, lacks, "set it, or no hook can use the CronJob; see docs/hooks.md")
    return Line(Mark.GOOD, f"CronJob {name} can be a hook")


def _template(seen: Seen, name: str) -> Line:
    found = seen.find("Deployment", name, "create it, labeled and with `replicas: 0`; see docs/workloads.md")
    if isinstance(found, Line):
        return found
    wrong = [] if _has_label(found, LABEL_TEMPLATE) else [f'the label {LABEL_TEMPLATE}: "true"']
    wrong += [] if (found.get("spec") or {}).get("replicas") == 0 else ["`replicas: 0`"]
    if wrong:
        lacks = f"Deployment {name} does not have {' and '.join(wrong)}"
        return Line(Mark.PROBLEM, lacks, "set it, or no release can be made of it; see docs/workloads.md")
    return Line(Mark.GOOD, f"Deployment {name} can be a template")


def _has_label(manifest: Manifest, label: str) -> bool:
    return ((manifest.get("metadata") or {}).get("labels") or {}).get(label) == "true"
