"""Inputs: a route of somebody else, a status. Outputs: the patch of its weights, or why there is none."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Deletion, Manifest, Patch
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.traffic.routers.table import claimants, settle, taken_by
from agentrollouts.core.traffic.state import Routing, TrafficState
from agentrollouts.simulation.cluster import after
from agentrollouts.simulation.json_patch import TestFailedError, patched
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, BY_ROUTE, ROUTE, THEIRS, a_backend, a_shop, their_route
from testkit.invariants import check_patch
from testkit.world import Behavior, World, a_world

KEY = "support-agent.agentrollouts.dev/split"
AT_REST = a_rollout(traffic=BY_PATCH).serving(OLD)
TRYING = AT_REST.trying(NEW)
OLD_SERVICE, NEW_SERVICE = service_of(OLD), service_of(NEW)


def state(obs: Observation) -> TrafficState:
    """The traffic, compared with what the persisted status desires."""
    return Routing(obs).state(obs.status)


def patches(obs: Observation) -> tuple[Patch, ...]:
    """What is written into routes of others."""
    return tuple(change for change in state(obs).changes if isinstance(change, Patch))


def seeing(builder: RolloutBuilder, route: Manifest | None, **fields: Any) -> Observation:  # noqa: ANN401 any field
    """A world with that route of somebody else."""
    ours = {key: manifest for key, manifest in shown(builder.build()).items() if key != THEIRS}
    return an_observation(builder, traffic={**ours, **({THEIRS: route} if route else {})}, **fields)


def due(builder: RolloutBuilder, route: Manifest) -> Manifest:
    """The route after what is due."""
    for patch in patches(seeing(builder, route)):
        route = after(patch, route)
    return route


def weights(route: Manifest) -> dict[str, int]:
    """The weights in the rule of the agent."""
    return {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][1]["backendRefs"]}


def claim(route: Manifest) -> Any:  # noqa: ANN401 JSON
    """What the annotation says."""
    return json.loads(route["metadata"]["annotations"][KEY])


def test_the_whole_patch_of_a_canary() -> None:
    """Tests of what was read, the two weights, and one annotation that says what was done."""
    refs = [a_backend(OLD_SERVICE, 100), a_backend(NEW_SERVICE, None)]
    text = {
        "rule": "agent",
        "services": [OLD_SERVICE, NEW_SERVICE],
        "stable": OLD_SERVICE,
        "uid": "uid-of-rollout",
    }

    [patch] = patches(seeing(TRYING, their_route(*refs)))

    assert patch == Patch(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "shop", "namespace": "support"},
        },
        (
            {"op": "test", "path": "/spec/rules/1/name", "value": "agent"},
            {"op": "test", "path": "/spec/rules/1/backendRefs", "value": refs},
            {"op": "add", "path": "/spec/rules/1/backendRefs/0/weight", "value": 95},
            {"op": "add", "path": "/spec/rules/1/backendRefs/1/weight", "value": 5},
            {"op": "test", "path": "/metadata/annotations", "value": None},
            {
                "op": "add",
                "path": "/metadata/annotations",
                "value": {KEY: json.dumps(text, separators=(",", ":"))},
            },
        ),
    )


def test_a_service_of_the_group_core_is_a_service() -> None:
    """As routes in a mesh often name it; the API server takes any group."""
    refs = [a_backend(service, group="core") for service in (OLD_SERVICE, NEW_SERVICE)]

    assert weights(due(TRYING.in_phase(1), their_route(*refs))) == {OLD_SERVICE: 75, NEW_SERVICE: 25}


def test_annotations_of_others_stay() -> None:
    """Ours is added beside them, and goes alone."""
    theirs = {"argocd.argoproj.io/tracking-id": "shop"}
    route = due(TRYING, a_shop(OLD, NEW, annotations=theirs))
    assert {**route["metadata"]["annotations"], KEY: ""} == {**theirs, KEY: ""}

    [patch] = settle([route], "support-agent")
    assert after(patch, route)["metadata"]["annotations"] == theirs


@given(
    st.lists(
        st.sampled_from(
            [a_backend("a", 0), a_backend("b", 0, namespace="elsewhere"), a_backend("c", 0, kind="Pool")]
        ),
        max_size=3,
    ),
    st.permutations([a_backend(OLD_SERVICE, 3), a_backend(NEW_SERVICE, None, filters=[{"type": "x"}])]),
    st.sampled_from([TRYING, TRYING.in_phase(1), TRYING.rolling_back(), AT_REST]),
)
def test_everything_else_is_byte_identical(
    others: list[Manifest], ours: list[Manifest], builder: RolloutBuilder
) -> None:
    """Only weights of the rule's own releases change, wherever they stand; the status needs no more then."""
    route = their_route(*others, *ours)
    written = due(builder, route)

    check_patch(route, written)
    assert weights(written)[OLD_SERVICE] + weights(written)[NEW_SERVICE] == 100
    assert due(builder, written) == written
    assert state(seeing(builder, written)).blocked is None


