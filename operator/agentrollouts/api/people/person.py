"""Who writes an action or a freeze, and why: what both ask of a person."""

from typing import Annotated, Final

from pydantic import Field

from agentrollouts.api.model.marks import cel, rules

REASON_AT_LEAST: Final = 8
"""Characters of a reason, without the blanks around it."""
REASON_AT_MOST: Final = 1024
"""Characters of a reason, with them."""
TOO_SHORT: Final = f"say why in at least {REASON_AT_LEAST} characters"
"""The problem with a shorter one."""

MAX_NAME: Final = 253
"""Characters of a user name."""
Requester = Annotated[str, Field(max_length=MAX_NAME)]
"""A user name of the API server."""
WrittenReason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=REASON_AT_MOST,
        json_schema_extra=rules(cel(f"self.trim().size() >= {REASON_AT_LEAST}", TOO_SHORT)),
    ),
]
"""Why, in a person's words."""
