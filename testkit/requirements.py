"""Agents that require each other: the support agent and the billing agent."""

from typing import Final

from agentrollouts.api.release import AgentRelease, Requirement
from agentrollouts.core.recovery.group.requirements import Other, Others, Served
from testkit.builders.releases import a_ready_release

BILLING_AGENT: Final = "billing-agent"
RANGE: Final = ">=2.0.0,<3.0.0"
"""What the support agent requires of it."""


def a_requirement(versions: str = RANGE, agent: str = BILLING_AGENT) -> Requirement:
    """What a release requires of another agent."""
    return Requirement(agent=agent, versions=versions)


def requiring(release: str, versions: str = RANGE) -> AgentRelease:
    """A release that is Ready and requires the billing agent."""
    ready = a_ready_release(release)
    return ready.replace(spec=ready.spec.replace(requires=(a_requirement(versions),)))


def served(version: str, *requires: Requirement, has_share: bool = True) -> Served:
    """A release of the billing agent that its rollout serves."""
    return Served(f"{BILLING_AGENT}-{version}", version, has_share, requires)


def billing(*releases: Served) -> Others:
    """The billing agent as the only other rollout: its stable release, then its canary."""
    return (Other(BILLING_AGENT, BILLING_AGENT, releases),)


BILLING: Final = billing(served("2.1.0"))
"""A billing agent that the range accepts."""
