"""Freezes as people write them: `a_freeze(endTime="2026-12-01T00:00:00Z")`."""

from typing import Any

from agentrollouts.api.names import API_VERSION
from agentrollouts.api.people.freeze import AgentFreeze
from testkit.builders.names import NAMESPACE

WEEKEND = {"schedule": "0 16 * * FRI", "durationSeconds": 230_400, "timeZone": "Europe/Amsterdam"}
"""From Friday 16:00 to Monday 08:00."""


def a_freeze(name: str = "weekend", namespace: str = NAMESPACE, **spec: Any) -> AgentFreeze:  # noqa: ANN401 any value of JSON
    """A freeze with these fields of its spec (camelCase); without any, it is active until it is deleted."""
    return AgentFreeze.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": "AgentFreeze",
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}", "generation": 1},
            "spec": {"reason": f"the freeze {name}", **spec},
        }
    )