@pytest.mark.parametrize(
    "meddle",
    [
        lambda route: route["spec"]["rules"].reverse(),
        lambda route: route["spec"]["rules"][1]["backendRefs"].reverse(),
        lambda route: route["spec"]["rules"][1]["backendRefs"].append(a_backend("new", 1)),
        lambda route: route["spec"]["rules"][1]["backendRefs"][0].update(port=1),
        lambda route: route["metadata"].update(annotations={"theirs": "kept"}),
    ],
)
def test_a_patch_of_what_was_read_fails_on_anything_else(meddle: Callable[[Any], None]) -> None:
    """Somebody was faster: nothing is written, and it is looked at again."""
    route = a_shop(OLD, NEW)
    [patch] = patches(seeing(TRYING, route))
    changed = json.loads(json.dumps(route))
    meddle(changed)

    with pytest.raises(TestFailedError):
        patched(changed, patch.operations)


def test_the_way_back_is_one_patch_with_the_latch() -> None:
    """Stable 100, canary 0 and which attempt it was, all or nothing."""
    route = due(TRYING.in_phase(1), a_shop(OLD, NEW))
    [patch] = patches(seeing(TRYING.rolling_back(), route))
    back = after(patch, route)

    assert weights(back) == {OLD_SERVICE: 100, NEW_SERVICE: 0}
    assert (claim(back)["rolledBack"], claim(back)["trigger"]) == (2, "Breach")


def test_a_latch_in_the_route_finishes_the_rollback_after_a_crash() -> None:
    """The process ended between the patch and the status; the next one does not go forward again."""
    back = due(TRYING.rolling_back(), due(TRYING, a_shop(OLD, NEW)))

    status = decide(seeing(TRYING, back)).status

    assert status is not None
    assert status.attempt is not None
    assert status.attempt.state is State.ROLLING_BACK
    of_another = back["metadata"]["annotations"][KEY].replace("uid-of-rollout", "uid-of-its-predecessor")
    kept = decide(
        seeing(TRYING, {**back, "metadata": {**back["metadata"], "annotations": {KEY: of_another}}})
    )
    assert kept.status is None or kept.status.attempt == TRYING.status.attempt


def test_a_former_release_has_nothing() -> None:
    """After a promotion the old backend stays in the rule with weight 0, whatever Git says of it."""
    promoted = AT_REST.serving(NEW).asking_for(NEW)
    route = their_route(a_backend(OLD_SERVICE, 100), a_backend(NEW_SERVICE, 0))

    assert weights(due(promoted, route)) == {OLD_SERVICE: 0, NEW_SERVICE: 100}


def test_what_was_set_before_is_known_though_the_history_is_short() -> None:
    """The claim says which backends were ours."""
    route = due(TRYING, a_shop(OLD, NEW))
    forgetful = AT_REST.serving(NEW).asking_for(NEW).having(history=())

    assert weights(due(forgetful, route)) == {OLD_SERVICE: 0, NEW_SERVICE: 100}


def renamed(route: Manifest, **metadata: object) -> Manifest:
    """The route with other metadata."""
    return {**route, "metadata": {**route["metadata"], **metadata}}


