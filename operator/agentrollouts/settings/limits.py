"""How much a tenant may request."""

from pydantic import Field

from agentrollouts.settings.section import Section


class Limits(Section):
    """How much a tenant may ask for."""

    rollouts_per_namespace: int = Field(strict=True, default=1000, ge=1, le=100_000)
    """Number of AgentRollouts in one namespace that are served. Younger ones ship nothing, with the reason
    LimitExceeded. A release that they already serve continues, and can be rolled back."""
    gates_per_rollout: int = Field(strict=True, default=16, ge=1, le=16)
    """Gates of one rollout. A rollout with more ships nothing, with the reason LimitExceeded."""
    min_interval_seconds: float = Field(strict=True, default=1, ge=1, le=3600)
    """Shortest interval at which Prometheus is queried for a rollout. One that requests a shorter interval is
    queried at this one, and its condition ShareExceeded says so."""
    queries_per_second_per_namespace: float = Field(strict=True, default=80, ge=0.1, le=10_000)
    """Queries to Prometheus that the rollouts of one namespace make per second, all together. A query of one
    gate counts as 1, each further gate as 1/4, and a result of many rows as 1 for each 120. If they request
    more, all their intervals grow alike, and the condition ShareExceeded of each says so. A query with its
    decision takes about 3 ms of processor time, so 80 are a quarter of a core."""
    releases_per_namespace: int = Field(strict=True, default=10_000, ge=1, le=100_000)
    """Number of AgentReleases in one namespace that become Ready. Younger ones are refused, with the reason
    LimitExceeded, until older ones are deleted. A release that has its snapshot stays."""
    release_bytes_per_namespace: int = Field(strict=True, default=256 * 2**20, ge=2**20, le=2**40)
    """Bytes of all bundles of one namespace, as its snapshots contain them. A release whose bundle exceeds
    what is left is refused, with the reason LimitExceeded. A release that has its snapshot stays."""
