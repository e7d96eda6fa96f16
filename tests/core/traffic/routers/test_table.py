"""What the traffic objects say, and when an object of the API server says it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.core.traffic.latch import Latch
from agentrollouts.core.traffic.manifests import Objects, covers, latch
from agentrollouts.core.traffic.state import Routing
from agentrollouts.core.traffic.weights import Weights, desired_weights
from agentrollouts.simulation.cluster import applied
from testkit.builders.names import NEW, OLD, UID, digest_of, snapshot_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.releases import a_record
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import ROUTE

TRYING = a_rollout().serving(OLD).trying(NEW)


def objects(builder: RolloutBuilder, seen: Objects | None = None) -> dict[str, Any]:
    """The rendered objects by kind."""
    rollout = builder.build()
    changes = Routing(an_observation(builder, traffic=seen or {})).state(rollout.status).changes
    return {change.manifest["kind"]: change.manifest for change in changes}


def backends(builder: RolloutBuilder) -> list[tuple[str, int]]:
    """Services and weights of the rendered route."""
    refs = objects(builder)["HTTPRoute"]["spec"]["rules"][0]["backendRefs"]
    return [(ref["name"], ref["weight"]) for ref in refs]


@given(st.integers(0, 100))
def test_weights_sum_to_a_hundred(canary: int) -> None:
    """There is no way to build others."""
    assert Weights(canary).stable + Weights(canary).canary == 100


@pytest.mark.parametrize("canary", [-1, 101])
def test_there_are_no_other_weights(canary: int) -> None:
    """A share below 0 or above 100 percent is a bug, not a split."""
    with pytest.raises(ValueError, match=f"not {canary}"):
        Weights(canary)


def test_the_whole_route_of_a_canary() -> None:
    """Everything that the operator owns in its route, and nothing more."""
    service = {"group": "", "kind": "Service", "port": 8080}
    expected = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": "support-agent",
            "namespace": "support",
            "labels": {
                "app.kubernetes.io/managed-by": "agentrollouts",
                "agentrollouts.dev/agent": "support-agent",
                "agentrollouts.dev/rollout": "support-agent",
            },
            "ownerReferences": [
                {
                    "apiVersion": "agentrollouts.dev/v1alpha1",
                    "kind": "AgentRollout",
                    "name": "support-agent",
                    "uid": "uid-of-rollout",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [
                        service | {"weight": 95, "name": "support-agent-4-1-0"},
                        service | {"weight": 5, "name": "support-agent-4-2-0"},
                    ],
                }
            ],
        },
    }  # fmt: skip

    assert objects(TRYING)["HTTPRoute"] == expected


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (a_rollout(), None),
        (a_rollout().in_state(State.INITIAL), 100),
        (a_rollout().serving(OLD), 0),
        (a_rollout().in_state(State.PENDING), 0),
        (TRYING, 5),
        (TRYING.in_phase(1), 25),
        (a_rollout().in_state(State.HELD), 5),
        (a_rollout().in_state(State.BAKING), 95),
        (a_rollout().in_state(State.ROLLING_BACK), 0),
        (a_rollout().in_state(State.VERIFYING), 0),
        (TRYING.in_phase(1).rolling_back(State.ROLLED_BACK).changing(weight=25), 0),
    ],
)
def test_the_weights_that_each_state_asks_for(builder: RolloutBuilder, expected: int | None) -> None:
    """The attempt's, unless it is latched, in line or over; nothing while there is nothing to serve."""
    weights = desired_weights(builder.status)

    assert (weights and weights.canary) == expected


def test_config_alone() -> None:
    """Without a route there is only the ConfigMap; before the first release there is nothing."""
    assert set(objects(TRYING.planning(traffic={}))) == {"ConfigMap"}
    assert objects(a_rollout()) == {}


def test_the_split_for_agents_that_split_by_themselves() -> None:
    """Both releases with what an agent needs to load them, the attempt and the generation."""
    split = json.loads(objects(TRYING)["ConfigMap"]["data"]["split.json"])

    assert split == {
        "agent": "support-agent",
        "attempt": 2,
        "generation": 1,
        "stable": {
            "release": OLD,
            "version": "4.1.0",
            "digest": digest_of(OLD),
            "snapshot": snapshot_of(OLD),
            "weight": 95,
        },
        "canary": {
            "release": NEW,
            "version": "4.2.0",
            "digest": digest_of(NEW),
            "snapshot": snapshot_of(NEW),
            "weight": 5,
        },
    }


@pytest.mark.parametrize("phase", range(3))
def test_the_flag_keeps_a_user_with_the_canary(phase: int) -> None:
    """The canary stands first and all shares sum to 100, so who got it at 5% still has it at 25%."""
    flags = json.loads(objects(TRYING.in_phase(phase))["ConfigMap"]["data"]["flags.json"])
    flag = flags["flags"]["support-agent-release"]
    [_, *shares] = flag["targeting"]["fractional"]

    assert [name for name, _ in shares] == [NEW, OLD]
    assert sum(weight for _, weight in shares) == 100
    assert flag["variants"] == {NEW: snapshot_of(NEW), OLD: snapshot_of(OLD)}
    assert flag["defaultVariant"] == OLD


