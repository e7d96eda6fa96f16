"""The chart on a real node: two replicas, of which one decides, and what happens to them in mid-canary."""

import signal

from tests.e2e.scene import Scene, Shop, now
from tests.e2e.witness import eventually
from tests.node.pods import NAMELESS, OperatorPods, has_crashed, is_ready, restarts


def breaks(given: Scene, shop: Shop) -> None:
    """From now on nearly every run of the second release fails."""
    given.agents.fail(given.namespace, f"{shop.agent}-2.0.0", 0.9)


def test_one_replica_leads_and_both_are_ready(given: Scene, operator: OperatorPods) -> None:
    """The chart as shipped, with the image: two Ready pods that never crashed serve a rollout."""
    leader, other = operator.leader_and_other()
    before = sum(map(restarts, operator.pods().values()))
    (shop,) = given.serving("calm")
    shop.ships("2.0.0")
    shop.comes_to("Healthy")
    pods = operator.pods()
    assert list(map(has_crashed, pods.values())) == [False, False]
    if sum(map(restarts, pods.values())) == before:  # else the API server did not answer for seconds
        assert operator.leader_and_other() == (leader, other)
    assert pods.keys() == {leader, other}


def test_changed_settings_take_effect_without_a_restart(given: Scene, operator: OperatorPods) -> None:
    """The kubelet updates the mounted ConfigMap, and the pods that run obey it."""
    before = {name: pod["metadata"]["uid"] for name, pod in operator.pods().items()}
    given.serving("older")

    operator.configure(limits={"rolloutsPerNamespace": 1})
    given.shop("younger")

    given.says("AgentRollout", "younger", "Ready", "LimitExceeded")
    operator.configure()
    given.shops["younger"].comes_to("Healthy")
    assert {name: pod["metadata"]["uid"] for name, pod in operator.pods().items()} == before
    assert list(map(has_crashed, operator.pods().values())) == [False, False]


def test_an_attempt_outlives_the_pod_that_led_it(given: Scene, operator: OperatorPods) -> None:
    """When the leader's pod is deleted in mid-canary, the other one goes on where it was."""
    (shop,) = given.in_canary("lasting")
    progress, deleted = shop.progress(), now()
    leader, other = operator.leader_and_other()

    operator.delete(leader)

    eventually("the other one leads", lambda: operator.leader() == other)
    operator.leader_and_other()
    shop.keeps_its_weights(since=deleted)
    changing = {"elapsedSeconds"}
    assert {key: value for key, value in shop.progress().items() if key not in changing} == {
        key: value for key, value in progress.items() if key not in changing
    }
    breaks(given, shop)
    shop.is_back()


def test_a_breach_is_rolled_back_though_the_leader_crashed(
    given: Scene, operator: OperatorPods, figures: dict[str, float]
) -> None:
    """Kill -9 of the leader in its container: the kubelet starts it again, and the breach is rolled back."""
    (shop,) = given.in_canary("crashed")
    leader, _ = operator.leader_and_other()
    before = restarts(operator.pods()[leader])

    operator.send(leader, signal.SIGKILL)
    killed = now()
    breaks(given, shop)

    shop.is_back()
    figures["from kill -9 of the leader until a breach is rolled back"] = now() - killed
    eventually("it was started again", lambda: restarts(operator.pods()[leader]) > before)
    operator.read_logs()


def test_a_breach_is_rolled_back_though_the_leader_is_gone(
    given: Scene, operator: OperatorPods, figures: dict[str, float]
) -> None:
    """A leader that hangs and is removed by force gives up no Lease; the other one takes it."""
    (shop,) = given.in_canary("orphan")
    leader, other = operator.leader_and_other()

    operator.send(leader, signal.SIGSTOP)
    stopped = now()
    operator.delete(leader, "--grace-period=0", "--force")
    breaks(given, shop)

    shop.is_back()
    figures["from the loss of the leader's pod until a breach is rolled back"] = now() - stopped
    assert operator.leader() == other


def test_an_upgrade_to_an_image_whose_user_has_no_name(given: Scene, operator: OperatorPods) -> None:
    """Both pods are replaced in mid-canary, and no weight changes; kopf needs no line in /etc/passwd."""
    (shop,) = given.in_canary("upgraded")
    before, began = set(operator.pods()), now()

    operator.upgrade(image=NAMELESS)

    assert before.isdisjoint(operator.pods())
    assert all(map(is_ready, operator.pods().values()))
    operator.leader_and_other()
    shop.keeps_its_weights(since=began)
    breaks(given, shop)
    shop.is_back()