def with_rules(*names: str) -> Manifest:
    """A route with rules of these names, all alike."""
    route = a_shop(OLD, NEW)
    rule = route["spec"]["rules"][1]
    return {
        **route,
        "spec": {"rules": [{**rule, "name": name} if name else dict(rule, name=None) for name in names]},
    }


OURS = {"app.kubernetes.io/managed-by": "agentrollouts"}


@pytest.mark.parametrize(
    ("route", "reason", "words"),
    [
        (None, Reason.ROUTE_NOT_FOUND, "no HTTPRoute shop in namespace support; create it"),
        (
            with_rules("web"),
            Reason.ROUTE_UNEXPECTED,
            "must have one rule named agent, it has 0 (its rules: web)",
        ),
        (with_rules(), Reason.ROUTE_UNEXPECTED, "it has 0 (its rules: none)"),
        (with_rules("agent", "agent"), Reason.ROUTE_UNEXPECTED, "it has 2 (its rules: agent, agent)"),
        (a_shop(OLD), Reason.ROUTE_UNEXPECTED, f"add {{name: {NEW_SERVICE}, port: 8080, weight: 0}}"),
        (a_shop(NEW), Reason.ROUTE_UNEXPECTED, f"no backend for release {OLD}"),
        (a_shop(), Reason.ROUTE_UNEXPECTED, f"no backend for release {OLD}"),
        (a_shop(OLD, NEW, NEW), Reason.ROUTE_UNEXPECTED, f"lists Service {NEW_SERVICE} twice"),
        (
            their_route(a_backend(OLD_SERVICE), a_backend(NEW_SERVICE), a_backend("x", None)),
            Reason.ROUTE_UNEXPECTED,
            "backend x has weight 1 but is not a release of this rollout",
        ),
        (
            their_route(a_backend(OLD_SERVICE), a_backend(NEW_SERVICE, namespace="b")),
            Reason.ROUTE_UNEXPECTED,
            f"no backend for release {NEW}",
        ),
        (a_shop(OLD, NEW, labels=OURS), Reason.ROUTE_UNEXPECTED, "was created by the operator"),
    ],
)
def test_what_looks_unexpected_is_left_alone(route: Manifest | None, reason: Reason, words: str) -> None:
    """The attempt is held, a condition says what to do, and nothing is written.

    `Stalled` only where an edit is needed: a route that is not there may be on its way.
    """
    obs = seeing(TRYING, route)
    decision = decide(obs)

    assert not [write for write in decision.writes if isinstance(write, Patch)]
    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.hold is not None
    assert decision.status.attempt.hold.reason == reason
    conditions = {condition.type: condition for condition in decision.status.conditions}
    applied = conditions["TrafficApplied"]
    is_stalled = "False" if reason is Reason.ROUTE_NOT_FOUND else "True"
    assert (applied.status, applied.reason, conditions["Stalled"].status) == ("False", reason, is_stalled)
    assert words in applied.message


def test_nothing_begins_before_the_rule_has_a_backend_for_it() -> None:
    """The new release is named; once it is added, the attempt begins by itself."""
    world = a_world(AT_REST, OLD, NEW)
    world.traffic[THEIRS] = due(AT_REST, a_shop(OLD))
    world.run(60)
    assert (world.ready_reason(), world.state) == ("RouteUnexpected", State.PENDING)

    world.traffic[THEIRS] = their_route(a_backend(OLD_SERVICE, 100), a_backend(NEW_SERVICE, 0))
    world.run(60)
    assert (world.state, world.canary_weight) == (State.CANARY, 5)


