"""Fields that another version of the operator wrote, and that this one does not know.

A status is written as a whole. During an upgrade and after a downgrade, it must keep the fields of the other
version.
"""

from collections.abc import Mapping
from typing import Any

from agentrollouts.api.model.base import ApiModel


def with_unknown(
    model: type[ApiModel], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON of `after`, with the fields of `before` that the model does not have."""
    known = {field.alias or name for name, field in model.model_fields.items()}
    return {key: value for key, value in before.items() if key not in known} | dict(after)
