"""Real statuses from virtual time, as the API server would return them."""

from datetime import datetime, timedelta
from typing import Any, Final

from agentrollouts.api.attempt import State
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world

PHASES: Final = [
    {"name": "canary-5", "weight": 5, "durationSeconds": 600},
    {"name": "canary-25", "weight": 25, "durationSeconds": 900},
    {"name": "ramp", "weight": 95, "durationSeconds": 1200, "rampSeconds": 600},
]
GATES: Final = [{"name": "errors", "template": "error-rate"}, {"name": "latency", "template": "latency"}]


def world(behavior: Behavior | None = None, **spec: Any) -> World:  # noqa: ANN401 any field
    """A release in its first phase."""
    made = a_world(a_rollout(gates=GATES, phases=PHASES, **spec).serving(OLD), OLD, NEW)
    made.agents[NEW] = behavior or Behavior()
    made.run_until(State.CANARY)
    return made


def manifest(made: World) -> dict[str, Any]:
    """The object."""
    rollout = made.builder.build()
    body = rollout.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"apiVersion": rollout.api_version, "kind": rollout.kind, **body}


def in_canary() -> tuple[dict[str, Any], datetime]:
    """The second phase, after a while."""
    made = world()
    made.run(900)
    return manifest(made), made.now


def rolled_back() -> tuple[dict[str, Any], datetime]:
    """A bad release that a gate found, some minutes ago."""
    made = world(Behavior(failed=0.5))
    made.run_until(State.ROLLED_BACK)
    made.run(60)
    return manifest(made), made.now


def healthy() -> tuple[dict[str, Any], datetime]:
    """A release that passed all phases."""
    made = world()
    made.run_until(State.HEALTHY, within=timedelta(days=2).total_seconds())
    made.run(60)
    return manifest(made), made.now


ALL: Final = {"canary": in_canary, "rolled-back": rolled_back, "healthy": healthy}
