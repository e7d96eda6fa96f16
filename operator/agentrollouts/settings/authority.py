"""What is believed about who requests something."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from agentrollouts.settings.section import Section


class AuthoritySettings(Section):
    """The names of people, and actions whose creator is not verified."""

    username_prefix: Annotated[str, StringConstraints(max_length=253)] = ""
    """Prefix that the API server puts before the names of people, such as `oidc:`. It is removed before names
    are compared: the author of a release is named by Git, without it."""
    releaser_is_stamped: bool = False
    """Whether the API server writes who changed `spec.releaseRef` into an annotation that no one else can
    write. The chart sets it where it has installed the policies for that. That person's approval does not
    count, and records name them."""
    unproved: Literal["BackOnly", "Refuse", "Accept"] = Field(default="BackOnly")
    """Actions that are taken although the API server does not verify who creates them. BackOnly: RollBack and
    Hold. Refuse: RollBack, and that only while an attempt is in progress. Accept: all."""