@pytest.mark.parametrize(
    "route",
    [
        their_route(a_backend(OLD_SERVICE, 75), a_backend(NEW_SERVICE, 25), a_backend("x", 9)),
        their_route(a_backend(OLD_SERVICE, 75), a_backend(NEW_SERVICE, 25), a_backend(NEW_SERVICE, 25)),
        their_route(a_backend(OLD_SERVICE, 75)),
    ],
)
def test_the_way_back_is_not_stopped_by_what_is_unexpected(route: Manifest) -> None:
    """Whatever the rule looks like, the canary is taken out of it, and the rollback comes to its end."""
    back = TRYING.rolling_back()
    written = due(back, route)

    refs = written["spec"]["rules"][1]["backendRefs"]
    assert {ref["name"]: ref["weight"] for ref in refs if ref["name"] in {OLD_SERVICE, NEW_SERVICE}} in (
        {OLD_SERVICE: 100, NEW_SERVICE: 0},
        {OLD_SERVICE: 100},
    )
    assert not [ref for ref in refs if ref["name"] == NEW_SERVICE and ref["weight"]]
    decision = decide(seeing(back, written))
    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.state is State.VERIFYING


def test_a_canary_alone_in_its_rule_is_not_turned_off() -> None:
    """Without stable's backend, weight 0 would leave the requests without an answer; a person is called."""
    route = their_route(a_backend(NEW_SERVICE, 100))
    decision = decide(seeing(TRYING.rolling_back(), route))

    assert due(TRYING.rolling_back(), route) == route
    assert decision.status is not None
    assert {condition.type: condition.reason for condition in decision.status.conditions}[
        "TrafficApplied"
    ] == (Reason.ROUTE_UNEXPECTED)


def other(name: str, created: str, **fields: object) -> Manifest:
    """Another rollout as returned by the API server."""
    metadata = {"name": name, "creationTimestamp": created, **fields}
    return {"metadata": metadata, "spec": {"traffic": BY_PATCH}}


def on_another_rule(rollout: Manifest) -> Manifest:
    """The same rollout beside us in the same route."""
    return {**rollout, "spec": {"traffic": {"routePatch": {"name": "shop", "rule": "b"}}}}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], None),
        ([other("older", "2026-11-21T09:59:59Z")], "older"),
        ([other("younger", "2026-11-21T10:00:01Z")], None),
        ([other("older", "2026-11-21T09:00:00Z"), other("oldest", "2026-11-20T10:00:00Z")], "oldest"),
        ([other("a-same-second", "2026-11-21T10:00:00Z")], "a-same-second"),
        ([other("z-same-second", "2026-11-21T10:00:00Z")], None),
        ([other("going", "2026-11-21T09:59:59Z", deletionTimestamp="2026-11-21T10:00:00Z")], None),
        ([{"metadata": {"name": "bare", "creationTimestamp": "2026-11-21T09:59:59Z"}}], None),
        (
            [on_another_rule(other("old", "2026-11-21T09:59:59Z"))],
            None,
        ),
    ],
)
def test_the_older_of_two_rollouts_keeps_the_rule(others: list[Manifest], expected: str | None) -> None:
    """By creation time, and by name within a second."""
    rollout = AT_REST.build()
    rollout = rollout.replace(metadata=rollout.metadata.replace(creation_timestamp=START))

    assert taken_by(rollout, others) == expected


def test_the_younger_writes_nothing() -> None:
    """It says whose the rule is."""
    obs = seeing(AT_REST, a_shop(OLD, NEW), rule_taken_by="older")

    assert patches(obs) == ()
    problem = state(obs).problem
    assert problem is not None
    assert problem.reason is Reason.RULE_TAKEN
    assert "rollout older is older" in problem.message


def a_shop_world(builder: RolloutBuilder = AT_REST, *releases: str) -> World:
    """A world with a route of somebody else that has all backends, and what serves."""
    world = a_world(builder, OLD, NEW, *releases)
    world.traffic[THEIRS] = a_shop(OLDEST, OLD, NEW, NEXT)
    return world


def test_a_first_release_needs_one_backend() -> None:
    """It has 100 from the beginning, though the user gave it no weight at all."""
    world = a_world(a_rollout(traffic=BY_PATCH).asking_for(OLD), OLD)
    world.traffic[THEIRS] = their_route(a_backend(OLD_SERVICE, None))
    world.run_until(State.HEALTHY)
    world.settle()

    assert (world.shares(), world.ready_reason()) == ({OLD: 100}, "Healthy")
    assert weights(world.traffic[THEIRS]) == {OLD_SERVICE: 100}


