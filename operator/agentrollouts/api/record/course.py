"""The course of an attempt: the evidence of its gates over time, as a status and a record keep it."""

from typing import Annotated, Final

from pydantic import Field

from agentrollouts.api.attempt import Weight
from agentrollouts.api.model.base import ApiModel

MAX_COURSE: Final = 120
"""Looks that a course keeps."""


class Look(ApiModel):
    """The evidence of all gates at one moment of an attempt."""

    seconds: Annotated[int, Field(ge=0, le=2_147_483_647)]
    """Seconds since the start of the attempt."""
    weight: Weight
    """Share of the traffic for the canary, in percent."""
    evidence: Annotated[tuple[Annotated[int, Field(ge=-99, le=60)], ...], Field(max_length=16)] = ()
    """Evidence of each gate, in the order of the plan, in tenths of a power of ten: 20 is 100 to 1 that the
    canary is worse. From -40 to 60; -99 for a gate without evidence."""