def test_the_flag_of_a_single_release_asks_nobody() -> None:
    """With nothing to split there is no rule."""
    flags = json.loads(objects(a_rollout().serving(OLD))["ConfigMap"]["data"]["flags.json"])

    assert flags["flags"]["support-agent-release"] == {
        "state": "ENABLED",
        "variants": {OLD: snapshot_of(OLD)},
        "defaultVariant": OLD,
    }


def test_the_latch_is_on_both_objects() -> None:
    """Either one alone says which attempt was rolled back, and why."""
    back = objects(TRYING.rolling_back(trigger=Trigger.TIMEOUT))

    assert [latch(manifest) for manifest in back.values()] == [
        Latch(2, Trigger.TIMEOUT, "It failed.", UID)
    ] * 2
    assert backends(TRYING.rolling_back()) == [("support-agent-4-1-0", 100), ("support-agent-4-2-0", 0)]


def test_a_share_is_never_given_to_the_other_release() -> None:
    """Where one of the two has no service, a route with the other alone would send it all: there is none."""
    without = TRYING.having(stable=a_record(OLD, service=None))
    back = TRYING.having(canary=a_record(NEW, service=None)).rolling_back()

    assert set(objects(without)) == {"ConfigMap"}
    assert backends(back) == [("support-agent-4-1-0", 100)]


def test_a_route_of_ours_is_kept_right_while_it_exists() -> None:
    """Taking `httpRoute` from the spec deletes nothing, and requests still come by that route."""
    seen = shown(TRYING.build())
    back = TRYING.planning(traffic={}).rolling_back()
    theirs = {ROUTE: {**seen[ROUTE], "metadata": {**seen[ROUTE]["metadata"], "ownerReferences": []}}}

    kept = objects(back, seen)["HTTPRoute"]
    assert kept == objects(TRYING.rolling_back())["HTTPRoute"]
    assert set(objects(back, theirs)) == {"ConfigMap"}


def route() -> Any:  # noqa: ANN401 any value of JSON, or any field
    """The route of a canary as returned by the API server."""
    return json.loads(json.dumps(shown(TRYING.build())[ROUTE]))


def test_what_others_add_does_not_matter() -> None:
    """Defaults, status, annotations, labels and further owners of others leave the object as wanted."""
    desired, actual = objects(TRYING)["HTTPRoute"], route()
    actual["spec"]["rules"][0]["timeouts"] = {"request": "10s"}
    actual["spec"]["rules"][0]["backendRefs"][0]["filters"] = []
    actual["status"] = {"parents": []}
    actual["metadata"]["annotations"]["example.com/by"] = "them"
    actual["metadata"]["labels"]["example.com/by"] = "them"
    actual["metadata"]["ownerReferences"].insert(0, {"kind": "Other", "uid": "theirs"})

    assert covers(actual, desired)


def _weights(actual: Any) -> None:  # noqa: ANN401 any value of JSON, or any field
    actual["spec"]["rules"][0]["backendRefs"][0]["weight"] = 50


def _more_backends(actual: Any) -> None:  # noqa: ANN401 any value of JSON, or any field
    actual["spec"]["rules"][0]["backendRefs"].append({"name": "theirs", "weight": 1})


def _no_owner(actual: Any) -> None:  # noqa: ANN401 any value of JSON, or any field
    actual["metadata"]["ownerReferences"] = [{"kind": "Other", "uid": "theirs"}]


def _no_rules(actual: Any) -> None:  # noqa: ANN401 any value of JSON, or any field
    actual["spec"]["rules"] = "none"


@pytest.mark.parametrize("change", [_weights, _more_backends, _no_owner, _no_rules])
def test_what_is_ours_must_be_as_wanted(change: Any) -> None:  # noqa: ANN401 any value of JSON, or any field
    """A changed weight, another backend, a lost owner, a list that is none: write again."""
    actual = route()
    change(actual)

    assert not covers(actual, objects(TRYING)["HTTPRoute"])


def test_a_missing_object_or_latch_is_not_shown() -> None:
    """The way back is on the route only with its latch."""
    desired = objects(TRYING.rolling_back())["HTTPRoute"]
    unlatched = {**desired, "metadata": {**desired["metadata"], "annotations": {}}}

    assert not covers(None, desired)
    assert not covers(unlatched, desired)
    assert covers(applied(desired), desired)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_covering_is_reflexive_and_total(actual: object, desired: object) -> None:
    """Whatever is in the API server, it covers itself, and asking about anything gives an answer."""
    assert covers(actual, actual)
    assert covers(actual, desired) in (True, False)


@pytest.mark.parametrize("text", ["", "x", "-1", "9" * 5000, "1.5"])
def test_a_latch_that_is_no_number_is_none(text: str) -> None:
    """What people write into annotations breaks nothing."""
    manifest = applied({"metadata": {"name": "x", "annotations": {"agentrollouts.dev/rolled-back": text}}})

    assert latch(manifest) is None