def test_a_good_release_walks_all_phases_and_the_next_one_too() -> None:
    """The rule lists both; afterwards the old one has 0 and the next release takes its turn."""
    world = a_shop_world(AT_REST, NEXT)
    world.run_until(State.HEALTHY)
    world.settle()
    assert weights(world.traffic[THEIRS]) == {
        service_of(OLDEST): 0,
        OLD_SERVICE: 0,
        NEW_SERVICE: 100,
        service_of(NEXT): 0,
    }
    assert world.route_weights[:3] == [5, 25, 32]

    world.ship(NEXT)
    world.run_until(State.CANARY)
    world.run_until(State.HEALTHY)
    world.settle()
    assert (weights(world.traffic[THEIRS])[service_of(NEXT)], world.ready_reason()) == (100, "Healthy")


def test_a_bad_release_is_taken_back() -> None:
    """By the gate, in one patch, and quarantined."""
    world = a_shop_world()
    world.agents[NEW] = Behavior(failed=0.5)
    world.run_until(State.ROLLED_BACK)
    world.settle()

    assert weights(world.traffic[THEIRS])[OLD_SERVICE] == 100
    assert (world.route_weights, world.ready_reason()) == ([5, 0], "Quarantined")


def test_a_rule_that_breaks_in_mid_attempt_holds_it_and_a_repaired_one_lets_it_go_on() -> None:
    """Nothing is written meanwhile, and the clock stands."""
    world = a_shop_world()
    world.run_until(State.CANARY)
    whole = world.traffic[THEIRS]
    world.traffic[THEIRS] = renamed(
        their_route(a_backend(OLD_SERVICE, 95)), annotations=whole["metadata"]["annotations"]
    )
    world.run(120)
    assert (world.state, world.ready_reason(), weights(world.traffic[THEIRS])) == (
        State.HELD,
        "Held",
        {OLD_SERVICE: 95},
    )

    world.traffic[THEIRS] = whole
    world.run(30)
    assert world.state is State.CANARY


def test_weights_of_somebody_else_are_put_back() -> None:
    """A Git tool that writes 50/50 is named, and the split is as it was."""
    world = a_shop_world()
    world.run_until(State.CANARY)
    world.settle()
    route = json.loads(json.dumps(world.traffic[THEIRS]))
    for ref in route["spec"]["rules"][1]["backendRefs"][1:3]:
        ref["weight"] = 50
    fields: dict[str, Any] = {"f:spec": {"f:rules": {}}}
    entries = [
        {
            "manager": "traefik",
            "subresource": "status",
            "time": "2026-11-21T10:09:00Z",
            "fieldsV1": {"f:status": {}},
        },
        {"manager": "kubectl", "time": "2026-11-21T10:00:00Z", "fieldsV1": fields},
        {"manager": "argocd-controller", "time": "2026-11-21T10:08:00Z", "fieldsV1": fields},
    ]
    world.traffic[THEIRS] = renamed(route, managedFields=entries)
    world.settle()

    assert world.canary_weight == 5
    assert world.told(Reason.ROUTE_RESTORED) == [
        "HTTPRoute shop was changed by argocd-controller; the operator restored it"
    ]


def test_what_we_write_ourselves_is_no_foreign_write() -> None:
    """Though a Git tool wrote the rule before us: every step of a whole course is ours."""
    world = a_shop_world()
    entry = {"manager": "git", "time": "2026-11-21T09:00:00Z", "fieldsV1": {"f:spec": {"f:rules": {}}}}
    world.traffic[THEIRS] = renamed(world.traffic[THEIRS], managedFields=[entry])
    world.run_until(State.HEALTHY)
    world.settle()

    assert (weights(world.traffic[THEIRS])[NEW_SERVICE], world.told(Reason.ROUTE_RESTORED)) == (100, [])


def test_what_a_rollout_left_behind_is_settled() -> None:
    """Stable gets all of it, and no trace stays; a second look finds nothing."""
    route = due(
        TRYING.in_phase(1), their_route(a_backend(OLD_SERVICE), a_backend(NEW_SERVICE), a_backend("x"))
    )
    assert [*claimants(route)] == ["support-agent"]
    [patch] = settle([route], "support-agent")
    left = after(patch, route)

    check_patch(route, left)
    assert (weights(left), [*claimants(left)]) == ({OLD_SERVICE: 100, NEW_SERVICE: 0, "x": 0}, [])
    assert settle([left], "support-agent") == ()


