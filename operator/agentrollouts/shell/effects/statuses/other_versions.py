"""What another version of the operator noted in a status, which every write of the status keeps.

Between a decision, which knows only the fields of this version, and `act`, which replaces the whole status.
"""

from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.model.unknown import with_unknown
from agentrollouts.api.people.freeze import FreezeStatus
from agentrollouts.api.release import AgentReleaseStatus
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.shell.relations import FREEZE, RELEASE, ROLLOUT

STATUSES: Final[Mapping[str, type[ApiModel]]] = {
    ROLLOUT: AgentRolloutStatus,
    RELEASE: AgentReleaseStatus,
    FREEZE: FreezeStatus,
}
"""By kind."""


def with_fields_of_others(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """A status with the fields of the former one that its model does not have, and so in the same attempt."""
    status = with_unknown(STATUSES[kind], before, after)
    old, new = before.get("attempt"), after.get("attempt")
    if old and new and old.get("number") == new.get("number"):
        status["attempt"] = with_unknown(Attempt, old, new)
    return status
