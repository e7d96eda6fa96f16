"""A real status of each state, as the operator wrote it in virtual time."""

from collections.abc import Callable
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.insight.view.reading import Known
from agentrollouts.insight.view.shape import View
from agentrollouts.insight.view.view import view
from testkit.builders.names import NEW, OLD, OLDEST
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world

ERRORS: Final = {"name": "errors", "template": "error-rate"}
ASKED: Final = [{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]
BAD: Final = Behavior(failed=0.4)
BUNDLES: Final = {
    OLD: '{"model":{"version":"2.0.0"},"prompt":{"version":"3.1.0"}}',
    NEW: '{"model":{"version":"2.0.0"},"prompt":{"version":"3.2.1"},"tools":{"version":"1.0.0"}}',
}


def shipping(**spec: object) -> World:
    """`OLD` serves, `OLDEST` did before, and `NEW` is requested."""
    return a_world(a_rollout(**spec).remembering(OLDEST).serving(OLD), OLDEST, OLD, NEW)


def _pending() -> World:
    world = shipping()
    world.has_endpoints = False
    world.run(60)
    return world


def _initial() -> World:
    world = a_world(a_rollout(), NEW)
    world.gateway_follows = False
    world.run(60)
    return world


def _canary() -> World:
    world = shipping()
    world.run(400)
    return world


def _awaiting() -> World:
    world = shipping(phases=ASKED)
    world.run_until(State.AWAITING_APPROVAL)
    return world


def _held() -> World:
    world = shipping(gates=[{**ERRORS, "severity": "Medium"}])
    world.agents[NEW] = BAD
    world.run_until(State.HELD)
    return world


def _baking() -> World:
    world = shipping()
    world.run_until(State.BAKING)
    return world


def _healthy() -> World:
    world = shipping()
    world.run_until(State.HEALTHY)
    world.run(60)
    return world


def _rolling_back() -> World:
    world = shipping()
    world.run(100)
    world.agents[NEW], world.has_gateway_api = BAD, False
    world.run_until(State.ROLLING_BACK)
    return world


def _verifying() -> World:
    world = shipping()
    world.agents[NEW] = BAD
    world.run_until(State.VERIFYING)
    return world


def _rolled_back() -> World:
    world = _verifying()
    world.run_until(State.ROLLED_BACK)
    return world


def _superseded() -> World:
    world = _pending()
    world.ask_for(OLD)
    world.run(10)
    return world


WORLDS: Final[dict[State, Callable[[], World]]] = {
    State.PENDING: _pending,
    State.INITIAL: _initial,
    State.CANARY: _canary,
    State.AWAITING_APPROVAL: _awaiting,
    State.HELD: _held,
    State.BAKING: _baking,
    State.HEALTHY: _healthy,
    State.ROLLING_BACK: _rolling_back,
    State.VERIFYING: _verifying,
    State.ROLLED_BACK: _rolled_back,
    State.SUPERSEDED: _superseded,
}


def seen(world: World) -> View:
    """The view of the object as it is stored."""
    known = {name: Known(world.releases.get(name), bundle) for name, bundle in BUNDLES.items()}
    return view(world.rollout.copy_with(status=world.status).to_json(), known, world.now)
