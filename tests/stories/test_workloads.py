"""Input: rollouts with one Deployment as a template, in virtual time. Output: which pods run, and when.

Every write of a Deployment is checked on its way: nothing that has requests, or that a rollback needs, is
ever scaled down or deleted.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.rollout.observation import Observation
from testkit.builders.names import AGENT, NEW, NEXT, OLD, OLDEST, service_of
from testkit.builders.observations import owned_snapshots
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.workloads import DELAY, TEMPLATE, WORKLOAD
from testkit.world import Behavior, World, a_world

PLAN: Final[dict[str, Any]] = {
    "phases": [{"name": "half", "weight": 50, "durationSeconds": 60}],
    "bake": {"durationSeconds": 30},
    "rollback": {"verify": {"watchSeconds": 0}},
}


@dataclass(kw_only=True)
class Managed(World):
    """A world whose releases bring no agents; every decision is checked by `testkit.invariants`."""

    def pods(self) -> dict[str, int]:
        """Replicas by release."""
        return {
            release: deployment["spec"]["replicas"]
            for release in (OLDEST, OLD, NEW, NEXT)
            if (deployment := self.workloads.get(("Deployment", service_of(release))))
        }

    def release(self, name: str, behavior: Behavior | None = None) -> None:
        """A release without Service or Deployment, and the one changed line."""
        [snapshot] = owned_snapshots([name], uid=f"uid-of-{name}").values()
        self.make(a_ready_release(name, service=None), snapshot, behavior or Behavior())
        self.ask_for(name)


def a_managed_world(**workload: object) -> Managed:
    """An empty namespace with the template, and the first release, not decided on yet."""
    builder: RolloutBuilder = a_rollout(workload={**WORKLOAD, **workload}, **PLAN).asking_for(OLDEST)
    world = a_world(builder, kind=Managed)
    assert isinstance(world, Managed)
    world.workloads["Deployment", AGENT] = TEMPLATE
    world.release(OLDEST)
    return world


def promoted(world: Managed, *releases: str) -> None:
    """Ship them, one after the other."""
    for release in releases:
        world.release(release)
        world.run_until(State.HEALTHY)


def test_a_release_is_two_objects_that_no_one_writes_by_hand() -> None:
    """The first release begins once its own Deployment and Service are there, owned by the rollout."""
    world = a_managed_world()

    world.run_until(State.HEALTHY)

    deployment = world.workloads["Deployment", service_of(OLDEST)]
    service = world.workloads["Service", service_of(OLDEST)]
    assert world.pods() == {OLDEST: 2}
    assert world.status.stable is not None
    assert world.status.stable.service is not None
    assert world.status.stable.service.to_json() == {"name": service_of(OLDEST), "port": 8080}
    selector = {"agentrollouts.dev/agent": AGENT, "agentrollouts.dev/release": OLDEST}
    assert (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]) == (
        selector,
        selector,
    )
    owners = [manifest["metadata"]["ownerReferences"][0]["uid"] for manifest in (deployment, service)]
    assert owners == [world.rollout.metadata.uid] * 2
    assert [(workload.release, workload.scaled_down_time) for workload in world.status.workloads] == [
        (OLDEST, None)
    ]


def test_as_many_past_releases_stay_warm_as_the_plan_says() -> None:
    """With `keepWarm: 1`, the release before stable keeps its pods; the one before that loses them."""
    world = a_managed_world()
    world.run_until(State.HEALTHY)
    promoted(world, OLD)
    world.run(2 * DELAY)
    assert world.pods() == {OLDEST: 2, OLD: 2}

    promoted(world, NEW)
    world.run(60)

    assert world.pods() == {OLDEST: 0, OLD: 2, NEW: 2}
    assert [workload.release for workload in world.status.workloads if workload.scaled_down_time] == [OLDEST]


def test_a_release_that_lost_its_traffic_keeps_its_pods_for_the_delay() -> None:
    """They have that time for their last runs."""
    world = a_managed_world(keepWarm=0)
    world.run_until(State.HEALTHY)
    promoted(world, OLD)
    ended = world.status.history[0].end_time

    world.run((ended - world.now).total_seconds() + DELAY - 1)
    assert world.pods() == {OLDEST: 2, OLD: 2}
    world.run(5)

    assert world.pods() == {OLDEST: 0, OLD: 2}


def test_a_canary_that_was_rolled_back_loses_its_pods_after_the_delay() -> None:
    """They have that time for their last runs; stable keeps its own all along."""
    world = a_managed_world()
    world.run_until(State.HEALTHY)
    world.release(OLD, Behavior(failed=0.6))
    world.run_until(State.ROLLED_BACK)
    assert world.pods() == {OLDEST: 2, OLD: 2}

    world.run(DELAY + 10)

    assert world.pods() == {OLDEST: 2, OLD: 0}


def test_a_return_to_a_cold_release_waits_for_its_pods() -> None:
    """Git names a release that was healthy and has no pods: they start first, then it gets the traffic."""
    world = a_managed_world(keepWarm=0)
    world.run_until(State.HEALTHY)
    promoted(world, OLD)
    world.run(DELAY + 10)
    assert world.pods() == {OLDEST: 0, OLD: 2}

    world.deserted.add(OLDEST)
    world.ask_for(OLDEST)
    world.run(10)
    assert (world.state, world.shares()[OLD], world.pods()) == (State.PENDING, 100, {OLDEST: 2, OLD: 2})
    world.deserted.clear()
    world.run_until(State.HEALTHY)

    assert world.pods()[OLDEST] == 2
    assert world.status.stable is not None
    assert world.status.stable.release == OLDEST


def test_a_rollback_at_rest_starts_the_pods_of_a_cold_target() -> None:
    """A bad answer is not replaced by none: stable serves until the target has a ready endpoint."""
    world = a_managed_world(keepWarm=0)
    world.run_until(State.HEALTHY)
    promoted(world, OLD)
    world.run(DELAY + 10)
    assert world.pods() == {OLDEST: 0, OLD: 2}
    world.act(ActionType.ROLL_BACK, release=OLD)
    world.run(60)

    assert world.pods()[OLDEST] == 2
    assert world.status.stable is not None
    assert world.status.stable.release == OLDEST
    assert world.shares()[OLDEST] == 100


def test_objects_go_with_the_history_that_names_them() -> None:
    """What no rollback can return to is deleted: Deployment and Service."""
    world = a_managed_world(keepWarm=0, scaleDownDelaySeconds=0)
    world.edit(
        lambda builder: builder.planning(historyLimit=1, rollback={**PLAN["rollback"], "maxWalkBack": 1})
    )
    world.run_until(State.HEALTHY)
    bad = Behavior(failed=0.6)
    world.release(OLD, bad)
    world.run_until(State.ROLLED_BACK)
    world.release(NEW, bad)
    world.run_until(State.ROLLED_BACK)
    world.run(60)

    assert {release for release in (OLDEST, OLD, NEW) if release in world.pods()} == {OLDEST, NEW}
    assert ("Service", service_of(OLD)) not in world.workloads
    assert {workload.release for workload in world.status.workloads} == {OLDEST, NEW}


def test_an_edit_of_the_template_reaches_the_next_release_only() -> None:
    """Otherwise stable would change under running traffic."""
    world = a_managed_world()
    world.run_until(State.HEALTHY)
    before = world.workloads["Deployment", service_of(OLDEST)]
    container = {"name": "agent", "image": "registry.example/agent:2"}
    pod = {**TEMPLATE["spec"]["template"], "spec": {"containers": [container]}}
    world.workloads["Deployment", AGENT] = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "template": pod}}

    promoted(world, OLD)

    after = world.workloads["Deployment", service_of(OLD)]
    assert world.workloads["Deployment", service_of(OLDEST)] == before
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/agent:2"


def test_the_replicas_of_an_autoscaler_are_left_alone() -> None:
    """Only from and to 0 does the operator scale."""
    world = a_managed_world()
    world.run_until(State.HEALTHY)
    stable = world.workloads["Deployment", service_of(OLDEST)]
    world.workloads["Deployment", service_of(OLDEST)] = {**stable, "spec": {**stable["spec"], "replicas": 7}}

    promoted(world, OLD)
    world.run(2 * DELAY)

    assert world.pods() == {OLDEST: 7, OLD: 2}


def test_nothing_is_read_at_rest() -> None:
    """Once everything is as it should be, a decision depends on no Deployment and needs no time."""
    world = a_managed_world()
    world.run_until(State.HEALTHY)
    promoted(world, OLD, NEW)
    world.run(2 * DELAY)

    decision = world.decide()

    assert (decision.unread, decision.chores, decision.wake_at) == (frozenset(), (), None)


def test_without_a_template_the_release_is_pending_and_says_what_to_do() -> None:
    """And begins soon after the template is there, though no one watches it."""
    world = a_managed_world()
    del world.workloads["Deployment", AGENT]
    world.settle()
    assert (world.state, world.ready_reason()) == (State.PENDING, Reason.TEMPLATE_UNFIT)
    assert f"Deployment {AGENT} does not exist" in world.status.conditions[0].message

    world.workloads["Deployment", AGENT] = TEMPLATE
    world.run(45)

    assert (world.state, world.pods()) == (State.BAKING, {OLDEST: 2})


def test_a_deployment_of_someone_else_is_left_alone() -> None:
    """The release stays pending, and nothing is written."""
    world = a_managed_world()
    theirs = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "name": service_of(OLDEST)}}
    world.workloads["Deployment", service_of(OLDEST)] = theirs

    world.run(60)

    assert (world.state, world.ready_reason()) == (State.PENDING, Reason.NAME_TAKEN)
    assert world.workloads["Deployment", service_of(OLDEST)] == theirs
    assert ("Service", service_of(OLDEST)) not in world.workloads


def test_a_weight_on_any_route_keeps_the_pods() -> None:
    """A route of someone else that the rollout does not know keeps the release that it names alive."""
    world = a_managed_world()
    world.run_until(State.HEALTHY)
    promoted(world, OLD)
    observe = world.observe

    def observe_weighted() -> Observation:
        return replace(observe(), weighted=frozenset({service_of(OLDEST)}))

    world.observe = observe_weighted  # type: ignore[method-assign]

    promoted(world, NEW)
    world.run(2 * DELAY)
    assert world.pods()[OLDEST] == 2
    world.observe = observe  # type: ignore[method-assign]
    world.run(60)

    assert world.pods()[OLDEST] == 0


def test_a_rollout_that_is_made_again_makes_its_stable_release_again() -> None:
    """The workloads went with their owner; what the snapshots know is healthy gets pods first of all."""
    world = a_managed_world()
    world.run_until(State.HEALTHY)
    world.workloads = {("Deployment", AGENT): TEMPLATE}
    world.traffic.clear()
    world.base = replace(world.base, status=type(world.status)())
    world.rollout = world.base.build()

    world.run(60)

    assert world.status.stable is not None
    assert (world.status.stable.release, world.pods()) == (OLDEST, {OLDEST: 2})