@pytest.mark.parametrize(
    ("text", "refs"),
    [
        ("no JSON", [a_backend(OLD_SERVICE, 75), a_backend(NEW_SERVICE, 25)]),
        ('{"uid":"u","rule":"gone","stable":"support-agent-4-1-0"}', [a_backend(OLD_SERVICE, 75)]),
        (
            '{"uid":"u","rule":"agent","stable":"gone","services":["support-agent-4-2-0"]}',
            [a_backend(NEW_SERVICE, 25)],
        ),
        ('{"uid":"u","rule":"agent","services":["support-agent-4-2-0"]}', [a_backend(NEW_SERVICE, 100)]),
        ('{"uid":"u","rule":"agent"}', [a_backend("pool", 3, kind="Pool")]),
    ],
)
def test_what_cannot_be_settled_keeps_its_weights(text: str, refs: list[Manifest]) -> None:
    """Its owner has changed the rule since; only our annotation goes."""
    route = their_route(*refs, annotations={KEY: text})
    [patch] = settle([route], "support-agent")

    assert patch.operations == (
        {"op": "remove", "path": "/metadata/annotations/support-agent.agentrollouts.dev~1split"},
    )


@pytest.mark.parametrize(
    "traffic",
    [{}, BY_ROUTE, {"routePatch": {"name": "another", "rule": "agent"}}],
    ids=["config alone", "own route", "another route"],
)
def test_a_route_that_is_patched_no_more_is_settled(traffic: object) -> None:
    """The user chose another way in mid-attempt: the old one must not keep the canary for ever."""
    route = due(TRYING, a_shop(OLD, NEW))
    written = due(TRYING.planning(traffic=traffic), route)

    assert (weights(written), [*claimants(written)]) == ({OLD_SERVICE: 100, NEW_SERVICE: 0}, [])


def test_another_rule_of_the_same_route_is_taken_after_the_old_one_is_settled() -> None:
    """Two patches, the first of which makes the second possible."""
    builder = TRYING.planning(traffic={"routePatch": {"name": "shop", "rule": "api"}})
    route = due(TRYING, a_shop(OLD, NEW))
    route["spec"]["rules"].append(
        {"name": "api", "backendRefs": [a_backend(OLD_SERVICE), a_backend(NEW_SERVICE)]}
    )

    first = due(builder, route)
    second = due(builder, first)

    shares = [[ref["weight"] for ref in rule["backendRefs"]] for rule in second["spec"]["rules"][1:]]
    assert (weights(first), shares) == ({OLD_SERVICE: 100, NEW_SERVICE: 0}, [[100, 0], [95, 5]])


def test_a_route_of_ours_goes_once_the_other_way_serves() -> None:
    """In mid-attempt it is kept right; afterwards, with the user's route as asked, it is deleted."""
    world = a_shop_world(a_rollout().serving(OLD))
    world.run_until(State.CANARY)
    world.settle()
    world.edit(lambda builder: builder.planning(traffic=BY_PATCH))
    world.settle()
    assert {ref["weight"] for ref in world.traffic[ROUTE]["spec"]["rules"][0]["backendRefs"]} == {95, 5}

    world.run_until(State.HEALTHY)
    world.settle()
    assert (ROUTE in world.traffic, world.shares()[NEW]) == (False, 100)


def test_a_route_of_ours_that_is_not_wanted_goes_at_rest() -> None:
    """In the very version that was seen, and not before the status says what is so."""
    rest = a_rollout().serving(OLD).asking_for(OLD)
    seen = shown(rest.build())
    alone = rest.planning(traffic={})

    decision = decide(an_observation(alone, traffic={**seen, **shown(alone.build())}))

    assert decision.writes == (Deletion(seen[ROUTE]),)


