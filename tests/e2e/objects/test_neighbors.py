"""Input: two rollouts of one agent, two routes with one hostname. Output: who is refused or warned."""

import re
from functools import partial

from agentrollouts.adapters.cluster.resources import Ref
from tests.e2e.api import Manifest
from tests.e2e.manifests import FIRST, a_release, a_rollout, routed
from tests.e2e.scene import Scene, condition_of


def events_about(given: Scene, name: str, reason: str) -> list[Manifest]:
    """The Events of one reason about an object, as the API server keeps them."""
    return [
        event
        for event in given.witness.all("Event", given.namespace)
        if event["involvedObject"]["name"] == name and event["reason"] == reason
    ]


def test_the_younger_rollout_of_an_agent_waits_for_the_older_one(given: Scene) -> None:
    """Refused with a Warning, no traffic object of its own; it begins once the older one is deleted."""
    given.serving("shared")
    second = a_rollout(given.namespace, "second", f"shared-{FIRST}")
    second["spec"]["agent"] = "shared"
    given.api.apply(second)

    assert "AgentRollout shared" in given.says("AgentRollout", "second", "Ready", "AgentTaken")
    assert condition_of(given.manifest("AgentRollout", "second"), "Stalled")["status"] == "True"
    given.witness.wait("a Warning", partial(events_about, given, "second", "AgentTaken"))
    [event] = events_about(given, "second", "AgentTaken")
    assert event["type"] == "Warning"
    assert re.fullmatch(r"[-0-9]+T[:0-9]+\.\d{6}Z", event["eventTime"])
    assert event["reportingComponent"] == "agentrollouts.dev/operator"
    traffic = given.ref("ConfigMap", "second-traffic")
    assert given.witness.now(traffic) is None

    given.api.delete(given.ref("AgentRollout", "shared"))

    given.says("AgentRollout", "second", "Ready", "Healthy")
    assert given.witness.now(traffic) is not None


def test_two_routes_with_one_hostname_are_warned_about(given: Scene) -> None:
    """On both sides, also for a route of somebody else, and for as long as it is so; the traffic goes on."""
    [shop] = given.serving("shop", traffic=routed(given.namespace))
    assert condition_of(shop.manifest, "RouteConflict") == {}
    other: Manifest = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "other", "namespace": given.namespace},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "default"}],
            "hostnames": [f"{given.namespace}.example.com"],
            "rules": [{"backendRefs": [{"name": "theirs", "port": 80}]}],
        },
    }
    given.api.apply(other)

    assert f"{given.namespace}/other" in given.says("AgentRollout", "shop", "RouteConflict", "HostnameShared")
    given.witness.wait("a Warning", partial(events_about, given, "shop", "HostnameShared"))
    shop.until("still Ready", lambda: shop.ready["status"] == "True")

    given.api.delete(Ref("HTTPRoute", given.namespace, "other"))
    given.witness.wait("no warning", lambda: condition_of(shop.manifest, "RouteConflict") == {})


def test_a_release_that_is_refused_and_the_rollout_that_wants_it_send_warnings(given: Scene) -> None:
    """Both kinds, once: `kubectl get events` is where people look first."""
    unpinned = a_release(given.namespace, "bad")
    unpinned["spec"]["components"]["knowledge"] = {"version": "1.0.0", "artifact": {"uri": "s3://kb/1"}}
    given.api.apply(unpinned, a_rollout(given.namespace, "bad", f"bad-{FIRST}"))

    for name, reason in ((f"bad-{FIRST}", "ArtifactWithoutDigest"), ("bad", "ReleaseNotReady")):
        given.witness.wait(f"a Warning about {name}", partial(events_about, given, name, reason))
        assert {event["type"] for event in events_about(given, name, reason)} == {"Warning"}
