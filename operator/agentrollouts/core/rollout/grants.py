"""Whether the settings permit a namespace the Gateways and hostnames of its routes.

For routes that the operator creates. A route of someone else, whose weights `routePatch` sets, was made with
that person's own rights.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Problem
from agentrollouts.core.rollout.permits import parents


@dataclass(frozen=True, slots=True)
class Grant:
    """What some namespaces may use."""

    namespaces: Sequence[str]
    """Patterns; all namespaces if empty."""
    gateways: Sequence[str]
    """Patterns of `namespace/name`."""
    hosts: Sequence[str]
    """`a.example.com`, or `*.example.com` for the names below; all hostnames if empty."""


def grant_refusal(rollout: AgentRollout, grants: Iterable[Grant]) -> Problem | None:
    """The first Gateway or hostname that no grant permits to the rollout's namespace.

    Each parent has all hostnames of the route, so all must be permitted at each of them.
    """
    namespace, route = rollout.metadata.namespace, rollout.spec.traffic.own_route
    field = f"spec.traffic.{rollout.spec.traffic.route_field}"
    mine = [grant for grant in grants if not grant.namespaces or _matches(namespace, grant.namespaces)]
    for place, index in parents(rollout):
        there = [grant for grant in mine if _matches("/".join(place), grant.gateways)]
        title = f"Gateway {place[1]} in namespace {place[0]}"
        if not there:
            permitted = ", ".join(dict.fromkeys(name for grant in mine for name in grant.gateways))
            return Problem(
                Reason.GATEWAY_NOT_PERMITTED,
                f"{field}.parentRefs[{index}]: the operator's settings do not permit "
                f"namespace {namespace} to attach routes to {title} (gateways); "
                + (f"name one of {permitted}, or ask the administrator" if mine else "ask the administrator"),
            )
        if route and (
            problem := _host_refusal(namespace, route.hostnames, there, title, f"{field}.hostnames")
        ):
            return problem
    return None


def _host_refusal(
    namespace: str, hostnames: Sequence[str], grants: Sequence[Grant], title: str, field: str
) -> Problem | None:
    if any(not grant.hosts for grant in grants):
        return None
    hosts = tuple(dict.fromkeys(host for grant in grants for host in grant.hosts))
    where, remedy = f"at {title} (gateways.hosts)", f"name hostnames of {', '.join(hosts)}"
    if not hostnames:
        message = (
            f"{field}: is empty, which stands for all hostnames of the listener; the operator's settings"
        )
        message += f" do not permit them to namespace {namespace} {where}; {remedy}"
        return Problem(Reason.HOST_NOT_PERMITTED, message)
    for index, hostname in enumerate(hostnames):
        if not any(_covers(host, hostname) for host in hosts):
            message = f"{field}[{index}]: the operator's settings do not permit {hostname} to namespace "
            message += f"{namespace} {where}; {remedy}"
            return Problem(Reason.HOST_NOT_PERMITTED, message)
    return None


def _covers(permitted: str, hostname: str) -> bool:
    """Whether a hostname, which can be a wildcard itself, is not more than what is permitted."""
    permitted, hostname = (text.lower().rstrip(".") for text in (permitted, hostname))
    below = permitted.removeprefix("*")
    return hostname.endswith(below) and hostname != below if below != permitted else hostname == permitted


def _matches(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