def test_a_route_of_somebody_else_is_never_deleted() -> None:
    """Though it has the name that ours had."""
    rest = a_rollout().serving(OLD).asking_for(OLD).planning(traffic={})
    theirs = {
        ROUTE: {**shown(a_rollout().serving(OLD).build())[ROUTE], "metadata": {"name": "support-agent"}}
    }

    assert decide(an_observation(rest, traffic={**shown(rest.build()), **theirs})).writes == ()


def test_what_is_asked_for_has_nothing_before_it_begins() -> None:
    """The release that is asked for may stand in the rule with a weight: it is taken to 0 until it begins."""
    route = their_route(a_backend(OLD_SERVICE, 100), a_backend(NEW_SERVICE, None))
    obs = replace(seeing(AT_REST, route), release=a_ready_release(NEW))

    [patch] = patches(obs)
    assert weights(after(patch, route)) == {OLD_SERVICE: 100, NEW_SERVICE: 0}


def sticky(*backends: Any, **persistence: str) -> Manifest:  # noqa: ANN401 backends
    """A rule that keeps users on the backend that they got first."""
    route = their_route(*backends)
    web, agent = route["spec"]["rules"]
    agent = {**agent, "sessionPersistence": persistence}
    return {**route, "spec": {**route["spec"], "rules": [web, agent]}}


BACKENDS = (a_backend(OLD_SERVICE, 95), a_backend(NEW_SERVICE, 5))


@pytest.mark.parametrize("persistence", [{}, {"type": "Cookie"}, {"type": "Header", "sessionName": "user"}])
def test_a_sticky_rule_gets_no_canary(persistence: dict[str, str]) -> None:
    """Users would stay with the canary at weight 0, so the attempt does not begin, and says why."""
    decision = decide(seeing(AT_REST.asking_for(NEW), sticky(*BACKENDS, **persistence)))
    assert decision.status is not None
    ready, _, stalled, *_ = decision.status.conditions

    assert (ready.reason, stalled.reason) == (Reason.STICKY_ROUTE, Reason.STICKY_ROUTE)
    assert ready.message == (
        "rule agent of HTTPRoute shop has sessionPersistence, which keeps users on the canary at weight 0; "
        "remove it from the rule"
    )
    assert decision.status.canary is None


def test_a_rule_that_becomes_sticky_holds_the_canary_and_does_not_stop_the_way_back() -> None:
    """Forward is refused, and 100/0 is written anyway."""
    route = sticky(*BACKENDS, type="Cookie")
    held = decide(seeing(TRYING, route))
    assert held.status is not None
    assert held.status.attempt is not None
    assert held.status.attempt.hold is not None
    assert (held.status.attempt.state, held.status.attempt.hold.reason) == (State.HELD, Reason.STICKY_ROUTE)
    assert held.writes == ()

    back = decide(seeing(TRYING.asking_for(OLD), route))
    [patch] = [write for write in back.writes if isinstance(write, Patch)]
    assert weights(after(patch, route)) == {OLD_SERVICE: 100, NEW_SERVICE: 0}


def test_sessions_of_another_rule_do_not_matter() -> None:
    """Only the rule of the agent has a canary."""
    route = their_route(*BACKENDS)
    web, agent = route["spec"]["rules"]
    route = {
        **route,
        "spec": {**route["spec"], "rules": [{**web, "sessionPersistence": {"type": "Cookie"}}, agent]},
    }

    assert state(seeing(TRYING, route)).problem is None


def test_sessions_that_someone_adds_to_our_own_route_are_taken_out_again() -> None:
    """What is not ours may stay in a rule of ours, but not what keeps users on a canary."""
    builder = a_rollout().serving(OLD).trying(NEW)
    traffic = shown(builder.build())
    route = traffic[ROUTE]
    rule = {**route["spec"]["rules"][0], "sessionPersistence": {"type": "Cookie"}}
    edited = {**route, "spec": {**route["spec"], "rules": [rule]}}

    decision = decide(an_observation(builder, traffic={**traffic, ROUTE: edited}))

    [write] = decision.writes
    assert "sessionPersistence" not in write.manifest["spec"]["rules"][0]
