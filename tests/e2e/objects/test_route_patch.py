"""Input: a route that people or Git own, and releases. Output: weights in its one rule, and no other byte."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from agentrollouts.adapters.cluster.resources import Ref
from sandbox.agents.endpoints import a_service
from sandbox.programs import web
from tests.e2e.api import Manifest
from tests.e2e.manifests import FIRST, phase, service_of
from tests.e2e.scene import Scene, Shop, now
from tests.e2e.shop_route import BY_PATCH, backend, claims, rest_of, shares, shop, shop_route
from tests.e2e.witness import eventually
from tests.repetitions import without_repetitions

SECOND, THIRD = "2.0.0", "3.0.0"
STEADY: Final[Mapping[str, Any]] = {"phases": [phase("half", 50, 600)]}
"""A plan whose phase lasts for as long as the test."""


def name(shop: Shop, version: str) -> str:
    """A release of the shop."""
    return f"{shop.agent}-{version}"


def restored(scene: Scene) -> float:
    """How often the operator says that it put something back."""
    families = text_string_to_metric_families(web.get(scene.operator.metrics_url))
    [sample] = [
        sample
        for family in families
        for sample in family.samples
        if sample.name == "agentrollouts_foreign_writes_total"
    ]
    return sample.value


def serving(scene: Scene, **spec: object) -> Shop:
    """A rollout on a route of somebody else, whose rule names its first release without a weight."""
    first = f"agent-{FIRST}"
    scene.api.apply(
        *a_service(scene.namespace, service_of(first)), shop_route(scene.namespace, backend(first, None))
    )
    [rollout] = scene.serving("agent", traffic=BY_PATCH, **spec)
    return rollout


def git_adds(scene: Scene, *backends: Manifest) -> float:
    """The team writes its route again, with backends for what comes; when the witness has seen that."""
    scene.api.apply(shop_route(scene.namespace, *backends))
    scene.witness.versions(shop(scene))
    return now()


def shares_of(scene: Scene) -> dict[str, int]:
    """The weights now."""
    return shares(scene.witness.get(shop(scene)))


def comes_to_shares(scene: Scene, **expected: int) -> None:
    """Wait for weights, given by version with underscores."""
    desired = {
        service_of(f"agent-{key.strip('v').replace('_', '.')}"): weight for key, weight in expected.items()
    }
    scene.witness.wait(f"{desired}", lambda: shares_of(scene) == desired)


def test_the_course_of_a_release_on_a_route_of_somebody_else(given: Scene) -> None:
    """A first release without a weight, one whose backend is missing at first, and one that is taken back.

    In every version of the route everything but our weights and our annotation is as its owner wrote it.
    """
    team = serving(given)
    comes_to_shares(given, v1_0_0=100)
    first, second, third = (name(team, version) for version in (FIRST, SECOND, THIRD))

    team.ships(SECOND)
    message = given.says("AgentRollout", "agent", "TrafficApplied", "Applied")
    assert message == ""
    ready_message = given.says("AgentRollout", "agent", "Ready", "RouteUnexpected")
    assert f"add {{name: {service_of(second)}, port: 8080, weight: 0}}" in ready_message

    added = git_adds(given, backend(first, 100), backend(second))
    team.is_counting("Canary")
    comes_to_shares(given, v1_0_0=50, v2_0_0=50)
    team.comes_to("Healthy")
    comes_to_shares(given, v1_0_0=0, v2_0_0=100)
    assert len({rest_of(version.manifest) for version in given.witness.versions(shop(given), added)}) == 1

    added = git_adds(given, backend(second, 100), backend(third))
    team.ships(THIRD, failing=0.9)
    team.comes_to("RolledBack")
    comes_to_shares(given, v2_0_0=100, v3_0_0=0)
    assert len({rest_of(version.manifest) for version in given.witness.versions(shop(given), added)}) == 1
    [route] = [version.manifest for version in given.witness.versions(shop(given))][-1:]
    assert '"rolledBack":3' in route["metadata"]["annotations"]["agent.agentrollouts.dev/split"]


def with_a_canary(given: Scene) -> Shop:
    """A rollout at 50%, for as long as the test."""
    team = serving(given, **STEADY)
    first, second = name(team, FIRST), name(team, SECOND)
    git_adds(given, backend(first, 100), backend(second))
    team.ships(SECOND)
    team.is_counting("Canary")
    comes_to_shares(given, v1_0_0=50, v2_0_0=50)
    return team


def test_a_git_loop_that_sets_its_own_weights_is_put_back_and_named(given: Scene) -> None:
    """One write for each of theirs, the attempt goes on, an Event says who it was, a metric counts."""
    team = with_a_canary(given)
    second, first = name(team, SECOND), name(team, FIRST)
    before, progress = restored(given), team.progress()

    began = now()
    for weight in (90, 10, 70):
        given.api.apply(shop_route(given.namespace, backend(first, 100 - weight), backend(second, weight)))
        given.witness.wait("their weights", partial(seen_with, given, began, second, weight))
        comes_to_shares(given, v1_0_0=50, v2_0_0=50)

    assert team.progress() == progress
    given.witness.wait("an Event", lambda: "RouteRestored" in given.events("agent"))
    [event] = [
        candidate
        for candidate in given.witness.all("Event", given.namespace)
        if candidate["reason"] == "RouteRestored"
    ]
    assert event["message"] == "HTTPRoute shop was changed by git; the operator restored it"
    eventually("all three are counted", lambda: restored(given) == before + 3)
    versions = [
        shares(version.manifest)[service_of(second)] for version in given.witness.versions(shop(given), began)
    ]
    assert without_repetitions(versions) == [50, 90, 50, 10, 50, 70, 50]


def seen_with(given: Scene, since: float, release: str, weight: int) -> bool:
    """Whether a version of the route gave a release this weight."""
    return any(
        shares(version.manifest)[service_of(release)] == weight
        for version in given.witness.versions(shop(given), since)
    )


def test_a_rollout_that_is_deleted_leaves_nothing_split(given: Scene) -> None:
    """No finalizer: it is gone at once, and its stable release has everything."""
    team = with_a_canary(given)

    given.api.delete(team.ref)

    given.witness.wait("gone", lambda: given.witness.get(team.ref) is None)
    comes_to_shares(given, v1_0_0=100, v2_0_0=0)
    assert claims(given.witness.get(shop(given))) == []


def test_a_rollout_that_is_deleted_while_the_operator_is_away_is_settled_at_its_start(given: Scene) -> None:
    """The route itself says what was split on it."""
    team = with_a_canary(given)
    given.operator.kill()
    given.api.delete(team.ref)
    given.witness.wait("gone", lambda: given.witness.get(team.ref) is None)
    assert set(shares_of(given).values()) == {50}

    given.operator.start()

    comes_to_shares(given, v1_0_0=100, v2_0_0=0)
    assert claims(given.witness.get(shop(given))) == []


def test_the_older_of_two_rollouts_keeps_a_rule(given: Scene) -> None:
    """The younger says whose it is; nothing in the rule changes, until the older is gone."""
    team = serving(given)
    comes_to_shares(given, v1_0_0=100)
    began = now()
    time.sleep(1)  # creation times count in seconds
    rival = given.shop("rival", traffic=BY_PATCH)

    message = given.says("AgentRollout", "rival", "Ready", "RuleTaken")
    assert (
        message
        == "rule agent of HTTPRoute shop: rollout agent is older and sets its weights; name another rule"
    )
    assert {str(shares(version.manifest)) for version in given.witness.versions(shop(given), began)} == {
        str(shares_of(given))
    }

    given.api.delete(team.ref)
    given.says("AgentRollout", "rival", "Ready", "RouteUnexpected")
    assert rival.status.get("stable") is None


def test_from_a_route_of_the_operator_to_a_route_of_the_team_and_back(given: Scene) -> None:
    """The operator's goes once the team's has the weights; the team's is left as it was, without a trace."""
    first = f"agent-{FIRST}"
    given.api.apply(shop_route(given.namespace, backend(first)))
    parents = [{"name": "public", "namespace": "default"}]
    by_route = {"httpRoute": {"parentRefs": parents, "hostnames": [f"own-{given.namespace}.example.com"]}}
    [team] = given.serving("agent", traffic=by_route)
    own = Ref("HTTPRoute", given.namespace, "agent")
    given.witness.wait("the operator's route", lambda: given.witness.get(own) is not None)

    team.asks_for(FIRST, traffic=BY_PATCH)
    given.witness.wait("the operator's route is gone", lambda: given.witness.get(own) is None)
    assert shares_of(given) == {service_of(first): 100}

    team.asks_for(FIRST, traffic=by_route)
    given.witness.wait("the operator's route is back", lambda: given.witness.get(own) is not None)
    given.witness.wait("no trace", lambda: claims(given.witness.get(shop(given))) == [])
    assert shares_of(given) == {service_of(first): 100}
