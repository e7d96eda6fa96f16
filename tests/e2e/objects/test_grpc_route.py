"""`traffic.grpcRoute` on a real gateway: the GRPCRoute is accepted, its weights move, a rollback is 100/0."""

from tests.e2e.known import reported
from tests.e2e.manifests import FIRST, routed, service_of
from tests.e2e.scene import BACK, HALF, SECOND, Scene


def test_a_grpc_route_is_accepted_split_and_rolled_back(given: Scene) -> None:
    """The gateway confirms the weights of a canary, which an action takes back with one write."""
    traffic = {"grpcRoute": routed(given.namespace)["httpRoute"]}
    [shop] = given.serving("caller", traffic=traffic)
    shop.ships(SECOND, phases=HALF)
    shop.is_counting(phase="half")
    route = given.api.get(shop.route)

    assert (route["kind"], shop.weights()) == ("GRPCRoute", (50, 50))
    assert reported(given, shop.route) == {"Accepted": True, "ResolvedRefs": True}
    names = [service_of(f"caller-{version}") for version in (FIRST, SECOND)]
    assert [ref["name"] for ref in route["spec"]["rules"][0]["backendRefs"]] == names
    assert given.api.find(given.ref("HTTPRoute", "caller")) is None

    shop.act("RollBack", release=shop.asked)
    shop.is_back()
    shop.comes_to("RolledBack")
    canary = [version for version in given.witness.versions(shop.route) if version.latch]
    assert {version.weights for version in canary} == {BACK}
    assert reported(given, shop.route) == {"Accepted": True, "ResolvedRefs": True}
