"""Lines about the operator and the reader: rights, kinds, versions, and who leads."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.names import API_VERSION
from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.api.record.record import AgentRolloutRecord
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.insight.check.lines import Found, Line, Manifest, Mark, Seen, unread

CREATE: Final = "create"
OPERATOR: Final = "agentrollouts"
"""Name of the Lease, and of the Deployment that is listed by the chart's label."""
VERSION: Final = "app.kubernetes.io/version"
SILENCE: Final = timedelta(seconds=60)
"""A holder renews every 2 s; more than clocks differ."""
_KINDS: Final = (AgentRelease, AgentRollout, AgentRolloutAction, AgentRolloutRecord, AgentFreeze)
PLURALS: Final = tuple(each.resource.plural for each in _KINDS)


def installation(seen: Seen) -> Iterator[Line]:
    """All of them."""
    yield _rights(seen)
    yield from _kinds(seen)
    yield _versions(seen)
    yield _leader(seen)


def _rights(seen: Seen) -> Line:
    if seen.rights is None:
        return Line(Mark.UNKNOWN, "your rights are unknown, since the API server did not review them")
    verbs = sorted(verb for verb, is_allowed in seen.rights.items() if is_allowed and verb != CREATE)
    if verbs and seen.rights.get(CREATE):
        return Line(Mark.GOOD, f"you may request {', '.join(verbs)}")
    remedy = "an administrator can bind you to a role for people; see docs/security.md"
    return Line(Mark.WARNING, "you may request no action in this namespace", remedy)


def _kinds(seen: Seen) -> Iterator[Line]:
    if seen.served is None:
        yield Line(Mark.UNKNOWN, "the kinds that the API server serves are unknown")
        return
    missing = [each for each in PLURALS if each not in seen.served]
    for each in missing:
        remedy = "install the CRDs of the version of the operator; see docs/operating.md"
        yield Line(Mark.PROBLEM, f"the API server does not serve {each} of {API_VERSION}", remedy)
    if not missing:
        yield Line(Mark.GOOD, f"the API server serves all kinds of {API_VERSION}")


def _versions(seen: Seen) -> Line:
    """The CRDs carry no version; the chart installs them together with the Deployment, which does."""
    found = seen.kinds.get("Operator", Found())
    labels = ((each.get("metadata") or {}).get("labels") or {} for each in found.objects.values())
    versions = sorted({each[VERSION] for each in labels if VERSION in each})
    if not versions:
        return Line(
            Mark.UNKNOWN, unread("the version of the operator", found.problem or "no Deployment has it")
        )
    if versions == [seen.plugin]:
        return Line(Mark.GOOD, f"operator and plugin are version {seen.plugin}")
    remedy = "install the plugin of the same version; see docs/kubectl-plugin.md"
    sentence = f"the plugin is version {seen.plugin}, the operator {', '.join(versions)}"
    return Line(Mark.WARNING, sentence, remedy)


def _leader(seen: Seen) -> Line:
    found = seen.kinds.get("Lease", Found(problem="it was not read"))
    lease = found.objects.get(OPERATOR)
    if lease is None:
        absent = "it is in another namespace (--operator-namespace), or the operator runs without one"
        return Line(Mark.UNKNOWN, unread("the Lease of the operator", found.problem or absent))
    spec = lease.get("spec") or {}
    holder, silent = spec.get("holderIdentity"), _silence(spec, seen.now)
    page = "docs/runbooks/AgentRolloutsNoLeader.md"
    if not holder:
        return Line(Mark.PROBLEM, "no replica of the operator leads, so nothing is decided", f"see {page}")
    if silent > SILENCE:
        sentence = f"{holder} leads, and has not renewed its Lease for {silent.total_seconds():.0f} s"
        return Line(Mark.PROBLEM, sentence, f"see {page}")
    return Line(Mark.GOOD, f"{holder} leads")


def _silence(lease: Manifest, now: datetime) -> timedelta:
    """How long ago it was renewed; nothing if that cannot be read."""
    try:
        return now - datetime.fromisoformat(str(lease.get("renewTime")))
    except (ValueError, TypeError):
        return timedelta()
