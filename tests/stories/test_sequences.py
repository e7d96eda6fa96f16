"""Random legal edits, faults and crashes against the decision: no invariant breaks, and all comes to rest.

`testkit/world.py` checks the invariants at every decision, `testkit/sequences.py` leads worlds past it.
"""

from hypothesis import event, example, given

from agentrollouts.api.attempt import State
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.states import ENDS
from agentrollouts.core.traffic.manifests import key_of
from agentrollouts.core.traffic.route_claim import is_claimed
from agentrollouts.core.traffic.state import Routing
from testkit.builders.rollouts import PLAN
from testkit.builders.routes import BY_FLAG, BY_PATCH, BY_ROUTE, CONFIG, FLAG, ROUTE, THEIRS
from testkit.invariants import snapshots_needed
from testkit.properties import usually
from testkit.sequences import RELEASES, Edit, a_world_of_four, check_rest, sequences, setting, spec
from testkit.world import Behavior, World

few, many = usually(30), usually(200)


@many
@given(sequences)
def test_whatever_people_do_no_invariant_breaks_and_the_world_comes_to_rest(
    sequence: list[tuple[Edit, float]],
) -> None:
    """After any edits, faults and crashes there is a fixed point, and what must never happen never does."""
    for world in a_world_of_four(sequence):
        check_rest(world)
        event(f"in state {world.state}")


@few
@given(sequences)
def test_the_same_observation_gives_the_same_decision(sequence: list[tuple[Edit, float]]) -> None:
    """Nothing but the observation decides, and looking changes nothing."""
    for world in a_world_of_four(sequence):
        obs = world.observe()
        assert decide(obs) == decide(obs)


@few
@example([(spec(traffic=BY_PATCH), 70.0), (spec(traffic={}), 70.0)])
@example([(spec(traffic=BY_PATCH), 70.0), (spec(traffic=BY_ROUTE), 70.0)])
@example([(spec(traffic=BY_FLAG), 70.0), (spec(traffic=BY_ROUTE), 70.0)])
@given(sequences)
def test_from_every_state_going_back_is_the_next_write(sequence: list[tuple[Edit, float]]) -> None:
    """`releaseRef` set to the stable release, whatever is wrong: the very next decision writes 100/0."""
    for world in a_world_of_four(sequence):
        stable = world.status.stable
        attempt = world.status.attempt
        if stable is None or attempt is None or attempt.state in ENDS:
            continue
        reverted = world.builder.asking_for(stable.release)
        back = World(
            base=reverted,
            rollout=reverted.build(),
            now=world.now,
            traffic=dict(world.traffic),
            snapshots=dict(world.snapshots),
            services=world.services,
        )
        back.metrics, back.has_endpoints, back.poll_result = (
            world.metrics,
            world.has_endpoints,
            world.poll_result,
        )
        back.ever_healthy = set(world.ever_healthy)
        served = world.status.canary is not None and attempt.state not in {
            State.VERIFYING,
            State.ROLLING_BACK,
        }
        first = decide(back.observe()).writes[:1]
        assert first or not served
        if served:
            assert key_of(first[0].manifest) in _first_to_move(back)
        is_left = back.rollout.spec.traffic.route_patch is None and THEIRS in _first_to_move(back)
        back.step(2 if is_left else 1)  # a route that was given up comes first, then what replaces it
        assert back.canary_weight == 0
        event(f"back from {attempt.state}")


def _back(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """What the status asks for once the canary is gone."""
    return status.replace(canary=None, attempt=None)


def _first_to_move(world: World) -> set[tuple[str, str]]:
    """The objects of which one must be written first: routes if any can be, or else the flag or ConfigMap."""
    obs = world.observe()
    desired, theirs = obs.rollout.spec.traffic, obs.traffic.get(THEIRS)
    is_set = desired.route_patch and theirs and not Routing(obs).state(_back(obs.status)).blocked
    is_left = theirs is not None and is_claimed(theirs, obs.rollout.metadata.name)
    is_owned = desired.http_route or ROUTE in world.traffic
    routes = {key for key, is_movable in ((ROUTE, is_owned), (THEIRS, is_set or is_left)) if is_movable}
    return routes or {FLAG if desired.feature_flag or FLAG in world.traffic else CONFIG}


@few
@given(sequences)
def test_no_edit_keeps_a_rollout_from_its_end(sequence: list[tuple[Edit, float]]) -> None:
    """Once nothing is wrong any more and time passes, a good release serves in the end."""
    *_, world = a_world_of_four(sequence)

    setting(metrics="up", has_endpoints=True, has_gateway_api=True, gateway_follows=True, freezes=())(world)
    setting(keeps_records=True)(world)
    usual = {name: PLAN[name] for name in ("phases", "gates", "traffic", "analysis")}
    world.edit(lambda builder: builder.planning(**usual, caps=[], paused=False))
    fresh = "support-agent-4.9.0"
    for release in RELEASES:
        world.agents[release] = Behavior()
    world.ship(fresh)
    world.run(4000)

    assert world.status.stable is not None
    assert (world.state, world.status.stable.release, world.ready_reason()) == (
        State.HEALTHY,
        fresh,
        "Healthy",
    )
    assert world.shares()[fresh] == 100
    owned = {
        name
        for name, metadata in world.snapshots.items()
        if any(o.uid == "uid-of-rollout" for o in metadata.owner_references)
    }
    assert snapshots_needed(world.status) <= owned
