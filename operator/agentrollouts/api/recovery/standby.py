"""Standbys: releases of the same agent that serve in the place of stable while a gate fails at rest."""

from typing import Annotated, Final

from pydantic import Field

from agentrollouts.api.model.base import ApiModel, Digest, DnsLabel, ObjectName, ReleaseName, SemVer
from agentrollouts.api.model.marks import LIST_SET, cel, rules
from agentrollouts.api.release import ReleaseRef, ServiceRef

MAX_STANDBYS: Final = 8
USUAL: Final = 900
"""Seconds after which stable is tried again, if the plan does not say."""
LONGEST: Final = 3600
"""Seconds after which stable is tried again, however often a gate has tripped."""

Trips = Annotated[int, Field(ge=1, le=2_147_483_647)]
"""How often a gate has sent the traffic to a standby."""


class Standby(ApiModel):
    """A release that can do less, or uses another model, for the time that a gate of stable fails.

    It must be proven: it was Healthy once, it passed a drill, or it differs from stable only by tools and
    permissions that were removed. One that is not proven is not used.
    """

    release_ref: ReleaseRef
    """Release of the same agent. It keeps its agents running."""
    gates: Annotated[tuple[DnsLabel, ...], Field(min_length=1, max_length=16, json_schema_extra=LIST_SET)]
    """Names of the gates that send all traffic to it, each with `action: Standby`."""
    return_after_seconds: Annotated[int, Field(ge=10, le=LONGEST)] | None = None
    """Time after which stable serves again, in seconds, at most an hour. Each further trip within a day
    doubles it, up to an hour, since no metric can show that what is not called works again. Defaults to
    900."""


STANDBY_RULES: Final = rules(
    cel(
        "self.all(s, self.exists_one(t, t.releaseRef.name == s.releaseRef.name))",
        "each `releaseRef` may be listed once",
    )
)
"""What holds for the whole list."""


class StandbyRelease(ApiModel):
    """A release that serves in the place of stable, with what is needed to serve it."""

    release: ReleaseName
    """Name of the AgentRelease."""
    version: SemVer
    """Version of the bundle."""
    digest: Digest
    """Identity of the behavior."""
    service: ServiceRef | None = None
    """Service, or other backend, in front of its agents."""
    snapshot: ObjectName
    """Name of the ConfigMap that contains the bundle."""
